"""Which items of dated context are visible at a venue time, and which of those a snapshot shows.

An item is visible from its `published_at` on, at that very instant too. A later record of the same
id corrects the item: at any time, the newest record in the log that is published by then counts.
So a correction changes the next snapshot, and never what an older one showed. News and sentiment
are shown for `SHOWN_FOR` in venue time; of token facts the newest of a product, however old. Pure.
"""

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from datetime import datetime, timedelta
from itertools import accumulate, chain
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
        self._records[number] = item.model_copy(update={"received_at": None})
        self._by_id.setdefault(item.item_id, []).append(number)
        insort(self._list_of(item), (item.published_at, number))
        while len(self._records) > RECORDS_MAX:
            self._drop_earliest()

    def visible(self, as_of: datetime, product_ids: Collection[str]) -> tuple[ContextItem, ...]:
        """The items that a snapshot shows.

        Args:
            as_of: Venue time of the snapshot.
            product_ids: The products of the snapshot.
        """
        shown = frozenset((*product_ids, ""))
        full: set[tuple[str, str]] = set()
        counts = Counter[tuple[str, str]]()
        found: list[ContextItem] = []
        for item in chain(self._recent(as_of, shown, full), self._newest_facts(as_of, shown)):
            place = item.product_id, item.kind
            if counts[place] < SHOWN_MAX[item.kind]:
                found.append(item)
                counts[place] += 1
                if counts[place] == SHOWN_MAX[item.kind]:
                    full.add(place)
        # The order does not depend on that of the log.
        found.sort(key=_id_of)
        found.sort(key=_time_of, reverse=True)
        chars = accumulate(chars_of(item) for item in found)
        fit = sum(1 for total in chars if total <= SNAPSHOT_CHARS_MAX)
        chosen = found[: min(fit, ITEMS_MAX)]
        chosen.sort(key=_place_of)
        return tuple(chosen)

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

    def _recent(
        self, as_of: datetime, shown: frozenset[str], full: Set[tuple[str, str]]
    ) -> Iterator[ContextItem]:
        """News and sentiment that are young enough, the newest first.

        Args:
            as_of: Venue time.
            shown: The products, and "" for the whole market.
            full: Products and kinds of which no more are needed; it ends when all are in it.
        """
        for numbers in _backwards(self._entries, as_of):
            age = as_of - self._records[numbers[0]].published_at
            if age > SHOWN_FOR or len(full) == 2 * len(shown):
                return
            yield from self._valid(numbers, as_of, shown)

    def _newest_facts(self, as_of: datetime, shown: frozenset[str]) -> Iterator[ContextItem]:
        """The newest facts of each product; several if they are of the same time."""
        for product_id, entries in self._facts.items():
            if product_id in shown:
                for numbers in _backwards(entries, as_of):
                    if valid := self._valid(numbers, as_of, shown):
                        yield from valid
                        break

    def _valid(
        self, numbers: Sequence[int], as_of: datetime, shown: frozenset[str]
    ) -> list[ContextItem]:
        """The records of one time that no later one corrects, in the order of their ids."""
        found = [self._records[n] for n in numbers if self._counts(n, as_of)]
        return sorted((one for one in found if one.product_id in shown), key=_id_of)

    def _counts(self, number: int, as_of: datetime) -> bool:
        """True if no later record of the id is published by then."""
        numbers = self._by_id[self._records[number].item_id]
        later = numbers[bisect_right(numbers, number) :]
        return all(self._records[other].published_at > as_of for other in later)


def chars_of(item: ContextItem) -> int:
    """Characters of an item's texts."""
    facts = sum(len(name) + len(value) for name, value in item.facts.items())
    texts = (item.item_id, item.product_id, item.source, item.url, item.title, item.text)
    return facts + sum(map(len, texts))


def _backwards(entries: list[_Entry], as_of: datetime) -> Iterator[list[int]]:
    """Numbers of the records that are published by a time, the latest time first."""
    end = bisect_right(entries, as_of, key=_first)
    while end:
        start = bisect_left(entries, entries[end - 1][0], hi=end, key=_first)
        yield [number for _, number in entries[start:end]]
        end = start


def _first(entry: _Entry) -> datetime:
    return entry[0]


def _id_of(item: ContextItem) -> tuple[str, str]:
    return item.item_id, item.product_id


def _time_of(item: ContextItem) -> datetime:
    return item.published_at


def _place_of(item: ContextItem) -> tuple[str, str]:
    return item.product_id, item.kind
