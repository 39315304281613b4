"""The resampled seasons are arch's own."""

import numpy as np
import pytest
from arch.bootstrap import CircularBlockBootstrap, StationaryBootstrap, optimal_block_length
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.statistics.resample import (
    BLOCKS_MIN,
    PART_PERIODS_MAX,
    choose_block_length,
    draw_circular,
    draw_stationary,
)
from judge.statistics.types import FloatArray


def series_of(periods: int, columns: int, seed: int = 0) -> FloatArray:
    """Some returns."""
    return np.random.default_rng(seed).standard_normal((periods, columns))


def test_the_stationary_means_are_those_of_arch() -> None:
    """The same generator gives the bootstrap distribution that arch itself computes."""
    series = series_of(90, 3)
    source = StationaryBootstrap(4, series, seed=np.random.default_rng(7))
    expected = source.apply(lambda x: x.mean(axis=0), 50)

    (part,) = draw_stationary(90, 4.0, 50, np.random.default_rng(7))

    np.testing.assert_allclose(expected, series[part].mean(axis=1), atol=1e-12)


def test_the_circular_means_are_those_of_arch() -> None:
    """The same holds of the circular block bootstrap."""
    series = series_of(91, 2)
    source = CircularBlockBootstrap(5, series, seed=np.random.default_rng(7))
    expected = source.apply(lambda x: x.mean(axis=0), 50)

    (part,) = draw_circular(91, 5.2, 50, np.random.default_rng(7))

    np.testing.assert_allclose(expected, series[part].mean(axis=1), atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(60, 300), st.floats(1.0, 12.0), st.integers(0, 2**32 - 1))
def test_a_season_is_made_of_runs_of_periods(periods: int, block_length: float, seed: int) -> None:
    """Each season has as many periods as the observed one, most of them behind their neighbour."""
    (part,) = draw_stationary(periods, block_length, 20, np.random.default_rng(seed))
    follows = part[:, 1:] == (part[:, :-1] + 1) % periods

    assert (20, periods) == part.shape
    assert part.min() >= 0
    assert part.max() < periods
    assert follows.mean() == pytest.approx(1.0 - 1.0 / block_length, abs=0.12)


def test_blocks_have_the_mean_length_asked_for() -> None:
    """Over many seasons the mean block is as long as was asked, within 3 %."""
    part = np.vstack(list(draw_stationary(1000, 6.0, 150, np.random.default_rng(1))))

    begins = part[:, 1:] != (part[:, :-1] + 1) % 1000
    assert abs(1.0 / begins.mean() / 6.0 - 1.0) < 0.03


def test_a_long_season_comes_in_bounded_parts() -> None:
    """No part holds more periods than the bound, and together they are all the resamples."""
    parts = list(draw_stationary(2000, 1.0, 250, np.random.default_rng(1)))

    assert 250 == sum(part.shape[0] for part in parts)
    assert max(part.size for part in parts) <= PART_PERIODS_MAX


def test_the_block_length_is_the_median_of_archs() -> None:
    """Politis and White's length comes from arch, column by column, and the median is taken."""
    series = np.cumsum(series_of(400, 3), axis=0)[4:] - np.cumsum(series_of(400, 3), axis=0)[:-4]
    expected = float(np.median(optimal_block_length(series)["stationary"]))

    assert 1.0 < expected < 396 / BLOCKS_MIN
    assert expected == choose_block_length(series)


def test_the_block_length_leaves_enough_blocks() -> None:
    """A random walk would ask for very long blocks; it gets a twelfth of the season."""
    walk = np.cumsum(series_of(240, 1), axis=0)

    assert 240 / BLOCKS_MIN == choose_block_length(walk)
