"""Every indicator against TA-Lib, during and after warm-up, on random and on real bars."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st

from arena.indicators import CATALOGUE, Bar, IndicatorSpec, parse_spec
from tests.arena.candle_rows import (
    SHIPPED,
    bar_of,
    file_candles,
    random_bars,
    series,
    unbroken,
)
from tests.conftest import SHARED

Floats = npt.NDArray[np.float64]
REAL = SHARED / "candles" / "normalized" / "BTC-USD_2018-04-04_05_1m.csv.gz"
TOLERANCE = 1e-9
SPECS = [
    "sma_20",
    "sma_2",
    "ema_20",
    "ema_2",
    "rsi_14",
    "rsi_2",
    "macd_12_26_9",
    "macd_2_3_2",
    "atr_14",
    "atr_2",
    "bollinger_20_2",
    "bollinger_5_1.5",
    "adx_14",
    "adx_2",
    "adx_3",
    "high_20",
    "low_20",
    "volatility_20",
    "volatility_2",
    "volume_ratio_20",
    "volume_ratio_1",
    "return_4",
    "return_1",
]


def streamed(spec: IndicatorSpec, bars: Sequence[Bar]) -> Floats:
    """One row per value, one column per bar; NaN for None."""
    indicator = spec.make()
    columns = []
    for bar in bars:
        indicator.update(bar)
        columns.append([np.nan if value is None else value for value in indicator.values])
    return np.array(columns).T


def expected(spec: IndicatorSpec, bars: Sequence[Bar]) -> Floats:
    """The same of TA-Lib; of NumPy where TA-Lib does not have it."""
    _, _, high, low, close, volume = (np.array(column) for column in zip(*bars, strict=True))
    numbers = spec.parameters
    n = int(numbers[0])
    # Any: TA-Lib returns an array or a tuple of arrays.
    functions: dict[str, Callable[[], Any]] = {
        "sma": lambda: talib.SMA(close, n),
        "ema": lambda: talib.EMA(close, n),
        "rsi": lambda: talib.RSI(close, n),
        "macd": lambda: talib.MACD(close, *map(int, numbers)),
        "atr": lambda: talib.ATR(high, low, close, n),
        "bollinger": lambda: talib.BBANDS(close, n, float(numbers[1]), float(numbers[1])),
        "adx": lambda: [f(high, low, close, n) for f in (talib.ADX, talib.PLUS_DI, talib.MINUS_DI)],
        "high": lambda: talib.MAX(high, n),
        "low": lambda: talib.MIN(low, n),
        "return": lambda: talib.ROCP(close, n),
        "volatility": lambda: windowed(np.diff(np.log(close)), n, len(close)).std(axis=1, ddof=1),
        "volume_ratio": lambda: ratio(volume, n),
    }
    with np.errstate(all="ignore"):
        return np.atleast_2d(np.array(functions[spec.metric]()))


def windowed(values: Floats, length: int, count: int) -> Floats:
    """The newest `length` values at each of `count` bars; NaN where there are fewer."""
    padded = np.concatenate([np.full(count - len(values) + length - 1, np.nan), values])
    return np.lib.stride_tricks.sliding_window_view(padded, length)


def ratio(volume: Floats, length: int) -> Floats:
    """Volume / mean of the volumes before; NaN for a mean of zero."""
    mean = windowed(volume[:-1], length, len(volume)).mean(axis=1)
    return np.where(mean > 0, volume / mean, np.nan)


def assert_equal(spec: IndicatorSpec, bars: Sequence[Bar]) -> None:
    """The values are there for the same bars, and equal within the tolerance."""
    got, want = streamed(spec, bars), expected(spec, bars)
    np.testing.assert_array_equal(np.isnan(want), np.isnan(got), err_msg=spec.text)
    in_quote = spec.metric in {"sma", "ema", "macd", "atr", "bollinger", "high", "low"}
    near_zero = TOLERANCE * (bars[0].close if in_quote else 1.0)
    np.testing.assert_allclose(got, want, rtol=TOLERANCE, atol=near_zero, err_msg=spec.text)


@given(bars=series, text=st.sampled_from(SPECS))
def test_random_bars_give_the_values_of_talib(bars: list[Bar], text: str) -> None:
    """Each value equals TA-Lib's from the first bar on, whatever the prices look like."""
    assert_equal(parse_spec(text), bars)


@given(bars=series, name=st.sampled_from(sorted(CATALOGUE)), length=st.integers(2, 40))
def test_every_length_gives_the_values_of_talib(bars: list[Bar], name: str, length: int) -> None:
    """So does each length, and MACD with lengths that follow each other."""
    further = {"macd": f"_{length + 1}_{length}", "bollinger": "_2"}.get(name, "")

    assert_equal(parse_spec(f"{name}_{length}{further}"), bars)


@pytest.mark.parametrize("text", SPECS)
@pytest.mark.parametrize("path", [SHIPPED, REAL], ids=["shipped", "two_days"])
def test_real_bars_give_the_values_of_talib(path: Path, text: str) -> None:
    """Each unbroken run of real minutes gives TA-Lib's values."""
    if not path.exists():
        pytest.skip(f"no recorded candles at {path}")
    runs = unbroken([bar_of(one) for one in file_candles(path)])

    assert max(len(run) for run in runs) > 300
    for run in runs:
        assert_equal(parse_spec(text), run)


@pytest.mark.parametrize("text", SPECS)
def test_warm_values_are_there_with_the_stated_bar(text: str) -> None:
    """All values of an indicator are None before `bars` bars, or some are, and none is after."""
    spec = parse_spec(text)
    bars = random_bars(5, spec.bars)
    bars = [bar._replace(volume=bar.volume + 1) for bar in bars]
    values = streamed(spec, bars)

    assert len(spec.names) == len(values)
    assert not np.isnan(values[:, -1]).any()
    assert spec.bars == 1 or np.isnan(values[0, -2])


@pytest.mark.parametrize("text", ["sma_20", "bollinger_20_2", "volatility_20", "volume_ratio_20"])
def test_rolling_sums_do_not_drift(text: str) -> None:
    """After 20,000 bars, with a large one among them, a value is that of its own window."""
    spec = parse_spec(text)
    bars = random_bars(7, 20_000)
    bars[10_000] = bars[10_000]._replace(close=1e12, high=1e12, volume=1e15)
    indicator = spec.make()
    for bar in bars:
        indicator.update(bar)
    again = spec.make()
    for bar in bars[-spec.bars :]:
        again.update(bar)

    assert again.values == indicator.values


@pytest.mark.parametrize("text", ["ema_20", "rsi_14", "macd_12_26_9", "atr_14", "adx_14"])
def test_recursive_averages_do_not_drift(text: str) -> None:
    """After 20,000 bars they equal TA-Lib."""
    assert_equal(parse_spec(text), random_bars(8, 20_000))


def test_flat_prices_give_defined_values() -> None:
    """RSI and ADX of a price that never moves are 0, and the bands have no width."""
    bars = random_bars(1, 60, scale=0.3, shape="flat")
    values = {text: streamed(parse_spec(text), bars)[:, -1].tolist() for text in SPECS}

    assert [0.0] == values["rsi_14"]
    assert [0.0, 0.0, 0.0] == values["adx_14"]
    assert [0.3, 0.3, 0.3] == values["bollinger_20_2"]
    assert [0.0] == values["volatility_20"] == values["return_4"]
