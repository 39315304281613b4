"""Compares two runs: did a change of prompt, model or rules help? Pure.

Entrants are compared: cells with all their repeats, and single agents. If both runs saw the same
snapshots at the same prices, the returns are paired, period by period, and the market cancels out;
of a longer run only the common beginning is used. Otherwise the runs are independent, their
intervals are combined (MOVER: Zou and Donner 2008, "Construction of confidence intervals about
effect measures", Statistics in Medicine 27(10)), and the result is wider. Runs of different lengths
are then compared by their rates.

All lines of a comparison (the mean of all, of a strategy, and each entrant) are one family: paired
lines are decided by the judge's step-down max-t, unpaired ones by Holm's method.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from arena.errors import UsageError
from arena.messages import DeadEntry
from judge.entrants import ComparedWindow, Entrant
from judge.formatting import joined_names
from judge.report.compare_match import match_entrants
from judge.report.compare_parts import compared_parts
from judge.report.facts import Facts
from judge.report.unpaired import LineTotal, UnpairedDifference, holm, unpaired_difference
from judge.season import FloatArray, Season
from judge.simple_returns import simple_return
from judge.statistics import Interval
from judge.statistics.columns import FamilyOptions, compare_columns
from judge.statistics.distributions import student_isf
from judge.statistics.looks import FINISHED, Horizon
from judge.statistics.multiplicity import CLAIM_LEVEL
from judge.statistics.power import detectable_difference
from judge.statistics.variance import claim_cosines, long_run_variance

ONE_CURRENCY = "compare runs of one currency: returns in two differ by the rate between them"
SAME_CURRENCIES = "compare runs whose accounts hold the same currencies"
IDENTICAL = "the same return in every period"
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class ComparisonLine:
    """One line: log returns after less before, as totals or rates (`RunComparison.unit`).

    Attributes:
        level: "all" entrants, the mean of a "strategy", or one "agent": a cell or a single agent.
        before, after: Names, or the number of entrants in the mean.
        before_total, after_total: Return over the compared part, or per unit of time.
        difference: After less before; None with a reason.
        p_value: Two-sided p-value of this line alone.
        p_adjusted: p-value adjusted for all lines of the comparison.
        detectable: True difference that this decision finds in 4 seasons of 5.
    """

    level: str
    before: str
    after: str
    before_total: float
    after_total: float
    difference: Interval | None
    p_value: float | None
    p_adjusted: float | None
    separated: bool
    identical: bool
    detectable: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Two runs compared.

    Attributes:
        paired: Whether the snapshots are the same.
        why: Reason why they are paired or not.
        days: Length of the compared part; of the shorter one if the runs are not paired.
        lengths_s: Length of the compared part of each run, in seconds.
        unit: "day", "hour" or "minute" if the parts differ in length, so that returns are rates;
            "" if they are totals.
        interim: Whether a run has not reached its planned end. Paired claims then follow the looks
            of its season; across markets nothing is claimed.
        hold_before, hold_after: Simple return of the equal-weight market in each part or unit.
        only_before, only_after: Entrants without a counterpart.
        dead_before, dead_after: Dead agents with the cause; they are not compared.
        apart_before, apart_after: Incomparable entries with the cause; they are not compared.
    """

    before: str
    after: str
    paired: bool
    why: str
    confidence: float
    claim_level: float
    days: float
    lengths_s: tuple[float, float]
    unit: str
    interim: bool
    hold_before: float | None
    hold_after: float | None
    lines: tuple[ComparisonLine, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    dead_before: tuple[str, ...] = ()
    dead_after: tuple[str, ...] = ()
    apart_before: tuple[str, ...] = ()
    apart_after: tuple[str, ...] = ()


class EntrantGroup(NamedTuple):
    """The entrants of a line, by index, with its level and labels."""

    level: str
    label_before: str
    label_after: str
    before: tuple[int, ...]
    after: tuple[int, ...]


class LineResult(NamedTuple):
    """Statistics of a line."""

    difference: Interval | None
    p_value: float | None
    p_adjusted: float | None
    separated: bool
    detectable: float | None
    reason: str


class ComparedRun(NamedTuple):
    """One run in the comparison.

    Attributes:
        returns: Log returns [T, lines], one column per line.
        scale: Factor from totals to rates.
    """

    facts: Facts
    returns: FloatArray
    scale: float


def compare_runs(
    before: Facts, after: Facts, pairs: Mapping[str, str] | None = None
) -> RunComparison:
    """Compare the entrants that both runs have.

    Args:
        before: The first run; its options are used.
        after: The second run.
        pairs: Name before -> name after, for renamed entrants.

    Raises:
        UsageError: The accounts hold different currencies, a named entrant does not exist, or no
            entrant has a counterpart.
    """
    _require_one_currency(before, after)
    couples = match_entrants(before, after, pairs or {})
    if not couples:
        dead = len(before.season.dead) + len(after.season.dead)
        living = f" that is alive; {dead} {'is' if dead == 1 else 'are'} dead" if dead else ""
        raise UsageError(
            f"{before.run} and {after.run} have no agent in common{living}",
            remedy="name two with --pair OLD=NEW",
        )
    parts = compared_parts(before, after)
    groups = _groups(before.entrants, after.entrants, couples)
    (old, new), scales = parts.windows, parts.scales
    one = ComparedRun(before, _columns(before, old, [group.before for group in groups]), scales[0])
    two = ComparedRun(after, _columns(after, new, [group.after for group in groups]), scales[1])
    begin = old.begin - before.board.window.begin
    judged = _paired(one, two, begin) if parts.paired else _unpaired(one, two)
    return RunComparison(
        before=before.run,
        after=after.run,
        paired=parts.paired,
        why=f"{parts.why}{_index_words(before.season)}",
        confidence=before.options.confidence,
        claim_level=CLAIM_LEVEL,
        days=min(parts.lengths_s) / DAY_S,
        lengths_s=parts.lengths_s,
        unit="" if parts.unit is None else parts.unit.name,
        interim=not _over(one, two),
        hold_before=_hold(before.season, old, scales[0]),
        hold_after=_hold(after.season, new, scales[1]),
        lines=tuple(
            _line(group, found, float(total), float(total_after))
            for group, found, total, total_after in zip(
                groups, judged, _sums(one), _sums(two), strict=True
            )
        ),
        only_before=_rest(before.entrants, {a for a, _ in couples}),
        only_after=_rest(after.entrants, {b for _, b in couples}),
        dead_before=_unranked(before.season.dead),
        dead_after=_unranked(after.season.dead),
        apart_before=_unranked(before.season.apart),
        apart_after=_unranked(after.season.apart),
    )


def _require_one_currency(before: Facts, after: Facts) -> None:
    units = [run.season.currencies for run in (before, after)]
    if units[0] != units[1]:
        held = [joined_names(one, len(one)) for one in units]
        raise UsageError(
            f"the accounts of {before.run} hold {held[0]}, those of {after.run} {held[1]}",
            remedy=ONE_CURRENCY if len(units[0]) == len(units[1]) == 1 else SAME_CURRENCIES,
        )


def _index_words(season: Season) -> str:
    """Return what returns are of if accounts hold several currencies; "" if they hold one."""
    if not season.parts:
        return ""
    held = joined_names(season.currencies, len(season.currencies))
    return f"; returns are of the wealth index over {held}"


def _groups(
    before: Sequence[Entrant], after: Sequence[Entrant], couples: Sequence[tuple[int, int]]
) -> list[EntrantGroup]:
    def of(level: str, label: str, chosen: Sequence[tuple[int, int]]) -> EntrantGroup:
        return EntrantGroup(
            level, label, label, tuple(a for a, _ in chosen), tuple(b for _, b in chosen)
        )

    cells = any(before[a].is_cell or after[b].is_cell for a, b in couples)
    groups: list[EntrantGroup] = []
    if len(couples) > 1:
        groups.append(
            of("all", f"mean of {len(couples)} {'cells' if cells else 'agents'}", couples)
        )
    strategies: dict[str, list[tuple[int, int]]] = {}
    for a, b in couples:
        strategies.setdefault(before[a].strategy, []).append((a, b))
    if 1 < len(strategies) < len(couples):
        groups += [
            of("strategy", f"{name}, mean of {len(chosen)}", chosen)
            for name, chosen in strategies.items()
        ]
    groups += [EntrantGroup("agent", before[a].name, after[b].name, (a,), (b,)) for a, b in couples]
    return groups


def _columns(facts: Facts, window: ComparedWindow, groups: Sequence[tuple[int, ...]]) -> FloatArray:
    """Return mean log returns of each line's entrants, [T, lines]."""
    rows = window.cut(facts.season.log_returns())
    entrants = [rows[:, list(one.places)].mean(axis=1) for one in facts.entrants]
    return np.column_stack([np.mean([entrants[n] for n in one], axis=0) for one in groups])


def _paired(one: ComparedRun, two: ComparedRun, begin: int) -> list[LineResult]:
    """Compare every line period by period."""
    count = one.returns.shape[1]
    plans = [
        side.facts.board.horizon.planned or 0
        for side in (one, two)
        if not side.facts.board.horizon.over
    ]
    horizon = FINISHED if _over(one, two) else Horizon(max(max(plans) - begin, 1), over=False)
    chosen = one.facts.options
    found = compare_columns(
        np.hstack([two.returns, one.returns]),
        [(line, count + line) for line in range(count)],
        FamilyOptions(chosen.confidence, chosen.seed, horizon=horizon),
    )
    return [
        LineResult(
            pair.difference,
            pair.p_value,
            pair.p_adjusted,
            pair.separated,
            pair.detectable,
            IDENTICAL if pair.identical else pair.reason,
        )
        for pair in found.pairs
    ]


def _unpaired(one: ComparedRun, two: ComparedRun) -> list[LineResult]:
    """Compare every line as the difference of two independent seasons.

    If their lengths differ, it is the difference of their rates.
    """
    old, new = _totals(one), _totals(two)
    found: list[UnpairedDifference | str] = []
    for (before, why), (after, why_too) in zip(old, new, strict=True):
        if before is None or after is None:
            found.append(why or why_too)
        else:
            found.append(unpaired_difference(before, after))
    tested = [one for one in found if not isinstance(one, str)]
    adjusted = holm([None if isinstance(one, str) else one.p_value for one in found])
    judged = []
    for line, p_adjusted in zip(found, adjusted, strict=True):
        if isinstance(line, str):
            judged.append(LineResult(None, None, None, False, None, line))
            continue
        separated = p_adjusted is not None and p_adjusted <= CLAIM_LEVEL and _over(one, two)
        critical = student_isf(CLAIM_LEVEL / 2.0 / len(tested), line.freedom)
        least = detectable_difference(line.error, critical, freedom=round(line.freedom))
        judged.append(LineResult(line.difference, line.p_value, p_adjusted, separated, least, ""))
    return judged


def _totals(side: ComparedRun) -> list[tuple[LineTotal | None, str]]:
    """Return the season total or rate of each line, or the reason for having none."""
    chosen, periods = side.facts.options, len(side.returns)
    found = compare_columns(side.returns, [], FamilyOptions(chosen.confidence, chosen.seed))
    if found.reason:
        return [(None, found.reason)] * len(found.totals)
    count = claim_cosines(periods)
    errors = np.sqrt(long_run_variance(side.returns, count) * periods) * side.scale
    why = "too little happened to say how uncertain its total is"
    return [
        (None, why)
        if total is None
        else (LineTotal(_scaled(total, side.scale), float(error), count), "")
        for total, error in zip(found.totals, errors, strict=True)
    ]


def _over(one: ComparedRun, two: ComparedRun) -> bool:
    """Return True if both runs have reached their plan; a run without a plan has."""
    horizons = (side.facts.board.horizon for side in (one, two))
    return all(horizon.over or horizon.planned is None for horizon in horizons)


def _line(
    group: EntrantGroup, found: LineResult, before_total: float, after_total: float
) -> ComparisonLine:
    return ComparisonLine(
        level=group.level,
        before=group.label_before,
        after=group.label_after,
        before_total=before_total,
        after_total=after_total,
        difference=found.difference,
        p_value=found.p_value,
        p_adjusted=found.p_adjusted,
        separated=found.separated,
        identical=found.reason == IDENTICAL,
        detectable=found.detectable,
        reason=found.reason,
    )


def _scaled(total: Interval, scale: float) -> Interval:
    return Interval(total.estimate * scale, total.low * scale, total.high * scale)


def _sums(side: ComparedRun) -> FloatArray:
    found: FloatArray = side.returns.sum(axis=0) * side.scale
    return found


def _hold(season: Season, window: ComparedWindow, scale: float) -> float | None:
    return simple_return(float(window.cut(season.hold_log_returns()).sum()) * scale)


def _unranked(entries: Sequence[DeadEntry]) -> tuple[str, ...]:
    return tuple(f"{one.agent} ({one.cause})" for one in entries if one.kind == "agent")


def _rest(entrants: Sequence[Entrant], used: set[int]) -> tuple[str, ...]:
    return tuple(
        one.name for n, one in enumerate(entrants) if one.kind == "agent" and n not in used
    )
