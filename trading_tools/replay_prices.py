"""The recorded tickers and listings by which the orders of a replay were decided.

Retention deletes the oldest tickers and listings: an order whose ticker or listing is deleted
cannot be decided again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from arena.accounts import UNIX_EPOCH
from arena.bus.base import Record
from arena.messages import Product, Ticker, ToolCall
from arena.money import to_price_units
from trading_tools.quotes import MarketState, Quote, quote_of
from trading_tools.replay_listings import ListingHistory

Event = dict[str, Any]  # Any: a decoded event of the account log
Place = tuple[int, int]
"""Partition and offset."""


@dataclass(slots=True)
class RecordedPrices:
    """The part of `market.tickers` that matters to the recorded orders.

    Attributes:
        wanted: Places of the tickers that orders were priced with.
        ends: Places where snapshots end.
        quotes: The quotes at the `wanted` places.
        clocks: The market's newest venue time at the places in `ends`.
        listings: The listings.
        first: Partition -> the oldest offset that is left.
    """

    wanted: set[Place] = field(default_factory=set)
    ends: set[Place] = field(default_factory=set)
    quotes: dict[Place, Quote] = field(default_factory=dict)
    clocks: dict[Place, datetime] = field(default_factory=dict)
    listings: ListingHistory = field(default_factory=ListingHistory)
    first: Mapping[int, int] = field(default_factory=dict)

    def read(self, records: Iterator[Record]) -> None:
        """Read the topic once."""
        clock: datetime | None = None
        end: Place = (0, 0)
        for record in records:
            place = (record.partition, record.offset)
            if place in self.ends and clock is not None:
                self.clocks[place] = clock
            message = record.message_or_none()
            if isinstance(message, Ticker):
                clock = max(message.event_time, clock or message.event_time)
                if place in self.wanted:
                    self.quotes[place] = quote_of(message, *place)
            elif isinstance(message, Product):
                self.listings.take(message, place)
            end = (record.partition, record.offset + 1)
        if clock is not None:
            self.clocks[end] = clock

    def are_kept(self, event: Event, call: ToolCall | None) -> bool:
        """True if retention has deleted neither the ticker nor the listing of an order.

        Args:
            event: The order's event.
            call: The order's command; None for a step that no command asked for.
        """
        if not any(self.first.values()):
            return True
        used = event["used"]
        if used is not None and used["offset"] < self.first.get(used["partition"], 0):
            return False
        return self.listings.are_kept(event, _end_of_prices(event, call), self.first)

    def market(self, event: Event, call: ToolCall | None, *, lock_step: bool) -> MarketState:
        """The state of the market by which an order was decided.

        Args:
            event: The order's event.
            call: Its command; None for a step that no command asked for.
            lock_step: True if the age of prices was measured by the market's clock.
        """
        used = event["used"]
        market = MarketState(listings=self.listings.at(event, _end_of_prices(event, call)))
        for product_id, bid in ((event.get("risk") or {}).get("bids") or {}).items():
            market.quotes[product_id] = _valued_at(product_id, bid)
        if used is not None:
            quote = self.quotes.get((used["partition"], used["offset"]))
            if quote is not None:
                market.quotes[event["product_id"]] = quote
                if lock_step:
                    market.newest_at = self._clock(call, quote, used["age_ms"])
        if "venue_at" in event:
            market.newest_at = datetime.fromisoformat(event["venue_at"])
        return market

    def _clock(self, call: ToolCall | None, quote: Quote, age_ms: int) -> datetime:
        """The market's clock at the end of the snapshot, or later if the recorded age says so."""
        ends = {} if call is None else call.ticker_offsets
        found = [self.clocks[end] for end in ends.items() if end in self.clocks]
        clock = max(found, default=quote.event_time)
        if quote.age_ms(clock) < age_ms:
            return quote.alive_at + timedelta(milliseconds=age_ms)
        return clock


def _end_of_prices(event: Event, call: ToolCall | None) -> int:
    """The offset after the newest ticker that an order can have been decided with."""
    used = event["used"]
    ends = () if call is None else call.ticker_offsets.values()
    newest: int = max([*ends, used["offset"] + 1 if used else 0])
    return newest


def _valued_at(product_id: str, bid: str) -> Quote:
    """A quote with the bid at which a position counted; no order is filled at it."""
    price = to_price_units(Decimal(bid))
    return Quote(product_id, 0, -1, price, price, bid, bid, UNIX_EPOCH, 0, UNIX_EPOCH)
