"""What each version of a coached agent's text did while it was in force. Pure.

A period belongs to the version of the agent's newest turn at its beginning. Figures of a version
are means and totals over its own turns and periods, with the judge's resampled intervals; its
return is also paired with that of the equal-weight market over the same periods. If a version was
in force several times, its parts are joined.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from judge.evaluations.checks import CHECKS, FAILED, PASSED, WEIGHTS
from judge.report.coaching_fold import PlayedTurn
from judge.report.unpaired import combined_interval
from judge.season import FloatArray, Season
from judge.simple_returns import TOO_WIDE, simple_interval, simple_return
from judge.statistics import Interval
from judge.statistics.agents import STRETCHES_MIN
from judge.statistics.columns import FamilyOptions, compare_columns
from judge.statistics.verdict import PERIODS_MIN

CONSTANT = "always the same"
RARE = f"too few changes, at least {STRETCHES_MIN} separate stretches are needed"
NOT_BOTH = "no interval, as one of the two versions has none"
BPS = 10_000
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure with its interval.

    Attributes:
        value: None if there is nothing to measure.
        low, high: Ends of the interval; None with a reason.
        count: Number of turns or periods.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    count: int = 0
    reason: str = ""

    @property
    def interval(self) -> Interval | None:
        """The figure as an interval; None without one."""
        if self.value is None or self.low is None or self.high is None:
            return None
        return Interval(self.value, self.low, self.high)


@dataclass(frozen=True, slots=True)
class VersionFigures:
    """What an agent did by one version of its text.

    Attributes:
        turns: Its turns, without those that were cut off.
        decisions: Turns in which the model decided something.
        orders: Orders of these turns: filled, placed, cancelled or rejected.
        periods: Periods in which it was in force.
        decided: Share of the turns with a decision, in percent.
        orders_per_turn: Orders per turn.
        quality: Quality by code of these turns, 0 to 100, as an evaluation scores it.
        gain: Simple return of the account.
        market: Simple return of the equal-weight market over the same periods.
        beyond: Return of the account beyond the market, paired period by period.
        quality_change: Quality less that of the version that it was made from.
        beyond_change: Log return beyond the market per period less that of that version, in basis
            points. The two are independent stretches of time.
    """

    turns: int = 0
    decisions: int = 0
    orders: int = 0
    periods: int = 0
    decided: Measure = Measure()
    orders_per_turn: Measure = Measure()
    quality: Measure = Measure()
    gain: Measure = Measure()
    market: float | None = None
    beyond: Measure = Measure()
    quality_change: Measure = Measure()
    beyond_change: Measure = Measure()


class _Parts(NamedTuple):
    """The turns and the periods of one version.

    Attributes:
        orders: Orders of each turn.
        periods: Indices of its periods.
    """

    turns: list[PlayedTurn]
    orders: list[int]
    periods: list[int]


def version_figures(
    season: Season,
    index: int,
    turns: Sequence[PlayedTurn],
    parents: Mapping[str, str],
    options: FamilyOptions,
) -> dict[str, VersionFigures]:
    """Return version -> what an entry did by it.

    Args:
        season: The season.
        index: Index of the entry.
        turns: Its turns.
        parents: Version -> the version that it was made from, of the versions to measure.
        options: Confidence, seed and resamples of the intervals.
    """
    parts = _split(season, index, turns)
    returns, market = season.log_returns()[:, index], season.hold_log_returns()
    measured: dict[str, tuple[VersionFigures, Measure]] = {}
    for version in parents:
        own = parts.get(version)
        if own is not None:
            series = np.column_stack((returns, market))[own.periods]
            measured[version] = _measured(own, series, options)
    found = {}
    for version, (figures, beyond) in measured.items():
        before = measured.get(parents[version])
        if before is None:
            found[version] = figures
            continue
        found[version] = _with_changes(figures, beyond, *before)
    return found


def _split(season: Season, index: int, turns: Sequence[PlayedTurn]) -> dict[str, _Parts]:
    played = {turn.turn_id: turn for turn in turns}
    parts: dict[str, _Parts] = {}
    starts: dict[int, str] = {}
    for decision in season.decisions[index]:
        turn = played.get(decision.turn_id)
        if turn is None or not turn.version:
            continue
        own = parts.setdefault(turn.version, _Parts([], [], []))
        own.turns.append(turn)
        own.orders.append(decision.orders)
        if 0 <= decision.index < season.periods:
            starts[decision.index] = turn.version
    now = ""
    for period in range(season.periods):
        now = starts.get(period, now)
        if now:
            parts[now].periods.append(period)
    return parts


def _measured(
    own: _Parts, series: FloatArray, options: FamilyOptions
) -> tuple[VersionFigures, Measure]:
    """Return a version's figures, and its mean log return beyond the market per period."""
    compared = compare_columns(series, [(0, 1)], options)
    (pair,) = compared.pairs
    total, market = (float(column.sum()) for column in series.T)
    count = len(own.periods)
    figures = VersionFigures(
        turns=len(own.turns),
        decisions=sum(turn.decided for turn in own.turns),
        orders=sum(own.orders),
        periods=count,
        decided=_mean([100.0 * turn.decided for turn in own.turns], options),
        orders_per_turn=_mean([float(one) for one in own.orders], options),
        quality=_mean(quality_values([turn.results for turn in own.turns]), options),
        gain=_return(total, compared.totals[0], count, compared.reason),
        market=simple_return(market) if count else None,
        beyond=_return(total - market, pair.difference, count, pair.reason),
    )
    return figures, _per_period(total - market, pair.difference, count, pair.reason)


