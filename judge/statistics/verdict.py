"""The verdict on a season: every statistic of every agent and every pair, from one matrix.

Pure: the same returns, names and seed give the same bytes. Reads and writes nothing.
"""

from collections.abc import Sequence

from judge.statistics.types import FloatArray, Verdict


def judge_returns(
    log_returns: FloatArray,
    names: Sequence[str],
    *,
    periods_per_year: float,
    confidence: float = 0.90,
    seed: int = 1,
    resamples: int = 2000,
) -> Verdict:
    """Judge a season.

    Args:
        log_returns: Shape [T, N], one row per period, one column per agent; finite.
        names: The N agents.
        periods_per_year: Annualises the Sharpe ratios; 365 x 24 for hourly snapshots, 24x7.
        confidence: Of every printed interval, between 0 and 1.
        seed: Of the resampling.
        resamples: Bootstrap replications.

    Returns:
        A verdict without a NaN in it; what cannot be known is None with a reason.

    Raises:
        ValueError: For a shape, name, value or option that cannot be judged.
    """
    raise NotImplementedError
