"""Rows of a season that stay packed until they are read, and a bounded set of ids. Pure."""

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

IDS_REMEMBERED = 65_536
"""A second record of a turn or a call comes from a process that was frozen past its session, so
it is close to the first one; `arena.accounts` remembers as many orders."""


class PackedRows(Generic[T]):
    """Rows in the order of the log; the oldest may stay packed until they are read.

    A judge that continues from its checkpoint does not need old rows to fold new records, only to
    build a season. So they are unpacked for the first season, not at the start.
    """

    def __init__(
        self,
        packed: Iterable[memoryview] = (),
        unpack: Callable[[memoryview], list[T]] | None = None,
    ) -> None:
        """Create rows.

        Args:
            packed: Packed rows, oldest first.
            unpack: Function that unpacks one item of `packed`.
        """
        self._packed = list(packed)
        self._unpack = unpack
        self._items: list[T] = []
        self._kept = 0

    def append(self, row: T) -> None:
        """Append a row."""
        self._items.append(row)

    def all(self) -> list[T]:
        """Return all rows, oldest first; do not change the list."""
        if self._packed and self._unpack is not None:
            older = [row for one in self._packed for row in self._unpack(one)]
            self._packed.clear()
            self._kept += len(older)
            self._items = older + self._items
        return self._items

    def forget(self, count: int) -> None:
        """Forget the oldest rows, packed or not."""
        del self.all()[:count]
        self._kept = max(self._kept - count, 0)

    def __iter__(self) -> Iterator[T]:
        """Iterate over all rows, oldest first."""
        return iter(self.all())

    def take_new(self) -> list[T]:
        """Return the rows added since the last call, or since the packed ones."""
        new = self._items[self._kept :]
        self._kept = len(self._items)
        return new


class RecentIds:
    """The newest `IDS_REMEMBERED` ids that were added."""

    def __init__(self, ids: Iterable[str] = ()) -> None:
        """Create the set with these ids, oldest first."""
        self._ids = dict.fromkeys(ids)

    def __contains__(self, one: str) -> bool:
        return one in self._ids

    def __iter__(self) -> Iterator[str]:
        """Iterate over the ids, oldest first."""
        return iter(self._ids)

    def add(self, one: str) -> None:
        """Add an id; the oldest one is dropped if there are too many."""
        self._ids[one] = None
        if len(self._ids) > IDS_REMEMBERED:
            del self._ids[next(iter(self._ids))]
