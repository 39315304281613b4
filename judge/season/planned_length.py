"""The planned length of a season: only the first plan counts. Pure.

The executor that owns a shard states the plan with its rules in its epoch. The judge's looks depend
on the plan (`judge.statistics.looks`), and a plan chosen after a look at the results would break
their error guarantee. So a later plan is reported, and has no effect.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from arena.messages import Rules
from arena.plural import counted

PLANS_MAX = 16
"""Most plans that are kept per shard; two are enough to report a change."""


class PlannedLength(NamedTuple):
    """A planned length and when it was stated.

    Attributes:
        snapshots: Planned number of snapshots; None without a planned end.
        since: Wall time of the epoch that stated it.
    """

    snapshots: int | None
    since: datetime


def note_plan(known: list[PlannedLength], rules: Rules) -> None:
    """Append the plan of an epoch's rules, unless the newest plan is the same."""
    planned = rules.planned_snapshots
    if len(known) < PLANS_MAX and (not known or known[-1].snapshots != planned):
        known.append(PlannedLength(planned, rules.at))


def planned_lengths(
    shards: Iterable[Sequence[PlannedLength]], listed: Rules | None
) -> tuple[PlannedLength, ...]:
    """Return the plans of all shards, oldest first, without repetitions.

    Args:
        shards: Plans that the epochs of each shard stated.
        listed: Rules of the roster, used if no epoch states rules.
    """
    found: list[PlannedLength] = []
    for plan in sorted(
        (p for own in shards for p in own), key=lambda p: (p.since, p.snapshots or 0)
    ):
        if not found or found[-1].snapshots != plan.snapshots:
            found.append(plan)
    if not found and listed is not None:
        found.append(PlannedLength(listed.planned_snapshots, listed.at))
    return tuple(found)


def first_planned(plans: Sequence[PlannedLength]) -> int | None:
    """Return the number of snapshots in the first plan; None without a planned end."""
    return plans[0].snapshots if plans else None


def changed_plan_text(plans: Sequence[PlannedLength]) -> str:
    """Return a sentence about the change; "" if there was one plan."""
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
