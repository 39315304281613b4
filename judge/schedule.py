"""Which evaluations are made: a rule of the records alone, so that every judge follows the same.

An evaluation costs more the longer a season lasts, so they become rarer as it grows: after every
snapshot at first, then after every 2nd, 4th, ... one; and whenever a look decides on claims
(`judge.statistics.looks`), and at the planned end. Only the newest one that is due is made; a judge
that started late, or lags, leaves the older ones out: what their looks decided is in the
newest one, too. Pure.
"""

from datetime import timedelta

from judge.season import SeasonBuilder
from judge.statistics.looks import look_times

EVALUATIONS_PER_DOUBLING = 32
"""About so many evaluations are made while a season doubles its length."""
SETTLE_S = 120.0
"""Our seconds after which a snapshot is settled though an agent has not answered it."""


def stride(snapshots: int) -> int:
    """After every how many snapshots a season of this length is evaluated: a power of two."""
    share = max(snapshots // EVALUATIONS_PER_DOUBLING, 1)
    return 1 << (share.bit_length() - 1)


def decision_counts(planned: int | None, snapshots: int) -> frozenset[int]:
    """After how many snapshots claims are decided on, up to so many.

    Args:
        planned: Snapshots that the season is to have; None without a planned end.
        snapshots: Of the season so far.
    """
    return frozenset(n for n in {*look_times(planned, snapshots), planned} if n and n <= snapshots)


def newest_due(builder: SeasonBuilder) -> int | None:
    """Index of the newest settled snapshot after which the season is evaluated, or None."""
    slowest = _slowest(builder)
    decisions = decision_counts(builder.folds.planned, builder.snapshots)
    for index in range(builder.snapshots - 1, -1, -1):
        count = index + 1
        due = count % stride(count) == 0 or count in decisions
        if due and (index <= slowest or _old(builder, index)):
            return index
    return None


def _slowest(builder: SeasonBuilder) -> int:
    """The newest snapshot that every agent has answered, or is not due to answer.

    An agent of the roster that has not decided anything yet has answered none.
    """
    index, folds = builder.folds.market.index, builder.folds
    answered = folds.turns.answered
    settled = []
    for agent in folds.roster.keys() | answered.keys():
        spec = folds.roster.get(agent)
        passed_over = spec.cadence - 1 if spec else 0
        newest = index.get(answered[agent]) if agent in answered else None
        settled.append(-1 if newest is None else newest + passed_over)
    return min(settled, default=-1)


def _old(builder: SeasonBuilder, index: int) -> bool:
    snapshots = builder.folds.market.snapshots
    age = snapshots[-1].published_at - snapshots[index].published_at
    return age > timedelta(seconds=SETTLE_S)
