"""Measures what indicators cost: per product and snapshot, and in the bytes of a snapshot.

Needs no broker: the ground computes them, and encodes and decodes the snapshots.
"""

import gc
import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from arena.indicators import STANDARD, ProductIndicators, parse_feature_set
from arena.messages import Candle, CandleWindow, MarketSnapshot, ProductView, Ticker
from arena.wire import decode, encode

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
DAY: Final = 1_440
PRODUCTS: Final = ("BTC-USD", "ETH-USD", "SOL-USD")
WINDOWS: Final = (("15m", 900, 10), ("5m", 300, 14), ("1m", 60, 22))
"""Name, seconds and candles of the windows of a usual snapshot."""
ROUNDS: Final = 5
"""Each figure is the lowest of so many rounds: other processes only add to it."""
REPEATS: Final = 50


def indicator_figures() -> dict[str, Any]:  # Any: figures of mixed types, for JSON
    """Measure the standard set over a day of minutes, with a snapshot each minute.

    Returns:
        `us` per product and snapshot, `minutes` of warm-up; bytes and decode time in us of a
        snapshot of three products without and with the indicators, and their ratios.
    """
    features = parse_feature_set(STANDARD)
    history = list(_candles(features.minutes + DAY, seed=7))
    best_s = min(
        _day(ProductIndicators(features), history, features.minutes) for _ in range(ROUNDS)
    )
    plain, full = _snapshot(history, with_indicators=False), _snapshot(history)
    bytes_, decode_us = ([_cost(one)[i] for one in (plain, full)] for i in (0, 1))
    return {
        "us": round(best_s / DAY * 1e6, 1),
        "minutes": features.minutes,
        "products": len(PRODUCTS),
        "bytes": bytes_,
        "bytes_ratio": round(bytes_[1] / bytes_[0], 3),
        "decode_us": [round(us, 1) for us in decode_us],
        "decode_ratio": round(decode_us[1] / decode_us[0], 3),
    }


def _day(indicators: ProductIndicators, history: list[Candle], warm: int) -> float:
    """CPU seconds of a day of minutes after the warm-up."""
    for candle in history[:warm]:
        indicators.take(candle)
    gc.collect()
    began_s = time.process_time()
    for candle in history[warm:]:
        indicators.take(candle)
        indicators.windows()
    return time.process_time() - began_s


def _cost(snapshot: MarketSnapshot) -> tuple[int, float]:
    """Bytes of a snapshot, and microseconds of CPU to decode it."""
    record = encode(snapshot)
    return len(record.value), _best_us(lambda: decode(record.value, record.headers))


def _best_us(work: Callable[[], object]) -> float:
    work()
    found = []
    for _ in range(ROUNDS):
        began_s = time.process_time()
        for _ in range(REPEATS):
            work()
        found.append((time.process_time() - began_s) / REPEATS * 1e6)
    return min(found)


def _candles(count: int, *, seed: int) -> Iterator[Candle]:
    """Minutes of a random walk with the digits of a real product."""
    rng = random.Random(seed)
    price = 65_000.0
    for minute in range(count):
        first, price = price, price * (1 + rng.gauss(0, 0.0005))
        prices = sorted((first, price))
        yield Candle(
            start=START + timedelta(minutes=minute),
            open=_decimal(first, 2),
            high=_decimal(prices[1] * (1 + rng.random() / 5_000), 2),
            low=_decimal(prices[0] * (1 - rng.random() / 5_000), 2),
            close=_decimal(price, 2),
            volume=_decimal(rng.random() * 20, 8),
        )


def _decimal(value: float, places: int) -> Decimal:
    return Decimal(f"{value:.{places}f}")


def _snapshot(history: list[Candle], *, with_indicators: bool = True) -> MarketSnapshot:
    """A usual snapshot of three products after a day."""
    indicators = ProductIndicators(parse_feature_set(STANDARD))
    for candle in history:
        indicators.take(candle)
    windows = {
        name: CandleWindow(granularity_s=seconds, candles=tuple(history[-count:]))
        for name, seconds, count in WINDOWS
    }
    as_of = history[-1].start + timedelta(minutes=1)
    views = [
        ProductView(
            product_id=product_id,
            ticker=Ticker(
                venue="coinbase",
                product_id=product_id,
                price=history[-1].close,
                best_bid=history[-1].low,
                best_ask=history[-1].high,
                event_time=as_of,
                received_at=as_of,
            ),
            age_ms=100,
            stale=False,
            windows=windows,
            indicators=indicators.windows() if with_indicators else {},
        )
        for product_id in PRODUCTS
    ]
    return MarketSnapshot(
        snapshot_id="bench",
        venue="coinbase",
        as_of=as_of,
        interval_s=60.0,
        products=tuple(views),
        published_at=as_of,
    )
