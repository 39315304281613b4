"""A small market for benchmarks: fixed prices, and snapshots with prompts of about 9.4 KB."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from arena import ids
from arena.messages import Candle, CandleWindow, MarketSnapshot, Product, ProductView, Ticker
from arena.products import base_of

VENUE = "bench"
PRODUCTS = ("BTC-USD", "ETH-USD", "SOL-USD")
PRICES = (Decimal("67203.55"), Decimal("3512.18"), Decimal("141.20"))
WINDOWS = {"15m": (900, 10), "5m": (300, 14), "1m": (60, 20)}
"""Label -> (seconds, candles) of each window."""
INTERVAL_S = 60


def products() -> list[Product]:
    """Return the trading rules of the products."""
    return [
        Product(
            venue=VENUE,
            product_id=product_id,
            base_currency=base_of(product_id),
            quote_currency="USD",
            base_increment=Decimal("0.00000001"),
            quote_increment=Decimal("0.01"),
            min_market_funds=Decimal(1),
        )
        for product_id in PRODUCTS
    ]


def tickers(now: datetime, event_time: datetime) -> list[Ticker]:
    """Return the current tickers, confirmed now."""
    return [
        Ticker(
            venue=VENUE,
            product_id=product_id,
            price=price,
            best_bid=price,
            best_ask=price + Decimal("0.01"),
            volume_24h=Decimal("1836.96"),
            event_time=event_time,
            received_at=now,
            confirmed_at=now,
        )
        for product_id, price in zip(PRODUCTS, PRICES, strict=True)
    ]


def snapshot(number: int, now: datetime, ticker_offsets: dict[int, int]) -> MarketSnapshot:
    """Return snapshot `number`: the same prices, each a venue minute later."""
    as_of = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=INTERVAL_S * number)
    views = tuple(
        ProductView(
            product_id=ticker.product_id,
            ticker=ticker,
            age_ms=0,
            stale=False,
            windows=_windows(ticker.price, as_of),
        )
        for ticker in tickers(now, as_of)
    )
    return MarketSnapshot(
        snapshot_id=ids.snapshot_id(VENUE, as_of, list(PRODUCTS)),
        venue=VENUE,
        as_of=as_of,
        interval_s=INTERVAL_S,
        simulated=True,
        ticker_offsets=ticker_offsets,
        products=views,
        published_at=now,
    )


def _windows(price: Decimal, as_of: datetime) -> dict[str, CandleWindow]:
    return {
        label: CandleWindow(granularity_s=seconds, candles=_candles(price, as_of, seconds, count))
        for label, (seconds, count) in WINDOWS.items()
    }


def _candles(price: Decimal, as_of: datetime, seconds: int, count: int) -> tuple[Candle, ...]:
    return tuple(
        Candle(
            start=as_of - timedelta(seconds=seconds * (count - n)),
            open=price + n % 7,
            high=price + n % 7 + 2,
            low=price - 3,
            close=price + n % 5,
            volume=Decimal("12.5") + n,
        )
        for n in range(count)
    )
