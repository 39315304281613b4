"""The resampled seasons are arch's own, cut into the blocks they were drawn as."""

import numpy as np
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

    np.testing.assert_allclose(expected, part.block_sums(series).sum(axis=1) / 90, atol=1e-12)


def test_the_circular_means_are_those_of_arch() -> None:
    """The same holds of the circular block bootstrap."""
    series = series_of(91, 2)
    source = CircularBlockBootstrap(5, series, seed=np.random.default_rng(7))
    expected = source.apply(lambda x: x.mean(axis=0), 50)

    (part,) = draw_circular(91, 5.2, 50, np.random.default_rng(7))

    np.testing.assert_allclose(expected, part.block_sums(series).sum(axis=1) / 91, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(60, 300), st.floats(1.0, 12.0), st.integers(0, 2**32 - 1))
def test_blocks_are_consecutive_and_cover_the_season(
    periods: int, block_length: float, seed: int
) -> None:
    """Every block is a run of consecutive periods, and the blocks fill each season exactly."""
    (part,) = draw_stationary(periods, block_length, 20, np.random.default_rng(seed))
    flat = part.indices.ravel()

    for start, end in zip(part.starts[:-1], part.starts[1:], strict=True):
        run = (flat[start] + np.arange(end - start)) % periods
        assert run.tolist() == flat[start:end].tolist()
    assert [float(periods)] * 20 == part.lengths.sum(axis=1).tolist()


def test_blocks_have_the_mean_length_asked_for() -> None:
    """Over many seasons the mean block is as long as was asked, within 3 %."""
    (part,) = draw_stationary(1000, 6.0, 150, np.random.default_rng(1))

    assert abs(np.diff(part.starts).mean() / 6.0 - 1.0) < 0.03


def test_a_long_season_comes_in_bounded_parts() -> None:
    """No part holds more periods than the bound, and together they are all the resamples."""
    parts = list(draw_stationary(2000, 1.0, 250, np.random.default_rng(1)))

    assert 250 == sum(part.indices.shape[0] for part in parts)
    assert max(part.indices.size for part in parts) <= PART_PERIODS_MAX


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
