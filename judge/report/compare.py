"""Two runs against each other: did a change of prompt, model or rules help? Pure.

Where both runs saw the same snapshots at the same prices the returns are paired, period by period,
and the market cancels out. Else each run's own uncertainty counts, and the interval is wider: the
two are independent, and their intervals are combined (MOVER: Zou and Donner 2008, "Construction of
confidence intervals about effect measures", Statistics in Medicine 27(10)).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from arena.errors import UsageError
from judge.report.facts import Facts
from judge.season import Entry, FloatArray, Season
from judge.statistics import Interval, judge_returns
from judge.statistics.multiplicity import CLAIM_LEVEL

IDENTICAL = "the same return in every period"


@dataclass(frozen=True, slots=True)
class Line:
    """One comparison: after less before, as season totals of log returns.

    Attributes:
        level: "all" agents, the mean of a "strategy", or one "agent".
        before, after: Names, or how many agents the mean is of.
        before_total, after_total: Season totals.
        difference: None with a reason.
        p_adjusted: By Holm (1979), over the lines of the same level.
        detectable: Smallest difference that would have been seen with 80 % power; None unpaired.
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
class Comparison:
    """Two runs compared.

    Attributes:
        paired: The snapshots are the same. why: what that follows from.
        hold_before, hold_after: Simple return of the buy-and-hold in each.
        only_before, only_after: Agents without a counterpart.
        dead_before, dead_after: Agents that are dead, with the cause; they are not compared.
    """

    before: str
    after: str
    paired: bool
    why: str
    confidence: float
    claim_level: float
    hold_before: float
    hold_after: float
    lines: tuple[Line, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    dead_before: tuple[str, ...] = ()
    dead_after: tuple[str, ...] = ()


Judged = tuple[Interval | None, float | None, float | None, str]
"""Difference, p-value, what could be detected, why there is none."""


def compare_runs(before: Facts, after: Facts, pairs: Mapping[str, str] | None = None) -> Comparison:
    """Compare the agents that both runs have.

    Args:
        before: One run; its options are used.
        after: The other.
        pairs: Name before -> name after, for agents that were renamed.

    Raises:
        UsageError: A named agent is not there, or no agent has a counterpart.
    """
    couples = match_agents(before.season, after.season, pairs or {})
    if not couples:
        dead = len(before.season.dead) + len(after.season.dead)
        living = f" that is alive; {dead} are dead" if dead else ""
        raise UsageError(
            f"{before.run} and {after.run} have no agent in common{living}",
            remedy="--pair OLD=NEW names two",
        )
    paired, why = pairing(before.season, after.season)
    judge = _paired(before, after) if paired else _unpaired(before, after)
    groups = _groups(before.season, after.season, couples)
    lines: list[Line] = []
    for level in dict.fromkeys(level for level, *_ in groups):
        chosen = [group for group in groups if group[0] == level]
        lines += _lines(before.season, after.season, chosen, judge)
    one, two = {a for a, _ in couples}, {b for _, b in couples}
    return Comparison(
        before=before.run,
        after=after.run,
        paired=paired,
        why=why,
        confidence=before.options.confidence,
        claim_level=CLAIM_LEVEL,
        hold_before=float(before.season.hold[-1] / before.season.hold[0] - 1),
        hold_after=float(after.season.hold[-1] / after.season.hold[0] - 1),
        lines=tuple(lines),
        only_before=_rest(before.season, one),
        only_after=_rest(after.season, two),
        dead_before=_dead(before.season),
        dead_after=_dead(after.season),
    )


def pairing(before: Season, after: Season) -> tuple[bool, str]:
    """Whether the seasons saw the same market, and why or why not."""
    if before.snapshot_ids != after.snapshot_ids:
        return False, "the snapshots differ, so the market's luck is in the difference"
    same = np.array_equal(before.bids, after.bids, equal_nan=True)
    if not same or not np.array_equal(before.asks, after.asks, equal_nan=True):
        return False, "the snapshots' prices differ, so the market's luck is in the difference"
    return True, f"the same {before.periods:,} snapshots at the same prices"


def match_agents(before: Season, after: Season, pairs: Mapping[str, str]) -> list[tuple[int, int]]:
    """Places of the competing agents that belong together.

    Those that were named first, then equal names, then the only one left of a strategy, node and
    seed.
    """
    left = {e.name: n for n, e in enumerate(before.entries) if e.kind == "agent"}
    right = {e.name: n for n, e in enumerate(after.entries) if e.kind == "agent"}
    found: list[tuple[int, int]] = []
    for old, new in pairs.items():
        if old not in left or new not in right:
            gone = _why_unranked(before, old) or _why_unranked(after, new)
            why = gone or "no such agents in the two runs"
            raise UsageError(f"--pair {old}={new}: {why}")
        found.append((left.pop(old), right.pop(new)))
    shared = [name for name in left if name in right]
    found += [(left.pop(name), right.pop(name)) for name in shared]
    for one in left.values():
        same = [two for two in right.values() if _cell(after, two) == _cell(before, one)]
        if len(same) == 1:
            found.append((one, right.pop(after.names[same[0]])))
    return sorted(found)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Step-down adjusted p-values; Holm (1979), Scandinavian Journal of Statistics 6(2)."""
    known = sorted((p, n) for n, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p_value, place) in enumerate(known):
        highest = max(highest, min(1.0, p_value * (len(known) - rank)))
        adjusted[place] = highest
    return adjusted


def independent(before: Interval, after: Interval, confidence: float) -> tuple[Interval, float]:
    """After less before where the two are independent, and its two-sided p-value.

    The p-value takes the interval for a normal one.
    """
    estimate = after.estimate - before.estimate
    down = math.hypot(after.estimate - after.low, before.high - before.estimate)
    up = math.hypot(after.high - after.estimate, before.estimate - before.low)
    width = down if estimate > 0 else up
    wide = NormalDist().inv_cdf(0.5 + confidence / 2)
    z = abs(estimate) / (width / wide) if width else math.inf if estimate else 0.0
    return (
        Interval(estimate, estimate - down, estimate + up),
        2 * (1 - NormalDist().cdf(z)),
    )


Group = tuple[str, str, str, list[int], list[int]]
"""Level, label before, label after, places before, places after."""


def _groups(before: Season, after: Season, couples: Sequence[tuple[int, int]]) -> list[Group]:
    def of(level: str, label: str, chosen: Sequence[tuple[int, int]]) -> Group:
        return level, label, label, [a for a, _ in chosen], [b for _, b in chosen]

    groups: list[Group] = []
    if len(couples) > 1:
        groups.append(of("all", f"mean of {len(couples)} agents", couples))
    strategies: dict[str, list[tuple[int, int]]] = {}
    for a, b in couples:
        strategies.setdefault(before.entries[a].strategy, []).append((a, b))
    if 1 < len(strategies) < len(couples):
        groups += [
            of("strategy", f"{name}, mean of {len(chosen)}", chosen)
            for name, chosen in strategies.items()
        ]
    groups += [("agent", before.names[a], after.names[b], [a], [b]) for a, b in couples]
    return groups


def _lines(
    before: Season,
    after: Season,
    groups: Sequence[Group],
    judge: Callable[[list[int], list[int]], Judged],
) -> list[Line]:
    judged = [judge(one, two) for _, _, _, one, two in groups]
    adjusted = holm([p_value for _, p_value, _, _ in judged])
    return [
        Line(
            level=level,
            before=label_before,
            after=label_after,
            before_total=float(_mean(before, one).sum()),
            after_total=float(_mean(after, two).sum()),
            difference=difference,
            p_value=p_value,
            p_adjusted=p_adjusted,
            identical=reason == IDENTICAL,
            separated=p_adjusted is not None and p_adjusted <= CLAIM_LEVEL,
            detectable=detectable,
            reason=reason,
        )
        for (level, label_before, label_after, one, two), p_adjusted, (
            difference,
            p_value,
            detectable,
            reason,
        ) in zip(groups, adjusted, judged, strict=True)
    ]


def _paired(before: Facts, after: Facts) -> Callable[[list[int], list[int]], Judged]:
    def judge(one: list[int], two: list[int]) -> Judged:
        returns = np.column_stack([_mean(after.season, two), _mean(before.season, one)])
        verdict = judge_returns(
            returns,
            ("after", "before"),
            periods_per_year=before.season.periods_per_year,
            confidence=before.options.confidence,
            seed=before.options.seed,
        )
        (pair,) = verdict.pairs
        reason = IDENTICAL if pair.identical else pair.reason
        return pair.difference, pair.p_value, pair.detectable, reason

    return judge


def _unpaired(before: Facts, after: Facts) -> Callable[[list[int], list[int]], Judged]:
    def total(facts: Facts, places: list[int]) -> tuple[Interval | None, str]:
        verdict = judge_returns(
            _mean(facts.season, places)[:, None],
            ("mean",),
            periods_per_year=facts.season.periods_per_year,
            confidence=before.options.confidence,
            seed=before.options.seed,
        )
        reasons = verdict.reasons
        return verdict.standings[0].total, reasons.get("total") or reasons.get("total:mean", "")

    def judge(one: list[int], two: list[int]) -> Judged:
        (first, why), (second, why_too) = total(before, one), total(after, two)
        if first is None or second is None:
            return None, None, None, why or why_too
        difference, p_value = independent(first, second, before.options.confidence)
        return difference, p_value, None, ""

    return judge


def _mean(season: Season, places: list[int]) -> FloatArray:
    found: FloatArray = season.log_returns()[:, places].mean(axis=1)
    return found


def _cell(season: Season, place: int) -> tuple[str, str, int | None]:
    entry: Entry = season.entries[place]
    return entry.strategy, entry.node, entry.seed


def _dead(season: Season) -> tuple[str, ...]:
    return tuple(f"{one.agent} ({one.cause})" for one in season.dead if one.kind == "agent")


def _why_unranked(season: Season, name: str) -> str:
    for state, entries in (("dead", season.dead), ("not comparable", season.apart)):
        if any(one.agent == name for one in entries):
            return f"{name} is {state}, and not ranked"
    return ""


def _rest(season: Season, used: set[int]) -> tuple[str, ...]:
    return tuple(
        e.name for n, e in enumerate(season.entries) if e.kind == "agent" and n not in used
    )
