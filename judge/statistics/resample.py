"""Resampled seasons: the same blocks of time for every agent, so that pairing is kept.

The deviations from the mean stay in place and change sign block by block (wild bootstrap). Block
length: Politis and White (2004) as corrected by Patton, Politis and White (2009), from `arch`.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from judge.statistics.student import is_constant
from judge.statistics.types import FloatArray

BLOCKS_MIN = 12
"""Least number of blocks in a season; the block length is limited accordingly."""

PART_PERIODS_MAX = 50_000
"""Most periods in memory at once, over all resamples of a part."""


def choose_block_length(series: FloatArray) -> float:
    """Return one mean block length for all columns: the median of their optimal ones.

    All columns use the same draw of blocks. The studentised statistics account for each column's
    own dependence, so the length need not be optimal for each column.

    Args:
        series: Shape [T, M], no constant column, M >= 1.

    Returns:
        Periods, between 1 and T / `BLOCKS_MIN`.
    """
    # Imported here: arch loads pandas and statsmodels (0.4 s of CPU), which a judgement before
    # the first look does not need.
    from arch.bootstrap import optimal_block_length

    longest = series.shape[0] / BLOCKS_MIN
    # If the estimated spectrum at frequency 0 vanishes, arch divides by it.
    with np.errstate(divide="ignore", invalid="ignore"):
        optimal = optimal_block_length(series)["stationary"].to_numpy()
    optimal = np.nan_to_num(optimal, nan=longest, posinf=longest)
    return float(np.clip(np.median(optimal), 1.0, longest))


def pairs_block_length(returns: FloatArray, combos: Sequence[tuple[int, int]]) -> float:
    """Return the block length for differences of pairs of columns, or the columns without pairs.

    Args:
        returns: Shape [T, M].
        combos: Pairs of columns.

    Returns:
        Periods; 1 if no difference varies.
    """
    a, b = np.array(combos, dtype=np.int64).reshape(-1, 2).T
    series = returns[:, a] - returns[:, b] if len(combos) else returns
    constant = is_constant(series, float(np.abs(returns).max()))
    return 1.0 if constant.all() else choose_block_length(series[:, ~constant])


def draw_signs(
    periods: int, block_length: float, resamples: int, rng: np.random.Generator
) -> Iterator[FloatArray]:
    """Draw signs for the deviations of a season, the same for every period of a block.

    The wild bootstrap (Liu 1988, Annals of Statistics 16, 1696-1708; for dependent data Shao 2010,
    JASA 105, 218-235): every deviation stays in place and changes its sign, so that a volatility
    cluster stays where it was.

    Args:
        periods: Number of periods, T.
        block_length: Mean length of the blocks in periods, geometrically distributed, at least 1.
        resamples: Number of resamples, B.
        rng: The same state gives the same signs.

    Yields:
        +1 and -1 in parts of bounded size, each of shape [b, T].
    """
    step = max(1, PART_PERIODS_MAX // periods)
    for first in range(0, resamples, step):
        shape = (min(step, resamples - first), periods)
        begins = rng.random(shape) * block_length < 1.0
        begins[:, 0] = True
        signs: FloatArray = rng.choice(np.array([-1.0, 1.0]), shape)
        yield np.take_along_axis(signs, np.cumsum(begins, axis=1) - 1, axis=1)