def quality_values(results: Sequence[str]) -> list[float]:
    """Return a value per turn whose mean is the turns' quality by code; () if no check applied.

    Quality is the weighted mean over the checks of the share of turns that passed, so a turn counts
    by its influence on it (the delta method).

    Args:
        results: Results of the checks of each turn, a character for each of `CHECKS`.
    """
    found = np.array([list(one) for one in results]).reshape(len(results), len(CHECKS))
    passed, applied = found == PASSED, (found == PASSED) | (found == FAILED)
    weights = np.array([WEIGHTS[name] for name in CHECKS]) * applied.any(axis=0)
    if not weights.any():
        return []
    shares = passed.sum(axis=0) / np.maximum(applied.sum(axis=0), 1)
    influence = (passed - shares) * applied * (len(results) / np.maximum(applied.sum(axis=0), 1))
    values: list[float] = (100 * (shares + influence) @ weights / weights.sum()).tolist()
    return values


def _mean(values: Sequence[float], options: FamilyOptions) -> Measure:
    """Return the mean of a series in the order of time."""
    count = len(values)
    if not count:
        return Measure(reason="no turn")
    value = math.fsum(values) / count
    if count < PERIODS_MIN:
        return Measure(value, count=count, reason=too_few(count))
    if max(values) - min(values) <= ROUNDING:
        return Measure(value, count=count, reason=CONSTANT)
    (total,) = compare_columns(np.array(values)[:, None], [], options).totals
    if total is None:
        return Measure(value, count=count, reason=RARE)
    return Measure(value, total.low / count, total.high / count, count)


def too_few(count: int) -> str:
    """The reason why so few turns or periods have no interval."""
    return f"too few: {count:,}, at least {PERIODS_MIN} are needed"


def _why(interval: Interval | None, count: int, reason: str) -> str:
    """Return why there is no interval; "" if there is one."""
    if count < PERIODS_MIN:
        return too_few(count)
    if interval is None:
        return reason or RARE
    return CONSTANT if interval.low == interval.high else ""


def _return(total: float, interval: Interval | None, count: int, reason: str) -> Measure:
    """Return a total of log returns as a simple return."""
    value = simple_return(total) if count else None
    if why := _why(interval, count, reason):
        return Measure(value, count=count, reason=why)
    found = simple_interval(interval)
    if found is None:
        return Measure(value, count=count, reason=TOO_WIDE)
    return Measure(value, found.low, found.high, count)


def _per_period(total: float, interval: Interval | None, count: int, reason: str) -> Measure:
    if not count:
        return Measure(reason=too_few(0))
    value = BPS * total / count
    why = _why(interval, count, reason)
    if interval is None or why:
        return Measure(value, count=count, reason=why)
    return Measure(value, BPS * interval.low / count, BPS * interval.high / count, count)


def _with_changes(
    figures: VersionFigures, beyond: Measure, before: VersionFigures, beyond_before: Measure
) -> VersionFigures:
    return replace(
        figures,
        quality_change=_change(before.quality, figures.quality),
        beyond_change=_change(beyond_before, beyond),
    )


def _change(before: Measure, after: Measure) -> Measure:
    """Return after less before, of independent stretches of time."""
    if before.value is None or after.value is None:
        return Measure(reason=NOT_BOTH)
    one, two = before.interval, after.interval
    if one is None or two is None:
        return Measure(after.value - before.value, count=after.count, reason=NOT_BOTH)
    found = combined_interval(one, two)
    return Measure(found.estimate, found.low, found.high, after.count)
