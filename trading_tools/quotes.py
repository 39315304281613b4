"""The newest quote and listing of every product.

Folds `Ticker` and `Product` messages of `market.tickers`, one of each per product.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

from arena.errors import Malformed
from arena.messages import Message, Product, Ticker
from arena.money import (
    PriceUnits,
    carried_base_step,
    decimal_text,
    round_to_units,
    to_price_units,
    to_units,
    why_not_carried,
)
from arena.trading_modes import takes_market_orders

SIZE_MAX = Decimal(10**10)
"""A larger size at a best price is taken for this one."""


class Quote(NamedTuple):
    """The best prices of a product and their place in `market.tickers`.

    A tuple, because one is created for every ticker of a product with open orders.

    Attributes:
        bid, ask: Prices in units of 10^-18.
        bid_text, ask_text: The same as text, as in the ticker.
        event_time: Venue time.
        event_ms: The same in Unix milliseconds.
        alive_at: Wall time when the feed of this product was last known to be alive.
        bid_size, ask_size: What is offered there, in base units of 10^-8; None if unknown.
    """

    product_id: str
    partition: int
    offset: int
    bid: PriceUnits
    ask: PriceUnits
    bid_text: str
    ask_text: str
    event_time: datetime
    event_ms: int
    alive_at: datetime
    bid_size: int | None = None
    ask_size: int | None = None

    @property
    def usable(self) -> bool:
        """False for a bad print: no price, or a bid above the ask."""
        return 0 < self.bid <= self.ask

    def age_ms(self, now: datetime) -> int:
        """Milliseconds since the feed was last known to be alive, never negative.

        Args:
            now: Wall time; in lock-step the market's time, in which the feed's times are, too.
        """
        return max(0, int((now - self.alive_at).total_seconds() * 1000))


@dataclass(frozen=True, slots=True)
class Listing:
    """The trading rules of a product: amounts in units of 10^-8, the price step in 10^-18.

    Attributes:
        base_increment: Smallest step of a quantity.
        quote_increment: Smallest step of a price.
        min_funds: Smallest notional, in the quote currency.
        status: The venue's word for the product's status.
        modes: The venue's flags that are on and forbid market orders.
        place: Partition and offset in `market.tickers`; None if an event does not name it.
    """

    product_id: str
    base_currency: str
    quote_currency: str
    base_increment: int
    quote_increment: PriceUnits
    min_funds: int
    status: str
    modes: tuple[str, ...] = ()
    place: tuple[int, int] | None = None

    @property
    def open(self) -> bool:
        """True if the venue takes market orders now."""
        return takes_market_orders(self.status, self.modes)

    def tradable(self, currencies: Collection[str]) -> bool:
        """True if the venue takes market orders, and accounts in these currencies can settle it."""
        return self.open and self.quote_currency in currencies


@dataclass(slots=True)
class MarketState:
    """The newest quote and listing per product.

    Attributes:
        quotes: Product -> its newest quote.
        listings: Product -> its newest listing.
        newest_at: The market's clock: the newest venue time of all tickers; None before the first.
    """

    quotes: dict[str, Quote] = field(default_factory=dict)
    listings: dict[str, Listing] = field(default_factory=dict)
    newest_at: datetime | None = None

    def note(self, message: Message, partition: int, offset: int) -> None:
        """Apply a message of `market.tickers`.

        Raises:
            Malformed: Its prices or increments cannot be expressed, or it is not a market message.
        """
        try:
            if isinstance(message, Ticker):
                self.quotes[message.product_id] = quote_of(message, partition, offset)
                self.newest_at = max(message.event_time, self.newest_at or message.event_time)
            elif isinstance(message, Product):
                # If the new steps cannot be expressed, the product must not trade by its old ones.
                self.listings.pop(message.product_id, None)
                self.listings[message.product_id] = listing_of(message, (partition, offset))
            else:
                raise Malformed(f"market.tickers holds a {message.type_name()}")
        except ValueError as error:
            raise Malformed(f"{message.type_name()}: {error}") from None

    def tradable(self, currencies: Collection[str]) -> list[str]:
        """Names of the products that accounts in these currencies can trade, sorted."""
        return sorted(p for p, listed in self.listings.items() if listed.tradable(currencies))

    def foreign(self, currencies: Collection[str]) -> list[str]:
        """Names of the products that are quoted in none of these currencies, sorted."""
        found = self.listings.items()
        return sorted(p for p, listed in found if listed.quote_currency not in currencies)

    def bids(self) -> dict[str, PriceUnits]:
        """The newest bid of every product that has a usable quote."""
        return {p: quote.bid for p, quote in self.quotes.items() if quote.usable}


def quote_of(ticker: Ticker, partition: int, offset: int) -> Quote:
    """The quote in a ticker.

    Raises:
        ValueError: A price has too many decimals.
    """
    return quote_from(
        ticker.product_id,
        (partition, offset),
        prices=(ticker.best_bid, ticker.best_ask),
        sizes=(ticker.best_bid_size, ticker.best_ask_size),
        event_time=ticker.event_time,
        alive_at=max(ticker.received_at, ticker.confirmed_at or ticker.received_at),
    )


def quote_from(
    product_id: str,
    place: tuple[int, int],
    *,
    prices: tuple[Decimal, Decimal],
    sizes: tuple[Decimal | None, Decimal | None],
    event_time: datetime,
    alive_at: datetime,
) -> Quote:
    """The quote with these values.

    Args:
        product_id: The product.
        place: Partition and offset of the ticker.
        prices: Bid and ask.
        sizes: What is offered there, in base units; None if unknown.
        event_time: Venue time.
        alive_at: Wall time when the feed of this product was last known to be alive.

    Raises:
        ValueError: A price has too many decimals.
    """
    bid, ask = prices
    return Quote(
        product_id,
        *place,
        to_price_units(bid),
        to_price_units(ask),
        decimal_text(bid),
        decimal_text(ask),
        event_time,
        int(event_time.timestamp() * 1000),
        alive_at,
        _size(sizes[0]),
        _size(sizes[1]),
    )


def _size(size: Decimal | None) -> int | None:
    """The size at a best price; None if the ticker has none that makes sense."""
    if size is None or size <= 0:
        return None
    return round_to_units(min(size, SIZE_MAX), ROUND_FLOOR)


def listing_of(product: Product, place: tuple[int, int] | None = None) -> Listing:
    """The listing of a product.

    Args:
        product: The published product.
        place: Partition and offset of its record, which the events of orders name.

    Raises:
        ValueError: A step of quantity or price cannot be expressed (`arena.money`).
    """
    base = carried_base_step(product.base_increment)
    why = why_not_carried(product.base_increment, product.quote_increment)
    if base is None or why:
        raise ValueError(f"{product.product_id}: {why}")
    return Listing(
        product_id=product.product_id,
        base_currency=product.base_currency,
        quote_currency=product.quote_currency,
        base_increment=to_units(base),
        quote_increment=to_price_units(product.quote_increment),
        min_funds=round_to_units(product.min_market_funds, ROUND_CEILING),
        status=product.status,
        modes=product.modes,
        place=place,
    )
