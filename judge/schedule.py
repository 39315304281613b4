"""Which evaluations are due. It depends on the records alone, so all judges agree. Pure.

An evaluation costs more the longer a season is, so evaluations become less frequent: after every
snapshot at first, then after every 2nd, 4th, ...; also at every look (`judge.statistics.looks`),
and at the planned end. Only the newest due evaluation is made. A judge that started late, or lags,
skips older ones: the decisions of their looks are also in the newest one.
"""

from datetime import timedelta

from arena.shadow_agents import without_shadows
from judge.season import SeasonBuilder
from judge.statistics.looks import look_times

EVALUATIONS_PER_DOUBLING = 32
"""Approximate number of evaluations while a season doubles in length."""
SETTLE_S = 120.0
"""Seconds after which a snapshot is settled even if an agent has not answered it."""


def stride(snapshots: int) -> int:
    """Return the number of snapshots between evaluations at this length: a power of two."""
    share = max(snapshots // EVALUATIONS_PER_DOUBLING, 1)
    return 1 << (share.bit_length() - 1)


def decision_counts(planned: int | None, snapshots: int) -> frozenset[int]:
    """Return the lengths at which claims are decided, up to the current one.

    Args:
        planned: Planned number of snapshots; None without a planned end.
        snapshots: Number of snapshots so far.
    """
    return frozenset(n for n in {*look_times(planned, snapshots), planned} if n and n <= snapshots)


def newest_due(builder: SeasonBuilder) -> int | None:
    """Return the index of the newest settled snapshot that is due for an evaluation, or None."""
    slowest = _slowest(builder)
    decisions = decision_counts(builder.folds.planned, builder.snapshots)
    for index in range(builder.snapshots - 1, -1, -1):
        count = index + 1
        due = count % stride(count) == 0 or count in decisions
        if due and (index <= slowest or _old(builder, index)):
            return index
    return None


def _slowest(builder: SeasonBuilder) -> int:
    """Return the index of the newest snapshot that every agent has answered or may skip.

    It is -1 if an agent of the roster has not answered any. Shadow agents are not waited for.
    """
    index, folds = builder.folds.market.index, builder.folds
    answered = folds.turns.answered
    settled = []
    for agent in without_shadows(folds.roster.keys() | answered.keys(), folds.roster):
        spec = folds.roster.get(agent)
        passed_over = spec.cadence - 1 if spec else 0
        newest = index.get(answered[agent]) if agent in answered else None
        settled.append(-1 if newest is None else newest + passed_over)
    return min(settled, default=-1)


def _old(builder: SeasonBuilder, index: int) -> bool:
    snapshots = builder.folds.market.snapshots
    age = snapshots[-1].published_at - snapshots[index].published_at
    return age > timedelta(seconds=SETTLE_S)
