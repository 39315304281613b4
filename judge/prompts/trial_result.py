"""Whether a challenger's text is better than the champion's, from a trial. Pure.

Three arms start from the same cash and see the same snapshots: the champion's text, the
challenger's, and a copy of the champion's, whose distance from it is noise. Each arm is the mean of
its repeats. Returns and decision quality are compared in pairs by snapshot, with the intervals of
the contest's verdict (`judge.statistics`). Quality decides, and return is a guard: a trial is far
too short to tell two texts apart by profit.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from arena.messages.trials import TRIAL_ARMS, TrialVerdict
from arena.plural import counted
from judge.statistics.types import FloatArray, Interval
from judge.statistics.verdict import PERIODS_MIN, judge_returns

RETURN_BOUND_PCT: Final = 1.0
"""A challenger may have lost this much against the champion over the trial, not more."""
CONFIDENCE: Final = 0.90
SEED: Final = 1
RESAMPLES: Final = 2_000


@dataclass(frozen=True, slots=True)
class TrialArm:
    """One arm of a trial.

    Attributes:
        returns: Log return per period, mean over the repeats; shape [T].
        quality: Share of the applicable checks that the turns on each snapshot passed, in points
            from 0 to 100, mean over the repeats; NaN where no check applied. Shape [T].
        orders: Turns on these snapshots that sent an order, of all repeats.
    """

    returns: FloatArray
    quality: FloatArray
    orders: int = 0


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What a trial found.

    Attributes:
        verdict: "promote" the challenger, "keep" the champion, or "undecided".
        reasons: One sentence each.
        periods: Compared periods.
        return_pct: Challenger's return minus the champion's over the trial, in percent.
        quality: Challenger's mean quality minus the champion's, in points.
        noise_return_pct, noise_quality: The same of the copy.
        detectable_pct: Difference of returns that 4 of 5 such trials would have found.
    """

    verdict: TrialVerdict
    reasons: tuple[str, ...]
    periods: int
    return_pct: Interval | None = None
    quality: Interval | None = None
    noise_return_pct: Interval | None = None
    noise_quality: Interval | None = None
    detectable_pct: float | None = None


def judge_trial(
    champion: TrialArm,
    challenger: TrialArm,
    copy: TrialArm,
    *,
    bound_pct: float = RETURN_BOUND_PCT,
    confidence: float = CONFIDENCE,
    seed: int = SEED,
) -> TrialResult:
    """Judge a trial.

    Args:
        champion: The text in force.
        challenger: The proposed text.
        copy: The champion's text once more, with other seeds.
        bound_pct: Loss of return against the champion, in percent, that the whole interval must
            exclude.
        confidence: Of every interval.
        seed: Of the resampling; the same seed gives the same result.

    Raises:
        ValueError: The arms have different lengths, or a return is not finite.
    """
    arms = (champion, challenger, copy)
    returns = np.column_stack([arm.returns for arm in arms])
    quality = np.column_stack([arm.quality for arm in arms])
    if returns.shape != quality.shape:
        raise ValueError(f"returns have shape {returns.shape}, qualities {quality.shape}")
    periods = returns.shape[0]
    if periods < PERIODS_MIN:
        text = f"too early: {periods} periods, at least {PERIODS_MIN} are needed"
        return TrialResult("undecided", (text,), periods)
    gained, noise_return, detectable = _compared(returns, confidence, seed)
    whole = quality[~np.isnan(quality).any(axis=1)]
    better: Interval | None = None
    noise_quality: Interval | None = None
    if whole.shape[0] >= PERIODS_MIN:
        better, noise_quality, _ = _compared(whole, confidence, seed)
        better, noise_quality = (
            one and _scaled(one, 1 / whole.shape[0]) for one in (better, noise_quality)
        )
    in_pct, noise_in_pct = (one and _in_percent(one) for one in (gained, noise_return))
    lowest_pct = None if detectable is None else float(np.expm1(detectable) * 100)
    verdict, reasons = _decide(better, noise_quality, in_pct, bound_pct)
    if verdict == "promote" and champion.orders and not challenger.orders:
        what = f"it sent no order, and the champion did in {counted(champion.orders, 'turn')}"
        verdict, reasons = "undecided", (reasons[0], f"{what}: an idle agent fails no check")
    if verdict == "undecided" and lowest_pct is not None:
        reasons = (*reasons, f"no difference of return under {lowest_pct:.2f} % would be found")
    return TrialResult(
        verdict, reasons, periods, in_pct, better, noise_in_pct, noise_quality, lowest_pct
    )


def _decide(
    better: Interval | None, noise: Interval | None, gained: Interval | None, bound_pct: float
) -> tuple[TrialVerdict, tuple[str, ...]]:
    if better is None:
        text = "too few checks applied, or their results differ too rarely"
        return "undecided", (f"decision quality cannot be compared: {text}",)
    points = f"decision quality {_with_interval(better)} points"
    if better.high < 0:
        return "keep", (f"{points}: the champion decides better",)
    noise_high = 0.0 if noise is None else max(noise.high, -noise.low, 0.0)
    if better.low <= 0:
        return "undecided", (f"{points}: no clear difference",)
    if better.estimate <= noise_high:
        return "undecided", (
            f"{points}, within the noise of two runs of the same text ({noise_high:.1f})",
        )
    if gained is None or gained.low < -bound_pct:
        rare = "cannot be compared, as it differs too rarely"
        found = rare if gained is None else f"{_with_interval(gained)} %"
        return "undecided", (
            f"{points}: clearly better",
            f"return {found}: a loss of more than {bound_pct:g} % is not excluded",
        )
    return "promote", (
        f"{points}: clearly better",
        f"return {_with_interval(gained)} %: not worse than -{bound_pct:g} %",
    )


def _compared(
    series: FloatArray, confidence: float, seed: int
) -> tuple[Interval | None, Interval | None, float | None]:
    """Sums of challenger and copy minus champion, and the detectable difference of the first.

    A sum is None if the two series differ too rarely for an interval.
    """
    found = judge_returns(
        series,
        TRIAL_ARMS,
        periods_per_year=1.0,
        confidence=confidence,
        seed=seed,
        resamples=RESAMPLES,
        baselines=("copy",),
    )
    pairs = {(pair.a, pair.b): pair for pair in found.pairs}
    challenger, copy = pairs[0, 1], pairs[0, 2]
    return _reversed(challenger.difference), _reversed(copy.difference), challenger.detectable


def _reversed(interval: Interval | None) -> Interval | None:
    """The difference the other way round."""
    if interval is None:
        return None
    return Interval(-interval.estimate, -interval.high, -interval.low)


def _scaled(interval: Interval, factor: float) -> Interval:
    return Interval(interval.estimate * factor, interval.low * factor, interval.high * factor)


def _in_percent(interval: Interval) -> Interval:
    """Differences of log returns as percent."""
    found = np.expm1([interval.estimate, interval.low, interval.high]) * 100
    return Interval(*map(float, found))


def _with_interval(interval: Interval) -> str:
    return f"{interval.estimate:+z.1f} [{interval.low:+z.1f}, {interval.high:+z.1f}]"
