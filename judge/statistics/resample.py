"""Resampled seasons: the same blocks of time for every agent, so that pairing is kept.

Stationary bootstrap: Politis and Romano (1994, JASA 89, 1303-1313). Circular block bootstrap:
Politis and Romano (1992). Block length: Politis and White (2004) as corrected by Patton, Politis
and White (2009). All three come from `arch`; this module cuts the resamples into their blocks.
"""

from collections.abc import Iterator

import numpy as np
from arch.bootstrap import CircularBlockBootstrap, StationaryBootstrap, optimal_block_length

from judge.statistics.types import FloatArray, IntArray

BLOCKS_MIN = 12
"""A season must hold at least so many blocks, or the block length is cut down to that."""

PART_PERIODS_MAX = 50_000
"""Periods held at once, over all resamples of a part: bounds the memory of a long season."""


def choose_block_length(series: FloatArray) -> float:
    """Choose one mean block length for all columns: the median of their optimal ones.

    One draw of blocks serves all columns; the studentised statistics bring each column's own
    dependence in again, so the length need not be each column's best.

    Args:
        series: Shape [T, M], no constant column, M >= 1.

    Returns:
        Periods, between 1 and T / `BLOCKS_MIN`.
    """
    longest = series.shape[0] / BLOCKS_MIN
    # Where the estimated spectrum at frequency 0 vanishes, arch divides by it.
    with np.errstate(divide="ignore", invalid="ignore"):
        optimal = optimal_block_length(series)["stationary"].to_numpy()
    optimal = np.nan_to_num(optimal, nan=longest, posinf=longest)
    return float(np.clip(np.median(optimal), 1.0, longest))


def draw_stationary(
    periods: int, block_length: float, resamples: int, rng: np.random.Generator
) -> Iterator[IntArray]:
    """Draw seasons of blocks of random, geometrically distributed length.

    Args:
        periods: T.
        block_length: Mean length in periods, at least 1.
        resamples: B.
        rng: In the same state it gives the same seasons.

    Yields:
        The resamples in parts of bounded size, each of shape [b, T]: which observed period stands
        in each place.
    """
    # arch is typed for whole lengths only; it uses no more of it than 1 / length.
    season = np.arange(periods)
    source = StationaryBootstrap(block_length, season, seed=rng)  # type: ignore[arg-type]
    return _draw(source, periods, resamples)


def draw_circular(
    periods: int, block_length: float, resamples: int, rng: np.random.Generator
) -> Iterator[IntArray]:
    """Draw seasons of blocks of one fixed length, rounded; the rest as `draw_stationary`."""
    return _draw(
        CircularBlockBootstrap(round(block_length), np.arange(periods), seed=rng),
        periods,
        resamples,
    )


def _draw(
    source: StationaryBootstrap | CircularBlockBootstrap, periods: int, resamples: int
) -> Iterator[IntArray]:
    step = max(1, PART_PERIODS_MAX // periods)
    for first in range(0, resamples, step):
        size = min(step, resamples - first)
        yield np.stack([source.update_indices() for _ in range(size)])
