"""The signs of resampled seasons, and the block length."""

import numpy as np
import pytest
from arch.bootstrap import optimal_block_length
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.statistics.resample import (
    BLOCKS_MIN,
    PART_PERIODS_MAX,
    choose_block_length,
    draw_signs,
)
from judge.statistics.types import FloatArray


def series_of(periods: int, columns: int, seed: int = 0) -> FloatArray:
    """Some returns."""
    return np.random.default_rng(seed).standard_normal((periods, columns))


@settings(max_examples=30, deadline=None)
@given(st.integers(60, 300), st.floats(1.0, 12.0), st.integers(0, 2**32 - 1))
def test_signs_are_constant_in_a_block(periods: int, block_length: float, seed: int) -> None:
    """Each season has a sign for every period, which changes at half of the blocks' ends."""
    part = np.vstack(list(draw_signs(periods, block_length, 40, np.random.default_rng(seed))))
    changes = (part[:, 1:] != part[:, :-1]).mean()

    assert (40, periods) == part.shape
    assert {-1.0, 1.0} == set(np.unique(part))
    assert changes == pytest.approx(0.5 / block_length, abs=0.06)


def test_signs_come_in_bounded_parts() -> None:
    """No part has more periods than the bound, and together they are all the resamples."""
    parts = list(draw_signs(2000, 1.0, 250, np.random.default_rng(1)))

    assert 250 == sum(part.shape[0] for part in parts)
    assert max(part.size for part in parts) <= PART_PERIODS_MAX


def test_the_block_length_is_the_median_of_archs() -> None:
    """Package arch computes Politis and White's length for each column; the median is used."""
    series = np.cumsum(series_of(400, 3), axis=0)[4:] - np.cumsum(series_of(400, 3), axis=0)[:-4]
    expected = float(np.median(optimal_block_length(series)["stationary"]))

    assert 1.0 < expected < 396 / BLOCKS_MIN
    assert expected == choose_block_length(series)


def test_the_block_length_leaves_enough_blocks() -> None:
    """A random walk would need very long blocks; its length is a twelfth of the season."""
    walk = np.cumsum(series_of(240, 1), axis=0)

    assert 240 / BLOCKS_MIN == choose_block_length(walk)
