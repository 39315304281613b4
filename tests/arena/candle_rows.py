"""Minute candles for tests of indicators: random ones, and real ones from files."""

import csv
import gzip
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from arena.indicators import Bar
from arena.messages import Candle

START = datetime(2026, 1, 1, tzinfo=UTC)
SHIPPED = Path(__file__).parents[1] / "fixtures" / "candles" / "BTC-USD_2018-04-05_1m.csv.gz"
SHAPES = ("walk", "ticks", "flat", "spells", "no_range")


def random_bars(seed: int, count: int, *, scale: float = 1.0, shape: str = "walk") -> list[Bar]:
    """Random bars of consecutive minutes.

    Args:
        seed: Seed of the generator.
        count: Number of bars.
        scale: About the first close.
        shape: "walk" of log normal steps, "ticks" on a grid, "flat", "spells" of both a walk and
            constant prices, or "no_range", bars whose four prices are equal.
    """
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, 1e-3, count)
    if shape == "flat":
        steps[:] = 0
    if shape == "spells":
        steps *= np.arange(count) // 40 % 2
    close = scale * np.exp(np.cumsum(steps))
    if shape == "ticks":
        close = scale * (1 + np.clip(rng.integers(-2, 3, count).cumsum(), -90, None) / 100)
    first = close if shape == "no_range" else np.concatenate([close[:1], close[:-1]])
    wick = 1e-4 * rng.integers(0, 3, (2, count)) * (shape not in {"flat", "no_range"})
    high = np.maximum(first, close) * (1 + wick[0])
    low = np.minimum(first, close) * (1 - wick[1])
    volume = rng.integers(0, 5, count) * 0.25
    columns = zip(first, high, low, close, volume, strict=True)
    start_s = int(START.timestamp())
    return [Bar(start_s + 60 * n, *map(float, row)) for n, row in enumerate(columns)]


def candle(minute: int, close: float | str = "100", volume: float | str = "1") -> Candle:
    """A candle that starts so many minutes after `START`; its open and low are near its close."""
    price = Decimal(str(close))
    return Candle(
        start=START + timedelta(minutes=minute),
        open=price,
        high=price * Decimal("1.001"),
        low=price * Decimal("0.999"),
        close=price,
        volume=Decimal(str(volume)),
    )


def candles(minutes: Iterable[int], *, seed: int = 1) -> list[Candle]:
    """Candles of these minutes; equal for equal minutes and seeds."""
    return [candle(n, 100 + (n * 7919 * seed % 101) / 10, n * 31 % 17) for n in minutes]


def bar_of(one: Candle) -> Bar:
    """A candle as a bar of floats."""
    prices = (one.open, one.high, one.low, one.close, one.volume)
    return Bar(int(one.start.timestamp()), *map(float, prices))


def file_candles(path: Path) -> list[Candle]:
    """Candles of a file with the columns ts, open, high, low, close, volume; holes are left out."""
    text = gzip.decompress(path.read_bytes()).decode()
    return [
        Candle(
            start=datetime.fromtimestamp(int(row["ts"]), UTC),
            open=Decimal(row["open"]),
            high=Decimal(row["high"]),
            low=Decimal(row["low"]),
            close=Decimal(row["close"]),
            volume=Decimal(row["volume"]),
        )
        for row in csv.DictReader(io.StringIO(text))
        if row["open"]
    ]


def unbroken(bars: Sequence[Bar], step_s: int = 60) -> list[list[Bar]]:
    """The runs of bars without a missing one."""
    runs: list[list[Bar]] = []
    for bar in bars:
        if not runs or bar.start_s != runs[-1][-1].start_s + step_s:
            runs.append([])
        runs[-1].append(bar)
    return runs


series = st.builds(
    random_bars,
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 200),
    scale=st.sampled_from([1e-8, 1e-4, 1.0, 65_000.0, 1e8]),
    shape=st.sampled_from(SHAPES),
)
