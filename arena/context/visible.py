"""Which items of dated context are visible at a venue time, and which of those a snapshot shows.

An item is visible from its `published_at` on, at that very instant too. A later record of the same
id corrects the item: at any time, the newest record in the log that is published by then counts.
So a correction changes the next snapshot, and never what an older one showed. News and sentiment
are shown for `SHOWN_FOR` in venue time; of token facts the newest of a product, however old. Pure.
"""

from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from arena.messages import ContextItem, ContextKind

SHOWN_FOR: Final = timedelta(hours=24)
"""Age in venue time up to which news and sentiment are shown."""
SHOWN_MAX: Final[Mapping[ContextKind, int]] = {"news": 5, "sentiment": 3, "token_facts": 1}
"""Most items of a kind in a snapshot, per product, and for the whole market."""
ITEMS_MAX: Final = 100
"""Most items in a snapshot; the newest are in it."""
SNAPSHOT_CHARS_MAX: Final = 60_000
"""Most characters of the items in a snapshot, so that its record stays below the limit."""
RECORDS_MAX: Final = 100_000
"""Most records that are kept in memory; the earliest published are dropped first."""

_Entry = tuple[datetime, int]
"""Time of publication and number of a record; entries are in this order."""


class VisibleContext(NamedTuple):
    """The context of a snapshot.

    Attributes:
        items: Its items, sorted by product and kind, the newest first.
        offsets: Partition of `market.context` -> offset after the last record that was read.
    """

    items: tuple[ContextItem, ...] = ()
    offsets: Mapping[int, int] = {}


NO_CONTEXT: Final = VisibleContext()


def visible_items(
    items: Iterable[ContextItem], as_of: datetime, product_ids: Collection[str] | None = None
) -> tuple[ContextItem, ...]:
    """The items that a snapshot as of a venue time shows.

    Args:
        items: Records in the order of the log.
        as_of: Venue time of the snapshot.
        product_ids: The products of the snapshot; None for all.
    """
    book = ContextBook()
    for item in items:
        book.take(item)
    return book.visible(as_of, product_ids)


class ContextBook:
    """The records of `market.context`, folded in the order of the log."""

    def __init__(self) -> None:
        """Start without records."""
        self._records: dict[int, ContextItem] = {}
        self._by_id: dict[str, list[int]] = {}
        self._entries: list[_Entry] = []
        self._facts: dict[str, list[_Entry]] = {}
        self._count = 0

    def __len__(self) -> int:
        """Number of records in memory."""
        return len(self._records)

    def take(self, item: ContextItem) -> None:
        """Add the next record of the log."""
        number, self._count = self._count, self._count + 1
        self._records[number] = item
        self._by_id.setdefault(item.item_id, []).append(number)
        insort(self._list_of(item), (item.published_at, number))
        while len(self._records) > RECORDS_MAX:
            self._drop_earliest()

    def visible(
        self, as_of: datetime, product_ids: Collection[str] | None = None
    ) -> tuple[ContextItem, ...]:
        """The items that a snapshot shows; see `visible_items`."""
        shown = None if product_ids is None else frozenset(product_ids)
        found = list(self._recent(as_of)) + list(self._newest_facts(as_of))
        found = [one for one in found if shown is None or one.product_id in shown | {""}]
        # The order does not depend on that of the log.
        found.sort(key=lambda one: (one.item_id, one.product_id))
        found.sort(key=lambda one: one.published_at, reverse=True)
        chosen: list[ContextItem] = []
        counts, left = Counter[tuple[str, str]](), SNAPSHOT_CHARS_MAX
        for item in found:
            place = (item.product_id, item.kind)
            if counts[place] == SHOWN_MAX[item.kind]:
                continue
            left -= chars_of(item)
            if len(chosen) == ITEMS_MAX or left < 0:
                break
            counts[place] += 1
            chosen.append(item)
        chosen.sort(key=lambda one: (one.product_id, one.kind))
        return tuple(one.model_copy(update={"received_at": None}) for one in chosen)

    def _list_of(self, item: ContextItem) -> list[_Entry]:
        if item.kind != "token_facts":
            return self._entries
        return self._facts.setdefault(item.product_id, [])

    def _drop_earliest(self) -> None:
        """Forget the earliest published record; the newest facts of a product are kept longest."""
        longest = max(self._facts.values(), key=len, default=[])
        entries = self._entries if len(self._entries) >= len(longest) else longest
        _, number = entries.pop(0)
        item = self._records.pop(number)
        numbers = self._by_id[item.item_id]
        numbers.remove(number)
        if not numbers:
            del self._by_id[item.item_id]

    def _recent(self, as_of: datetime) -> Iterator[ContextItem]:
        """News and sentiment that are young enough, the newest first."""
        for number in _backwards(self._entries, as_of):
            item = self._records[number]
            if as_of - item.published_at > SHOWN_FOR:
                return
            if self._counts(number, item, as_of):
                yield item

    def _newest_facts(self, as_of: datetime) -> Iterator[ContextItem]:
        """The newest facts of each product; several if they are of the same time."""
        for entries in self._facts.values():
            newest: datetime | None = None
            for number in _backwards(entries, as_of):
                item = self._records[number]
                if newest is not None and item.published_at < newest:
                    break
                if self._counts(number, item, as_of):
                    newest = item.published_at
                    yield item

    def _counts(self, number: int, item: ContextItem, as_of: datetime) -> bool:
        """True if no later record of the id is published by then."""
        later = (other for other in self._by_id[item.item_id] if other > number)
        return all(self._records[other].published_at > as_of for other in later)


def chars_of(item: ContextItem) -> int:
    """Characters of an item's texts."""
    facts = sum(len(name) + len(value) for name, value in item.facts.items())
    texts = (item.item_id, item.product_id, item.source, item.url, item.title, item.text)
    return facts + sum(map(len, texts))


def _backwards(entries: list[_Entry], as_of: datetime) -> Iterator[int]:
    """Numbers of the records that are published by a time, the latest first."""
    end = bisect_right(entries, as_of, key=lambda entry: entry[0])
    return (entries[place][1] for place in range(end - 1, -1, -1))
