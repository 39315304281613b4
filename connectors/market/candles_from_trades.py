"""Minute candles from trades, for recordings that hold no candles. Pure."""

from datetime import UTC, datetime
from decimal import Decimal

from arena.messages import Candle
from connectors.market.candles import MINUTE_S, floor_s
from connectors.market.events import TickerSeen, TradeSeen


class TradeBars:
    """Folds the trades of one product; each trade id counts once."""

    def __init__(self) -> None:
        """Start without trades."""
        self._bar: Candle | None = None
        self._trade_id = -1

    def add(self, event: TradeSeen | TickerSeen) -> Candle | None:
        """Fold a trade, as a match or as the last trade of a ticker.

        Returns:
            The bar that contains it, or None if it was known or lacks a time, a size or a price.
        """
        size = event.size if isinstance(event, TradeSeen) else event.last_size
        old = event.trade_id is None or event.trade_id <= self._trade_id
        if old or event.time is None or size is None or event.price <= 0:
            return None
        self._trade_id = event.trade_id or 0
        start = datetime.fromtimestamp(floor_s(event.time, MINUTE_S), UTC)
        self._bar = self._fold(start, event.price, size)
        return self._bar

    def _fold(self, start: datetime, price: Decimal, size: Decimal) -> Candle:
        bar = self._bar
        if bar is None or bar.start != start:
            return Candle(start=start, open=price, high=price, low=price, close=price, volume=size)
        return Candle(
            start=start,
            open=bar.open,
            high=max(bar.high, price),
            low=min(bar.low, price),
            close=price,
            volume=bar.volume + size,
        )
