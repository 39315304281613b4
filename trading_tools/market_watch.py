"""Feeds the watch of a shard's orders: tickers and snapshots in their fixed order.

Reads `market.snapshots`, and `market.tickers` through the executor's `PriceFeed`; at a start also
`market.tickers` from where the log says that the last owner had checked it.

Outside lock-step tickers are checked as they come, only those of products with open orders. In
lock-step all tickers of a snapshot are checked together once the snapshot is known, sorted by venue
time, product and offset, and before any command of the snapshot is decided: so every run decides
alike, whatever the order in which partitions were read.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from arena import topics
from arena.bus.base import EARLIEST, LATEST, LogReader, Record
from arena.errors import Malformed
from arena.messages import Message, Product, ToolCall
from arena.node import Node
from trading_tools.command_handler import CommandHandler
from trading_tools.events import PendingEvent
from trading_tools.kill_switch import KillSwitchFeed
from trading_tools.orders.marks import Checked
from trading_tools.orders.watch import OrderWatch, Place
from trading_tools.prices import PriceFeed
from trading_tools.quote_reader import read_quote
from trading_tools.quotes import Quote

TICKERS = topics.TICKERS.name
SNAPSHOTS = topics.SNAPSHOTS.name
STEPS_MAX = 2_000
"""Tickers that are checked before commands get their turn again."""
IDLE_S = 5.0
LISTING = Product.type_name()
SEED_RECORDS = 2_000
"""How many tickers before the check are looked at first for the newest of each product."""


class SnapshotEnd(msgspec.Struct, gc=False):
    """Where the tickers of a snapshot end."""

    snapshot_id: str
    as_of: datetime
    ticker_offsets: dict[int, int] = {}


_decode = msgspec.json.Decoder(SnapshotEnd).decode


class MarketWatch:
    """Checks the orders of one shard against the market, for its owner.

    Args:
        node: Bus and clock.
        handler: Handles the commands of the shard.
        prices: The market.
        control: Whether the kill switch is known.
        since: When this owner's epoch counted, by `Clock.boot_s`.
    """

    def __init__(
        self,
        node: Node,
        handler: CommandHandler,
        prices: PriceFeed,
        control: KillSwitchFeed,
        since: float,
    ) -> None:
        """Take what `open` needs."""
        self._node = node
        self._handler = handler
        self._prices = prices
        self._control = control
        self._since = since
        self._lock_step = handler.rules.lock_step
        self._watch = OrderWatch(handler)
        self._tickers: deque[Quote] = deque()
        self._listings: deque[Record] = deque()
        self._snapshots: deque[SnapshotEnd] = deque()
        self._reader: LogReader | None = None
        self._arrived = asyncio.Event()

    async def open(self) -> None:
        """Begin where the last owner had checked the market.

        Every ticker from there on is checked: those that the price feed has read are read again.
        """
        checked = self._handler.shard.checked
        active = self._watch.is_active
        self._prices.watchers.append(self._take)
        ends = self._prices.read_to()
        # A topic that ends before that was cut, or deleted and created again.
        checked = {p: offset if offset <= ends.get(p, 0) else 0 for p, offset in checked.items()}
        self._watch.note_end(ends)
        self._note_checked(checked)
        if active:
            # What the price feed reads meanwhile comes after what is read again here.
            earlier = await self._read_again(checked, ends)
            self._tickers.extendleft(reversed(earlier))
            if self._lock_step:
                await self._seed_prices(checked)
        start = EARLIEST if self._lock_step else LATEST
        self._reader = await self._node.bus.log_reader(SNAPSHOTS, start=start)
        self._watch.market.listings = dict(self._prices.market.listings)
        if self._lock_step and not active:
            self._watch.market.quotes = dict(self._prices.market.quotes)
            self._watch.market.newest_at = self._prices.market.newest_at

    def _note_checked(self, offsets: dict[int, int]) -> None:
        """Continue after the last owner's check: earlier snapshots are not checked again."""
        own_check = self._handler.checked
        own_check.offsets = dict(offsets)
        own_check.snapshot_id, as_of = self._handler.shard.checked_at
        if as_of:
            own_check.as_of = datetime.fromisoformat(as_of)

    async def close(self) -> None:
        """Stop reading."""
        if self._take in self._prices.watchers:
            self._prices.watchers.remove(self._take)
        if self._reader is not None:
            await self._reader.close()
            self._reader = None

    async def follow_snapshots(self) -> None:
        """Follow the snapshots until cancelled."""
        assert self._reader is not None, "the watch is not open"
        while True:
            for record in await self._reader.read(timeout_s=IDLE_S):
                self._take_snapshot(record)

    async def take_over(self) -> list[PendingEvent]:
        """The steps that are due after another owner's crash, folded."""
        ends, placed = self._prices.read_to(), dict[Place, Quote]()
        for orders in self._handler.shard.standing.values():
            for order in orders.open.values():
                partition, offset = order.placed_partition, order.placed_offset
                if order.is_placed or not 0 <= offset < ends.get(partition, 0):
                    continue
                for quote in await self._quotes_between(partition, offset, offset + 1):
                    placed[quote.partition, quote.offset] = quote
        return self._watch.take_over(self._node.clock.now(), placed)

    def note_orders(self, agent: str) -> None:
        """Watch the orders that a command placed."""
        self._watch.note_orders(agent)

    @property
    def is_due(self) -> bool:
        """True if there is something to check now."""
        if self._snapshots and self._prices.covers(self._snapshots[0].ticker_offsets):
            return True
        return bool(self._tickers) and not self._lock_step

    async def arrived(self) -> None:
        """Wait until there may be something to check."""
        self._arrived.clear()
        if not self.is_due:
            await self._arrived.wait()

    def check(self) -> list[PendingEvent]:
        """Check what has come: the records of what it triggered, folded, in order."""
        now = self._node.clock.now()
        self._watch.may_buy = self._lock_step or self._control.is_proven(self._since)
        if self._lock_step:
            return self._check_snapshots(now)
        records: list[PendingEvent] = []
        for _ in range(min(len(self._tickers), STEPS_MAX)):
            records += self._watch.on_quote(self._tickers.popleft(), now)
        if not self._tickers:
            records += self._end_snapshots(now)
        return records

    async def is_behind(self, message: Message) -> bool:
        """True if, in lock-step, the snapshot of a command is still to be checked.

        A snapshot that its topic does not have ends where the command says.
        """
        if not self._lock_step or not isinstance(message, ToolCall) or not message.ticker_offsets:
            return False
        if _covers(self._handler.checked.offsets, message.ticker_offsets):
            return False
        assert self._reader is not None, "the watch is not open"
        ends = await self._reader.end_offsets()
        at_end = all(self._reader.position(*place) >= end for place, end in ends.items())
        if not at_end or any(
            _covers(s.ticker_offsets, message.ticker_offsets) for s in self._snapshots
        ):
            return True
        newest = self._prices.market.newest_at or self._node.clock.now()
        self._snapshots.append(SnapshotEnd(message.snapshot_id, newest, message.ticker_offsets))
        return True

    def _check_snapshots(self, now: datetime) -> list[PendingEvent]:
        records: list[PendingEvent] = []
        while self._snapshots and self._prices.covers(self._snapshots[0].ticker_offsets):
            end = self._snapshots.popleft()
            if _covers(self._handler.checked.offsets, end.ticker_offsets):
                continue
            self._note_listings(end.ticker_offsets)
            for quote in self._tickers_before(end.ticker_offsets):
                records += self._watch.on_quote(quote, now)
            records += self._watch.on_snapshot(_checked(end), now)
        return records

    def _end_snapshots(self, now: datetime) -> list[PendingEvent]:
        records: list[PendingEvent] = []
        while self._snapshots and self._prices.covers(self._snapshots[0].ticker_offsets):
            end = self._snapshots.popleft()
            # Later tickers are checked, too: the highest bids of trailing stops include them.
            end.ticker_offsets = {**end.ticker_offsets, **self._prices.read_to()}
            records += self._watch.on_snapshot(_checked(end), now)
        return records

    def _tickers_before(self, offsets: dict[int, int]) -> list[Quote]:
        """Take the tickers before a snapshot's end, in the order in which they are checked."""
        found = [q for q in self._tickers if q.offset < offsets.get(q.partition, 0)]
        if len(found) == len(self._tickers):
            self._tickers.clear()
        else:
            self._tickers = deque(
                q for q in self._tickers if q.offset >= offsets.get(q.partition, 0)
            )
        return sorted(found, key=lambda q: (q.event_ms, q.product_id, q.offset))

    def _note_listings(self, offsets: dict[int, int]) -> None:
        """Trade by the products' rules as of a snapshot, however far the price feed has read."""
        waiting = self._listings
        self._listings = deque()
        for record in waiting:
            if record.offset >= offsets.get(record.partition, 0):
                self._listings.append(record)
                continue
            try:
                self._watch.market.note(record.message(), record.partition, record.offset)
            except (Malformed, ArithmeticError):
                continue  # The price feed has reported it.

    def _take(self, records: Sequence[Record]) -> None:
        self._tickers.extend(self._quotes_in(records))
        if self._lock_step:
            self._listings.extend(record for record in records if record.kind == LISTING)
        self._arrived.set()

    def _quotes_in(self, records: Sequence[Record]) -> Iterator[Quote]:
        """The tickers of products with orders; in lock-step those of all products."""
        for record in records:
            if not (self._lock_step or self._wants(record)):
                continue
            try:
                quote = read_quote(record)
            except Malformed:
                continue  # The price feed has reported it.
            if quote is not None:
                yield quote

    def _wants(self, record: Record) -> bool:
        return self._watch.wants(record.key_text)

    def _take_snapshot(self, record: Record) -> None:
        try:
            self._snapshots.append(_decode(record.value or b""))
        except ValueError:
            return  # Its readers report it.
        self._arrived.set()

    async def _seed_prices(self, before: dict[int, int]) -> None:
        """Give the watch the newest ticker of each product before the tickers that it checks.

        Positions are valued by them at the next check, like by the owner before.
        """
        products = set(self._prices.market.listings)
        for partition, end in sorted(before.items()):
            count, found = SEED_RECORDS, dict[str, Quote]()
            while end > 0:
                first = max(0, end - count)
                quotes = await self._quotes_between(partition, first, end)
                found = {quote.product_id: quote for quote in quotes}
                if not first or products <= found.keys():
                    break
                count *= 4
            for quote in found.values():
                self._watch.seed(quote)

    async def _quotes_between(self, partition: int, first: int, end: int) -> list[Quote]:
        """The tickers of a partition from one offset to before another, as far as it has them."""
        found: list[Quote] = []
        reader = await self._node.bus.partition_reader(TICKERS, partition, EARLIEST)
        try:
            reader.seek(TICKERS, partition, max(first, reader.position(TICKERS, partition)))
            while reader.position(TICKERS, partition) < end:
                records = await reader.read(timeout_s=IDLE_S)
                if not records:
                    break
                found += self._quotes_in([one for one in records if one.offset < end])
        finally:
            await reader.close()
        return found

    async def _read_again(self, since: dict[int, int], until: dict[int, int]) -> list[Quote]:
        """Read the tickers again that the last owner had not checked."""
        found: list[Quote] = []
        for partition, end in sorted(until.items()):
            first = since.get(partition, 0)
            if first < end:
                found += await self._quotes_between(partition, first, end)
        return found


def _covers(read_to: dict[int, int], offsets: dict[int, int]) -> bool:
    return all(read_to.get(partition, 0) >= offset for partition, offset in offsets.items())


def _checked(end: SnapshotEnd) -> Checked:
    return Checked(dict(end.ticker_offsets), end.snapshot_id, end.as_of)
