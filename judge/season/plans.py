"""How long a season is planned to be: what it began with counts. Pure.

An executor that owns a shard states the plan with its rules in its epoch. The judge's looks during
a season depend on it (`judge.statistics.looks`), and a plan that is chosen after a look at the
results would break what those looks promise. So a later plan is named, and changes nothing.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from arena.messages import Rules
from arena.plural import counted

PLANS_MAX = 16
"""More plans of a shard are not kept: two are enough to say that it changed."""


class Plan(NamedTuple):
    """A plan, and since when it is known to hold.

    Attributes:
        snapshots: How many snapshots the season is to have; None if it has no planned end.
        since: Wall time of the epoch that stated it.
    """

    snapshots: int | None
    since: datetime


def note_plan(known: list[Plan], rules: Rules) -> None:
    """Note what the rules of an epoch plan, unless the newest plan is the same."""
    planned = rules.planned_snapshots
    if len(known) < PLANS_MAX and (not known or known[-1].snapshots != planned):
        known.append(Plan(planned, rules.at))


def plans_of(shards: Iterable[Sequence[Plan]], listed: Rules | None) -> tuple[Plan, ...]:
    """The plans of all shards in the order of time, without repetitions.

    Args:
        shards: What the epochs of each stated.
        listed: The rules of the roster, which count while no epoch states any.
    """
    found: list[Plan] = []
    for plan in sorted(
        (p for own in shards for p in own), key=lambda p: (p.since, p.snapshots or 0)
    ):
        if not found or found[-1].snapshots != plan.snapshots:
            found.append(plan)
    if not found and listed is not None:
        found.append(Plan(listed.planned_snapshots, listed.at))
    return tuple(found)


def planned_of(plans: Sequence[Plan]) -> int | None:
    """How many snapshots the season was planned to have when it began; None for no end."""
    return plans[0].snapshots if plans else None


def changed_plan(plans: Sequence[Plan]) -> str:
    """What changed, one sentence; "" if there was one plan."""
    if len(plans) < 2:
        return ""
    later = ", then ".join(
        f"{_words(p.snapshots)} from {p.since:%Y-%m-%d %H:%M:%S} UTC" for p in plans[1:]
    )
    return (
        f"The planned length changed midway from {_words(plans[0].snapshots)} to {later}: the looks"
        " of the judge follow the first plan."
    )


def _words(snapshots: int | None) -> str:
    return "no planned end" if snapshots is None else counted(snapshots, "snapshot")
