"""A window over the end of a topic: the newest N offsets of each partition. Pure.

A dashboard that ran from the start and one that starts late must show the same. So sums over topics
that are too large to read again are sums over such a window, which depends on offsets alone: a late
dashboard starts to read at the start of the window.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


class OffsetWindow(Generic[T]):
    """The items of the newest `length` offsets of each partition of one topic.

    Attributes:
        length: Offsets per partition.
        complete: True while the window reaches back to the first offset.
    """

    def __init__(self, length: int) -> None:
        """Start empty."""
        self.length = length
        self.complete = True
        self._items: dict[int, deque[tuple[int, T]]] = {}

    def __iter__(self) -> Iterator[T]:
        """Every item, partition by partition, oldest first."""
        for _, items in sorted(self._items.items()):
            yield from (item for _, item in items)

    def advance(self, partition: int, offset: int) -> list[T]:
        """Note that a record was read, with or without an item.

        Args:
            partition: Partition of the record.
            offset: Offset of the record.

        Returns:
            The items that left the window.
        """
        first = offset + 1 - self.length
        if first > 0:
            self.complete = False
        gone: list[T] = []
        items = self._items.get(partition)
        while items and items[0][0] < first:
            gone.append(items.popleft()[1])
        return gone

    def items_by_partition(self) -> dict[int, list[tuple[int, T]]]:
        """The items with their offsets, by partition."""
        return {partition: list(items) for partition, items in self._items.items()}

    def restore(self, kept: Mapping[int, list[tuple[int, T]]], *, complete: bool) -> None:
        """Replace the content by a result of `items_by_partition`."""
        self.complete = complete
        self._items = {partition: deque(items) for partition, items in kept.items()}

    def add(self, partition: int, offset: int, item: T) -> None:
        """Add the item of a record, after `advance` to it."""
        self._items.setdefault(partition, deque()).append((offset, item))
