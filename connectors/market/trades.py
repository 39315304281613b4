"""Fetches trades that the feed did not send, from REST pages. Pure.

A heartbeat names the newest trade id of its product; if that stays ahead of the last ticker's, a
ticker was lost and with it the trades between. A venue's REST API gives them newest first, at most
`PAGE_ROWS_MAX` a page.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from typing import Final

from connectors.market.events import TickerSeen, TradeSeen

PAGE_ROWS_MAX: Final = 1_000
PAGES_MAX: Final = 3
"""Most pages of one backfill, for the REST budget; older trades are reported as missing."""


@dataclass(frozen=True, slots=True)
class TradeGap:
    """A range of trades of a product that the feed did not send.

    Attributes:
        product_id: Id of the product.
        ticker_trade_id: Trade id of the last ticker; the gap starts after it.
        heartbeat_trade_id: Newest trade id of the heartbeats; the gap ends with it.
    """

    product_id: str
    ticker_trade_id: int
    heartbeat_trade_id: int


@dataclass(frozen=True, slots=True)
class FilledGap:
    """The result of a backfill.

    Attributes:
        ticker_trade_id: Trade id after which the gap starts.
        last_trade_id: Newest trade id that is known now.
        trades: The trades that were found, oldest first.
    """

    ticker_trade_id: int
    last_trade_id: int
    trades: tuple[TradeSeen, ...]

    @property
    def missed(self) -> int:
        """Number of trades in the gap."""
        return self.last_trade_id - self.ticker_trade_id

    @property
    def volume(self) -> Decimal:
        """Base units traded in the trades that were found."""
        return sum((trade.size for trade in self.trades), Decimal(0))

    @property
    def unfilled(self) -> tuple[tuple[int, int], ...]:
        """First and last id of each run of trades that was not found."""
        found = (trade.trade_id for trade in self.trades)
        ids = [self.ticker_trade_id, *found, self.last_trade_id + 1]
        return tuple((a + 1, b - 1) for a, b in pairwise(ids) if b - a > 1)


class Backfill:
    """Fills a gap page by page, newest first.

    Args:
        gap: The missing trades.
        page_rows: Rows requested with each page.
        pages_max: Most pages that are requested.

    Attributes:
        after: Cursor of the next page; None for the newest one.
        done: True if no further page is to be requested.
    """

    def __init__(
        self, gap: TradeGap, *, page_rows: int = PAGE_ROWS_MAX, pages_max: int = PAGES_MAX
    ) -> None:
        """Create the backfill; `after` is the cursor of the first page."""
        self.after: int | None = None
        self.done = gap.heartbeat_trade_id <= gap.ticker_trade_id
        self._gap = gap
        self._page_rows = page_rows
        self._pages_left = pages_max
        self._trades: dict[int, TradeSeen] = {}

    def take(self, page: list[TradeSeen]) -> None:
        """Add the page of the last request, newest first."""
        self._pages_left -= 1
        start = self._gap.ticker_trade_id
        fresh = [trade for trade in page if trade.trade_id > start]
        before = len(self._trades)
        self._trades |= {trade.trade_id: trade for trade in fresh}
        oldest = page[-1].trade_id if page else 0
        reached = oldest <= start + 1
        unmoved = len(self._trades) == before
        self.after = oldest
        self.done = reached or unmoved or self._pages_left <= 0 or len(page) < self._page_rows

    def filled(self, ticker: TickerSeen) -> FilledGap:
        """The result; without trades the ticker gives the newest known id."""
        trades = tuple(self._trades[trade_id] for trade_id in sorted(self._trades))
        newest = trades[-1].trade_id if trades else ticker.trade_id or 0
        start = self._gap.ticker_trade_id
        return FilledGap(start, max(newest, start), trades)


def with_trades(ticker: TickerSeen, filled: FilledGap) -> TickerSeen:
    """The ticker with the newest backfilled trade as its last one, unless that is older.

    The quotes stay the ticker's, because trades carry none. Trades that are newer than the ticker's
    are added to its volume.
    """
    if not filled.trades or (ticker.trade_id or 0) > filled.last_trade_id:
        return ticker
    last = filled.trades[-1]
    volume = ticker.volume_24h
    if volume is not None and ticker.trade_id is not None:
        later = (t.size for t in filled.trades if t.trade_id > (ticker.trade_id or 0))
        volume = sum(later, volume)
    times = [time for time in (ticker.time, last.time) if time is not None]
    return replace(
        ticker,
        price=last.price,
        last_size=last.size,
        taker_side=last.taker_side,
        trade_id=last.trade_id,
        time=max(times, default=None),
        volume_24h=volume,
    )
