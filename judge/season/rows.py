"""What a season is made of, row by row, and compact as long as nobody looks. Pure."""

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

IDS_REMEMBERED = 65_536
"""A second record of a turn or a call comes from a process that was frozen past its session, so
it stands near the first; `arena.accounts` remembers as many orders."""


class Rows(Generic[T]):
    """Rows in the order of the log; the oldest may lie packed until they are asked for.

    A judge that goes on behind its checkpoint needs none of them to fold on, and all of them to
    make a season: so they are unpacked by the first season, and not by the start.
    """

    def __init__(
        self,
        packed: Iterable[memoryview] = (),
        unpack: Callable[[memoryview], list[T]] | None = None,
    ) -> None:
        """Begin with what was packed, oldest first, and the way to unpack it."""
        self._packed = list(packed)
        self._unpack = unpack
        self._items: list[T] = []
        self._kept = 0

    def append(self, row: T) -> None:
        """Take the next row."""
        self._items.append(row)

    def all(self) -> list[T]:
        """Every row, oldest first; read only."""
        if self._packed and self._unpack is not None:
            older = [row for one in self._packed for row in self._unpack(one)]
            self._packed.clear()
            self._kept += len(older)
            self._items = older + self._items
        return self._items

    def __iter__(self) -> Iterator[T]:
        """Every row, oldest first."""
        return iter(self.all())

    def take_new(self) -> list[T]:
        """The rows since this was asked the last time, or since they were packed."""
        new = self._items[self._kept :]
        self._kept = len(self._items)
        return new


class NewestIds:
    """The newest `IDS_REMEMBERED` ids that were seen."""

    def __init__(self, ids: Iterable[str] = ()) -> None:
        """Begin with these, oldest first."""
        self._ids = dict.fromkeys(ids)

    def __contains__(self, one: str) -> bool:
        return one in self._ids

    def __iter__(self) -> Iterator[str]:
        """The ids, oldest first."""
        return iter(self._ids)

    def add(self, one: str) -> None:
        """See an id; the oldest goes where there are too many."""
        self._ids[one] = None
        if len(self._ids) > IDS_REMEMBERED:
            del self._ids[next(iter(self._ids))]
