"""The indicators of a product: bars of longer granularities, gaps, corrections, copies."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.indicators import CORRECTED_MINUTES, FeatureSet, ProductIndicators, parse_feature_set
from arena.indicators.bar_fold import rounded
from arena.messages import Candle, IndicatorWindow
from tests.arena.candle_rows import START, candle, candles

STANDARD = parse_feature_set("standard")
SMALL = parse_feature_set("ema_2,return_1,high_2,volume_ratio_1,sma_2@1h")


def folded(records: Sequence[Candle], features: FeatureSet = SMALL) -> dict[str, IndicatorWindow]:
    """The windows after these records."""
    indicators = ProductIndicators(features)
    for record in records:
        indicators.take(record)
    return indicators.windows()


def test_windows_have_the_values_of_the_set_in_its_order() -> None:
    """Each granularity of the set has a window, the shortest first, with all names at once."""
    windows = folded([], STANDARD)

    assert ["1m", "5m", "15m"] == list(windows)
    assert [None] * len(windows["1m"].values) == list(windows["1m"].values.values())
    assert ["sma_20", "ema_20", "rsi_14"] == list(windows["1m"].values)[:3]
    assert {"macd_histogram_12_26_9", "bollinger_upper_20_2", "minus_di_14"} < set(
        windows["1m"].values
    )
    assert (None, 0, None) == (windows["1m"].since, windows["1m"].bars, windows["1m"].gap)


def test_longer_bars_are_made_of_their_minutes() -> None:
    """A five-minute bar has the last close, the highest high and all volume of its minutes."""
    minutes = [candle(n, 100 + n, n + 1) for n in range(10)]
    window = folded(minutes)["5m"]

    assert (START, 2) == (window.since, window.bars)
    assert 109 / 104 - 1 == pytest.approx(window.values["return_1"])
    assert 109 * 1.001 == pytest.approx(window.values["high_2"])
    assert 40 / 15 == pytest.approx(window.values["volume_ratio_1"])


def test_bar_closes_with_its_last_minute_or_a_later_one() -> None:
    """A bar counts after its last minute, or after a later minute if that is missing."""
    minutes = candles(range(4))

    assert 0 == folded(minutes)["5m"].bars
    assert 1 == folded([*minutes, candle(4)])["5m"].bars
    assert 1 == folded([*minutes, candle(5)])["5m"].bars
    assert folded([*minutes, candle(5)])["5m"].gap is None


def test_gap_starts_the_indicators_of_its_granularity_again() -> None:
    """A missing minute restarts 1m; a missing bucket the longer bars, with its next minute."""
    windows = folded(candles([*range(30), *range(31, 45), *range(60, 66)]))

    assert START + timedelta(minutes=60) == windows["1m"].since
    assert START + timedelta(minutes=59) == windows["1m"].gap
    assert 6 == windows["1m"].bars
    assert START + timedelta(minutes=55) == windows["5m"].gap
    assert 1 == windows["5m"].bars
    assert windows["5m"].values["return_1"] is None
    assert START + timedelta(minutes=45) == windows["15m"].gap
    assert (None, 0) == (windows["15m"].since, windows["15m"].bars)
    assert {None} == set(windows["15m"].values.values())
    assert windows["1h"].gap is None


def test_values_after_a_gap_are_those_of_the_run_alone() -> None:
    """Nothing from before a gap has a part in a value."""
    run = range(120, 200)
    window = folded(candles([*range(100), *run]), STANDARD)["1m"]

    assert folded(candles(run), STANDARD)["1m"].values == window.values


@given(
    missing=st.sets(st.integers(1, 99)),
    moves=st.lists(st.integers(0, CORRECTED_MINUTES), min_size=100, max_size=100),
    wrong=st.sets(st.integers(0, 99)),
    repeated=st.sets(st.integers(0, 99)),
)
def test_corrections_give_what_one_pass_over_the_final_candles_gives(
    missing: set[int], moves: list[int], wrong: set[int], repeated: set[int]
) -> None:
    """Late, wrong and repeated minutes within eight minutes leave the values of the final ones."""
    minutes = [n for n in range(100) if n not in missing]
    final = dict(zip(minutes, candles(minutes), strict=True))
    first = dict(zip(minutes, candles(minutes, seed=2), strict=True))
    records: list[Candle] = []
    # Sorted by its time of arrival, a record is at most eight minutes later than a newer one.
    for n in sorted(minutes, key=lambda minute: (minute + moves[minute] + 0.5, minute)):
        records += [final[n], final[n]] if n in repeated else [final[n]]
    for n in wrong & set(minutes):
        at = records.index(final[n])
        records.insert(at, first[n])

    assert folded([final[n] for n in minutes], STANDARD) == folded(records, STANDARD)


def test_minute_that_is_too_old_is_ignored() -> None:
    """A record nine minutes older than the newest changes nothing, whatever it says."""
    indicators = ProductIndicators(SMALL)
    for one in candles(range(20)):
        indicators.take(one)
    before = indicators.windows()

    assert not indicators.take(candle(19 - CORRECTED_MINUTES - 1, 5))
    assert before == indicators.windows()
    assert indicators.take(candle(19 - CORRECTED_MINUTES, 5))
    assert before != indicators.windows()


def test_repeated_record_changes_nothing() -> None:
    """A repetition is not used, and the windows stay the same objects."""
    indicators = ProductIndicators(SMALL)
    for one in candles(range(20)):
        indicators.take(one)
    before = indicators.windows()

    assert not indicators.take(candles(range(20))[15])
    assert all(before[name] is window for name, window in indicators.windows().items())


def test_values_have_twelve_significant_digits() -> None:
    """A value is written with at most twelve digits, so that small errors do not change bytes."""
    windows = folded(candles(range(400)), STANDARD)
    values = [v for window in windows.values() for v in window.values.values() if v is not None]

    assert len(values) > 40
    assert values == [float(f"{value:.12g}") for value in values]


@given(st.lists(st.floats(-1e20, 1e20), min_size=1, max_size=20))
def test_values_are_rounded_alike_with_and_without_gaps(values: list[float]) -> None:
    """A value does not depend on whether others are warm; zero has no sign."""
    alone = rounded([None, *values])[1:]

    assert [repr(one) for one in alone] == [repr(one) for one in rounded(values)]
    assert alone == [float(f"{value:.12g}") for value in values]
    assert "-0.0" not in map(repr, alone)


def test_candle_in_the_middle_of_a_minute_is_refused() -> None:
    """The error names the start."""
    wrong = candle(0).model_copy(update={"start": START + timedelta(seconds=30)})

    with pytest.raises(ValueError, match=r"full minute, got 2026-01-01 00:00:30"):
        ProductIndicators(SMALL).take(wrong)


def test_long_pause_restarts_every_granularity() -> None:
    """After a day without candles each granularity starts with the first bar after it."""
    windows = folded(candles([*range(120), *range(1500, 1625)]))

    for (name, window), step in zip(windows.items(), (1, 5, 15, 60), strict=True):
        assert START + timedelta(minutes=1500) == window.since, name
        assert START + timedelta(minutes=1500 - step) == window.gap, name
        assert 125 // step == window.bars, name
    assert all(a.bars > b.bars for a, b in pairwise(windows.values()))
