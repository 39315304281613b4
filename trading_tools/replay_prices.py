"""What the market showed to the orders of a replay: the tickers and listings of the records.

Retention deletes the oldest tickers, and with them the listings: an order whose ticker or listing
is deleted cannot be decided again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from arena.bus.base import Record
from arena.errors import Malformed
from arena.messages import Message, Product, Ticker, ToolCall
from trading_tools.quotes import MarketState, Quote, quote_of
from trading_tools.replay_listings import ListingHistory

Event = dict[str, Any]  # Any: a decoded event of the account log
Place = tuple[int, int]
"""Partition and offset."""


@dataclass(slots=True)
class RecordedPrices:
    """What `market.tickers` held that matters to the recorded orders.

    Attributes:
        wanted: Places of tickers that orders were priced with. ends: places where snapshots end.
        quotes: The first, decoded. clocks: the market's newest venue time at the second.
        listings: The trading rules that it held.
        first: Partition -> the oldest offset that is kept.
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
            message = message_or_none(record)
            if isinstance(message, Ticker):
                clock = max(message.event_time, clock or message.event_time)
                if place in self.wanted:
                    self.quotes[place] = quote_of(message, *place)
            elif isinstance(message, Product):
                self.listings.take(message, place)
            end = (record.partition, record.offset + 1)
        if clock is not None:
            self.clocks[end] = clock

    def are_kept(self, event: Event, call: ToolCall) -> bool:
        """True if retention deleted none of what decided an order: its ticker, and the listing.

        Args:
            event: The order's event.
            call: Its command.
        """
        if not any(self.first.values()):
            return True
        used = event["used"]
        if used is not None and used["offset"] < self.first.get(used["partition"], 0):
            return False
        return self.listings.are_kept(event, _end_of_prices(event, call), self.first)

    def market(self, event: Event, call: ToolCall, *, lock_step: bool) -> MarketState:
        """The market as the order of an event found it."""
        used = event["used"]
        market = MarketState(listings=self.listings.at(event, _end_of_prices(event, call)))
        if used is not None:
            quote = self.quotes.get((used["partition"], used["offset"]))
            if quote is not None:
                market.quotes[event["product_id"]] = quote
                if lock_step:
                    market.newest_at = self._clock(call, quote, used["age_ms"])
        return market

    def _clock(self, call: ToolCall, quote: Quote, age_ms: int) -> datetime:
        """The market's clock: where its snapshot ended, or later if the market had moved on."""
        found = [self.clocks[end] for end in call.ticker_offsets.items() if end in self.clocks]
        clock = max(found, default=quote.event_time)
        if quote.age_ms(clock) < age_ms:
            return quote.alive_at + timedelta(milliseconds=age_ms)
        return clock


def message_or_none(record: Record) -> Message | None:
    """The message in a record, or None if it cannot be read."""
    try:
        return record.message()
    except Malformed:
        return None


def _end_of_prices(event: Event, call: ToolCall) -> int:
    """The offset after the newest ticker that an order may have been decided with."""
    used = event["used"]
    return max([*call.ticker_offsets.values(), used["offset"] + 1 if used else 0])
