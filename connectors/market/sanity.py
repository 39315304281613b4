"""Refuses tickers outside a band around the spread and the last accepted mid price. Pure.

Real feeds contain trades at a thousandth of the price (Coinbase's own candles have an ETH low of
0.10 USD). Tickers outside the band are refused until `CONFIRMATIONS` in a row agree with each
other: then the market has really moved.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from arena.money import PRICE_DIGITS, price_or_none
from connectors.market.events import TickerSeen

PRICE_BAND: Final = Decimal("0.10")
"""How far the last trade may be from the mid price, as a share; a wider spread widens it."""
MOVE_BAND: Final = Decimal("0.20")
"""How far the mid price may move from one accepted ticker to the next, as a share."""
CONFIRMATIONS: Final = 3


@dataclass(frozen=True, slots=True)
class Suspect:
    """A mid price outside the band.

    Attributes:
        mid: The mid price.
        seen: Number of tickers in a row that were near it.
    """

    mid: Decimal
    seen: int


def mid_price(ticker: TickerSeen) -> Decimal:
    """The middle of best bid and best ask."""
    return (ticker.best_bid + ticker.best_ask) / 2


def incoherent(ticker: TickerSeen) -> str | None:
    """Why a ticker is invalid in itself, or None."""
    if min(ticker.price, ticker.best_bid, ticker.best_ask) <= 0:
        return "a price that is not positive"
    if ticker.best_bid > ticker.best_ask:
        return "crossed"
    if price_or_none(ticker.best_bid) is None or price_or_none(ticker.best_ask) is None:
        return f"a price of more than {PRICE_DIGITS} decimals"
    mid = mid_price(ticker)
    band = max(PRICE_BAND * mid, ticker.best_ask - ticker.best_bid)
    return "last trade far from the spread" if abs(ticker.price - mid) > band else None


def _near(one: Decimal, other: Decimal) -> bool:
    return abs(one - other) <= MOVE_BAND * other


def assess(
    last_mid: Decimal | None, suspect: Suspect | None, ticker: TickerSeen
) -> tuple[str | None, Suspect | None]:
    """Accept or refuse a ticker.

    Args:
        last_mid: Mid price of the last accepted ticker, or None.
        suspect: The suspect that the last call returned.
        ticker: The new ticker.

    Returns:
        Why it is refused, or None; and the suspect for the next call.
    """
    if (wrong := incoherent(ticker)) is not None:
        return wrong, suspect
    mid = mid_price(ticker)
    if last_mid is None or _near(mid, last_mid):
        return None, None
    seen = suspect.seen + 1 if suspect is not None and _near(mid, suspect.mid) else 1
    if seen >= CONFIRMATIONS:
        return None, None
    return "far from the last price", Suspect(mid, seen)
