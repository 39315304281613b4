"""Checks the open orders and the limits of a shard against the market, ticker by ticker. Pure.

Tickers come in a fixed order; each is compared with the orders that its product has, by price. What
a ticker triggers becomes a record at once. An order that was triggered by a ticker too old to trade
on fills at the first fresh one. At the end of each snapshot the equity of accounts with limits of
loss is measured, and the check is noted in the log (`MarketChecked`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from heapq import heapify, heappop, heappush

import orjson

from arena.accounts import Shard
from arena.messages import EXIT_TYPES, AccountMark
from arena.money import PriceUnits
from arena.open_orders import NO_PRICE, OpenOrder
from trading_tools.command_handler import CommandHandler
from trading_tools.events import PendingEvent
from trading_tools.fill import part_that_fills
from trading_tools.orders.desk import Desk
from trading_tools.orders.losses import measure_losses
from trading_tools.orders.marks import Checked, is_watched, mark_of
from trading_tools.orders.records import Json, trigger_of
from trading_tools.orders.steps import EXPIRED
from trading_tools.orders.triggers import OrderKey, ProductTriggers
from trading_tools.quotes import MarketState, Quote

Place = tuple[int, int]
"""Partition and offset in `market.tickers`."""
RANKS: dict[str, int] = {kind: rank for rank, kind in enumerate(EXIT_TYPES)}


@dataclass(slots=True)
class OrderWatch:
    """Watches the market for the orders and limits of one shard.

    Attributes:
        handler: Handles the commands of the shard.
        market: The market as far as it was checked. Outside lock-step it is the newest one, so that
            an order is never filled at a price that is known to be replaced.
        may_buy: False while it is unknown whether trading is halted: limit buys wait.
    """

    handler: CommandHandler
    market: MarketState = field(default_factory=MarketState)
    may_buy: bool = True
    _triggers: dict[str, ProductTriggers] = field(default_factory=dict)
    _times: dict[str, list[tuple[int, OrderKey]]] = field(default_factory=dict)
    _waiting: dict[str, dict[OrderKey, Json]] = field(default_factory=dict)
    _future: dict[int, list[tuple[int, OrderKey]]] = field(default_factory=dict)
    _known: set[OrderKey] = field(default_factory=set)
    _wanted: set[str] = field(default_factory=set)
    _read_to: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Start with the orders that are open."""
        for agent in self.shard.standing:
            self.note_orders(agent)

    @property
    def shard(self) -> Shard:
        """The shard that is watched."""
        return self.handler.shard

    @property
    def is_active(self) -> bool:
        """True if there is anything to check."""
        return is_watched(self.shard)

    def wants(self, product_id: str) -> bool:
        """True if tickers of a product can trigger an order."""
        return product_id in self._wanted

    def note_orders(self, agent: str) -> None:
        """Watch the orders of an agent that were placed since the last call."""
        orders = self.shard.standing.get(agent)
        if orders is None:
            return
        for order in reversed(orders.open.values()):
            key = agent, order.order_id
            if key in self._known:
                return
            self._wanted.add(order.product_id)
            if not order.is_placed:
                continue  # `take_over` arms it.
            self._known.add(key)
            if order.waiting:
                self._wait(key, order, orjson.loads(order.waiting))
            elif order.placed_offset > self._read_to.get(order.placed_partition, -1):
                later = self._future.setdefault(order.placed_partition, [])
                heappush(later, (order.placed_offset, key))
            else:
                self._add(key, order)

    def _add(self, key: OrderKey, order: OpenOrder) -> None:
        if order.order_type != "time_exit":
            self._triggers.setdefault(order.product_id, ProductTriggers()).add(key, order)
        if due_ms := order.exits_ms or order.expires_ms:
            heappush(self._times.setdefault(order.product_id, []), (due_ms, key))

    def _open_order(self, key: OrderKey) -> OpenOrder | None:
        orders = self.shard.standing.get(key[0])
        return None if orders is None else orders.open.get(key[1])

    def _is_open(self, key: OrderKey) -> bool:
        return self._open_order(key) is not None

    def note_end(self, ends: Mapping[int, int]) -> None:
        """Watch the orders that were placed after the end of `market.tickers`.

        The topic was cut, or deleted and created again: every ticker in it is newer than they are.

        Args:
            ends: Partition -> offset after its last record.
        """
        for partition, later in list(self._future.items()):
            other = [entry for entry in later if entry[0] >= ends.get(partition, 0)]
            self._future[partition] = [entry for entry in later if entry not in other]
            heapify(self._future[partition])
            for _, key in other:
                if (order := self._open_order(key)) is not None:
                    self._add(key, order)

    def seed(self, quote: Quote) -> None:
        """Note the price of a product before the first ticker that is checked."""
        self.market.quotes.setdefault(quote.product_id, quote)
        newest = self.market.newest_at
        self.market.newest_at = max(quote.event_time, newest or quote.event_time)

    def on_quote(self, quote: Quote, now: datetime) -> list[PendingEvent]:
        """Check a ticker: the records of all that it triggers, folded, in order.

        Args:
            quote: The next ticker.
            now: Wall time.
        """
        product_id = quote.product_id
        if self.handler.rules.lock_step:
            self.market.quotes[product_id] = quote
            newest = self.market.newest_at
            self.market.newest_at = max(quote.event_time, newest or quote.event_time)
        if quote.partition in self._future:
            self._activate(quote.partition, quote.offset)
        self._read_to[quote.partition] = quote.offset
        if not quote.usable:
            return []
        triggers = self._triggers.get(product_id)
        if triggers is not None:
            for key, level in triggers.triggered(quote.bid, quote.ask, self._is_open):
                order = self._open_order(key)
                assert order is not None, "it is open"
                self._wait(key, order, trigger_of(quote, level))
        records: list[PendingEvent] = []
        times = self._times.get(product_id)
        if times and times[0][0] <= quote.event_ms:
            records += self._pass_time(times, quote, quote.event_ms, now)
        if product_id in self._waiting:
            records += self._carry_out(quote, now)
        return records

    def _wait(self, key: OrderKey, order: OpenOrder, trigger: Json) -> None:
        self._waiting.setdefault(order.product_id, {}).setdefault(key, trigger)

    def _activate(self, partition: int, offset: int) -> None:
        """Watch the orders that were placed before a ticker."""
        later = self._future[partition]
        while later and later[0][0] < offset:
            key = heappop(later)[1]
            if (order := self._open_order(key)) is not None:
                self._add(key, order)
        if not later:
            del self._future[partition]

    def _pass_time(
        self, times: list[tuple[int, OrderKey]], quote: Quote | None, at_ms: int, now: datetime
    ) -> list[PendingEvent]:
        """Let limit orders expire; time exits whose time has come wait for a fresh ticker.

        Args:
            times: The times of one product's orders.
            quote: The product's newest ticker; None before the first.
            at_ms: Venue time.
            now: Wall time.
        """
        records: list[PendingEvent] = []
        kept: list[tuple[int, OrderKey]] = []
        while times and times[0][0] <= at_ms:
            due_ms, key = heappop(times)
            order = self._open_order(key)
            if order is None:
                continue
            if order.expires_ms:
                desk = self._desk(now)
                records.append(desk.fold(desk.steps().cancel(key[0], order, EXPIRED)))
                records += self._follow_up(desk, key[0])
            elif quote is None or not quote.usable:
                kept.append((due_ms, key))
            else:
                self._wait(key, order, trigger_of(quote, NO_PRICE))
        for entry in kept:
            heappush(times, entry)
        return records

    def _carry_out(self, quote: Quote, now: datetime) -> list[PendingEvent]:
        """Fill the orders of a product that were triggered, if its ticker is fresh.

        Outside lock-step the newest ticker counts: it may be newer than the one that is checked.
        """
        desk = self._desk(now)
        quote = desk.market.quotes.get(quote.product_id, quote)
        if not quote.usable:
            return []
        if quote.age_ms(desk.prices_at or now) > self.handler.rules.price_age_s_max * 1000:
            return []
        waiting = self._waiting.pop(quote.product_id)
        records: list[PendingEvent] = []
        for key in sorted(waiting, key=self._turn_of):
            order = self._open_order(key)
            if order is None:
                continue
            if order.is_exit:
                record = desk.steps().sell_all(key[0], order, quote, waiting[key])
                if record is None:
                    self._wait(key, order, waiting[key])
                    continue
                records.append(desk.fold(record))
            else:
                records += self._fill_limit(desk, key, order, quote, waiting[key])
            records += self._follow_up(desk, key[0])
        return records

    def _turn_of(self, key: OrderKey) -> tuple[str, int, str]:
        order = self._open_order(key)
        kind = "limit" if order is None else order.order_type
        return key[0], RANKS.get(kind, len(RANKS)), key[1]

    def _fill_limit(
        self, desk: Desk, key: OrderKey, order: OpenOrder, quote: Quote, trigger: Json
    ) -> list[PendingEvent]:
        """Fill a resting limit order as far as the ticker's size goes."""
        buy = order.action == "buy"
        through = quote.ask < order.limit if buy else quote.bid > order.limit
        listing = desk.market.listings.get(order.product_id)
        halted = buy and (not self.may_buy or desk.switch.halt_of(key[0]) is not None)
        records: list[PendingEvent] = []
        place = order.placed_partition, order.placed_offset
        is_new = place != (quote.partition, quote.offset)  # Its size fills an order once.
        if through and is_new and not halted and listing is not None and listing.open:
            size = quote.ask_size if buy else quote.bid_size
            step = desk.rules.cash_step
            quantity = part_that_fills(order.remaining, size, order.limit, listing, step)
            if quantity:
                record = desk.steps().fill_limit(key[0], order, quantity, quote, trigger)
                records.append(desk.fold(record))
        if (rest := self._open_order(key)) is not None:
            # Its time is watched already.
            self._triggers.setdefault(order.product_id, ProductTriggers()).add(key, rest)
        return records

    def _follow_up(self, desk: Desk, agent: str) -> list[PendingEvent]:
        records = desk.follow_up(agent)
        self.note_orders(agent)
        return records

    def _desk(self, now: datetime) -> Desk:
        return self.handler.desk(now, market=self._market())

    def _market(self) -> MarketState:
        if not self.handler.rules.lock_step:
            return self.handler.market
        if not self.market.listings:
            self.market.listings = dict(self.handler.market.listings)
        return self.market

    def take_over(self, now: datetime, placed: Mapping[Place, Quote]) -> list[PendingEvent]:
        """The steps that are due after a crash of another owner, folded.

        Args:
            now: Wall time.
            placed: Tickers by place: exits that an entry brought are armed as of its ticker, and
                at the newest one if that is not among these.
        """
        records: list[PendingEvent] = []
        for agent, orders in self.shard.standing.items():
            market, quotes = self._market(), dict(self._market().quotes)
            for order in orders.open.values():
                place = (order.placed_partition, order.placed_offset)
                quote = None if order.is_placed else placed.get(place)
                if quote is not None and quote.product_id == order.product_id:
                    quotes[order.product_id] = quote
            desk = self.handler.desk(now, market=replace(market, quotes=quotes))
            records += self._follow_up(desk, agent)
        return records

    def on_snapshot(self, checked: Checked, now: datetime) -> list[PendingEvent]:
        """End the check of a snapshot: breaches of limits of loss, and the note of the check.

        Args:
            checked: How far the market was checked.
            now: Wall time.
        """
        own_check = self.handler.checked
        own_check.offsets, own_check.snapshot_id = dict(checked.offsets), checked.snapshot_id
        own_check.as_of = checked.as_of
        records: list[PendingEvent] = []
        as_of_ms, quotes = int(checked.as_of.timestamp() * 1000), self._market().quotes
        for product_id, times in sorted(self._times.items()):
            if times and times[0][0] <= as_of_ms:
                records += self._pass_time(times, quotes.get(product_id), as_of_ms, now)
        for product_id in sorted(self._waiting):
            quote = quotes.get(product_id)
            if quote is not None:
                records += self._carry_out(quote, now)
        if not self.is_active:
            self._forget_closed()
            return records
        marks: list[AccountMark] = []
        for name in sorted(self.shard.risk):
            mark, breaches = measure_losses(name, checked, self._desk(now))
            if mark is not None:
                marks.append(mark)
            records += breaches
            for agent in {record.key for record in breaches}:
                self.note_orders(agent)
        record = mark_of(
            self.shard, own_check, now, dict(self._peaks()), marks, self._triggers_of_waiting()
        )
        records.append(self.handler.desk(now).fold(record))
        self._forget_closed()
        return records

    def _triggers_of_waiting(self) -> dict[str, Json]:
        """Order id -> what triggered it, of orders that wait for a fresh ticker."""
        return {
            key[1]: trigger
            for waiting in self._waiting.values()
            for key, trigger in waiting.items()
            if self._is_open(key)
        }

    def _peaks(self) -> Iterator[tuple[str, PriceUnits]]:
        for triggers in self._triggers.values():
            for key, peak in triggers.peaks():
                if self._is_open(key):
                    yield key[1], peak

    def _forget_closed(self) -> None:
        orders = {key: self._open_order(key) for key in self._known}
        self._known = {key for key, order in orders.items() if order is not None}
        self._wanted = {order.product_id for order in orders.values() if order is not None}
        for product_id in [p for p, one in self._triggers.items() if one.is_empty()]:
            del self._triggers[product_id]
        for product_id in [p for p, times in self._times.items() if not times]:
            del self._times[product_id]
