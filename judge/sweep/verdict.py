"""Judges the candidates of a sweep together: deflated Sharpe ratios, what is separated. Pure.

The best of many looks good by luck. So the Sharpe ratio of each candidate is deflated by the number
of distinct candidates, and "A beats B" is decided over all pairs at once, as in a contest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from judge.statistics import AgentStatistics, SeasonVerdict, judge_returns
from judge.statistics.sharpe import distinct_trials
from judge.sweep.candidates import Candidate, matrix_of
from judge.sweep.walk_forward import WalkForward, Windows, walk_forward

RESAMPLES = 2_000
OUT_OF_SAMPLE = "chosen each time"


@dataclass(frozen=True, slots=True)
class SweepOptions:
    """Options of the statistics.

    Attributes:
        confidence: Confidence of the intervals.
        seed: Seed of the resampling.
        windows: The windows of a walk-forward; None without one.
    """

    confidence: float = 0.90
    seed: int = 1
    windows: Windows | None = None


@dataclass(frozen=True, slots=True)
class SweepResult:
    """The judged candidates.

    Attributes:
        names: Name of each candidate: entrant and point.
        candidates: The candidates, in the same order.
        verdict: Their statistics, in the same order.
        trials: Number of distinct candidates that compete.
        interval_s: Length of a period.
        walk: The walk-forward; None without one.
        walked: The statistics of its returns out of sample.
    """

    names: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    verdict: SeasonVerdict
    trials: int
    interval_s: float
    walk: WalkForward | None = None
    walked: AgentStatistics | None = None

    @property
    def order(self) -> list[int]:
        """Columns by total return, the best first."""
        totals = [one.log_returns.sum() for one in self.candidates]
        return sorted(range(len(totals)), key=lambda n: (-totals[n], self.names[n]))


def judge_sweep(
    candidates: Sequence[Candidate],
    labels: Sequence[str],
    interval_s: float,
    options: SweepOptions,
) -> SweepResult:
    """Judge candidates that played on the same snapshots.

    A baseline that is the same at every point counts once.

    Args:
        candidates: Candidates of all points, in the order of the points.
        labels: Number of a point -> its settings, such as "max_symbol_exposure_pct=5".
        interval_s: Length of a period in seconds.
        options: The options.

    Raises:
        UsageError: The seasons cannot be compared, or are too short for the windows.
    """
    kept = _distinct_baselines(candidates)
    names = _names(kept, labels)
    returns = matrix_of(kept)
    baselines = np.array([one.is_baseline for one in kept])
    judge = partial(
        judge_returns,
        periods_per_year=1,
        confidence=options.confidence,
        seed=options.seed,
        resamples=RESAMPLES,
    )
    verdict = judge(returns, names, baselines=[names[n] for n in np.flatnonzero(baselines)])
    walk = walked = None
    if options.windows is not None:
        competing = [n for n, one in enumerate(kept) if not one.is_baseline]
        walk = walk_forward(returns, options.windows, competing)
        rows = walk.out_of_sample[:, None]
        walked = judge(rows, [OUT_OF_SAMPLE]).standings[0]
    trials = distinct_trials(returns, baselines)
    return SweepResult(names, tuple(kept), verdict, trials, interval_s, walk, walked)


def _names(candidates: Sequence[Candidate], labels: Sequence[str]) -> tuple[str, ...]:
    """Entrant and point; the entrant alone for a baseline that is the same at every point."""
    alone = {
        one.name
        for one in candidates
        if one.is_baseline and sum(other.name == one.name for other in candidates) == 1
    }
    return tuple(
        one.name if one.name in alone else f"{one.name} {labels[one.point]}".strip()
        for one in candidates
    )


def _distinct_baselines(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Every competing candidate, and each baseline once per distinct series."""
    kept: list[Candidate] = []
    for one in candidates:
        twins = (k for k in kept if k.is_baseline and k.name == one.name)
        if not one.is_baseline or not any(
            np.array_equal(k.log_returns, one.log_returns) for k in twins
        ):
            kept.append(one)
    return kept
