"""Resampled seasons: the same blocks of time for every agent, so that pairing is kept.

Stationary bootstrap: Politis and Romano (1994, JASA 89, 1303-1313). Circular block bootstrap:
Politis and Romano (1992). Block length: Politis and White (2004) as corrected by Patton, Politis
and White (2009). All three come from `arch`; this module cuts the resamples into their blocks.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from arch.bootstrap import CircularBlockBootstrap, StationaryBootstrap, optimal_block_length
from scipy.sparse import csr_array

from judge.statistics.types import FloatArray, IntArray

BLOCKS_MIN = 12
"""A season must hold at least so many blocks, or the block length is cut down to that."""

PART_PERIODS_MAX = 200_000
"""Periods held at once, over all resamples of a part: bounds the memory of a long season."""


@dataclass(frozen=True, slots=True)
class Resamples:
    """B resampled seasons of T periods, and where their blocks of consecutive time begin.

    Attributes:
        indices: Shape [B, T]: which observed period stands in each place.
        rows: Shape [R]: which resample each of the R blocks belongs to, ascending.
        slots: Shape [R]: the number of the block within its resample, from 0.
        starts: Shape [R + 1]: where each block begins in the flattened indices.
    """

    indices: IntArray
    rows: IntArray
    slots: IntArray
    starts: IntArray

    @property
    def lengths(self) -> FloatArray:
        """Block lengths in periods, zero-padded to shape [B, most blocks]."""
        return self._padded(np.diff(self.starts).astype(np.float64)[:, None])[:, :, 0]

    def block_sums(self, series: FloatArray) -> FloatArray:
        """Sum every column of a series over every block.

        Args:
            series: Shape [T, K].

        Returns:
            Shape [B, most blocks, K], zero beyond a resample's own blocks.
        """
        flat = self.indices.ravel()
        pick = csr_array(
            (np.ones(flat.size), flat, self.starts), shape=(self.rows.size, series.shape[0])
        )
        return self._padded(np.asarray(pick @ series))

    def _padded(self, values: FloatArray) -> FloatArray:
        shape = (self.indices.shape[0], int(self.slots.max()) + 1, values.shape[1])
        padded = np.zeros(shape)
        padded[self.rows, self.slots] = values
        return padded


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
) -> Iterator[Resamples]:
    """Draw seasons of blocks of random, geometrically distributed length.

    Args:
        periods: T.
        block_length: Mean length in periods, at least 1.
        resamples: B.
        rng: In the same state it gives the same seasons.

    Yields:
        The resamples in parts of bounded size.
    """
    # arch is typed for whole lengths only; it uses no more of it than 1 / length.
    season = np.arange(periods)
    source = StationaryBootstrap(block_length, season, seed=rng)  # type: ignore[arg-type]
    return _draw(source, periods, resamples)


def draw_circular(
    periods: int, block_length: float, resamples: int, rng: np.random.Generator
) -> Iterator[Resamples]:
    """Draw seasons of blocks of one fixed length, rounded; the rest as `draw_stationary`."""
    return _draw(
        CircularBlockBootstrap(round(block_length), np.arange(periods), seed=rng),
        periods,
        resamples,
    )


def _draw(
    source: StationaryBootstrap | CircularBlockBootstrap, periods: int, resamples: int
) -> Iterator[Resamples]:
    step = max(1, PART_PERIODS_MAX // periods)
    for first in range(0, resamples, step):
        size = min(step, resamples - first)
        yield _cut(np.stack([source.update_indices() for _ in range(size)]))


def _cut(indices: IntArray) -> Resamples:
    """A block begins where the next period is not the one after the last."""
    resamples, periods = indices.shape
    begins = np.ones((resamples, periods), dtype=bool)
    begins[:, 1:] = indices[:, 1:] != (indices[:, :-1] + 1) % periods
    rows = np.nonzero(begins)[0]
    slots = (np.cumsum(begins, axis=1) - 1)[begins]
    starts = np.append(np.flatnonzero(begins), indices.size)
    return Resamples(indices, rows, slots, starts)
