"""Which agent is due for an evaluation, at which snapshot. Pure."""

from bisect import bisect_right
from datetime import datetime, timedelta
from typing import NamedTuple

from judge.evaluations.book import EvaluationBook
from judge.evaluations.cadence import asked_time, chosen_index, due_time
from judge.evaluations.check_fold import TurnChecks
from judge.evaluations.evaluate import Asked, EvaluationOptions
from judge.schedule import SETTLE_S
from judge.season import SeasonBuilder
from judge.season.market_fold import SnapshotQuotes


class Due(NamedTuple):
    """An evaluation that is due: agent, index of the snapshot, and why."""

    agent: str
    last: int
    asked: Asked


def due_evaluations(
    builder: SeasonBuilder, checks: TurnChecks, book: EvaluationBook, options: EvaluationOptions
) -> list[Due]:
    """Return what is due, by agent: those of the roster that are not baselines.

    Args:
        builder: The fold of the season.
        checks: The checks of its turns.
        book: Earlier evaluations, and what asks for one.
        options: Options of the judge.
    """
    found = []
    for agent, spec in sorted(builder.folds.roster.items()):
        if spec.kind != "agent":
            continue
        due = _due(builder, checks, book, options, agent)
        if due is not None:
            found.append(due)
    return found


def _due(
    builder: SeasonBuilder,
    checks: TurnChecks,
    book: EvaluationBook,
    options: EvaluationOptions,
    agent: str,
) -> Due | None:
    rows, last = checks.of(agent), book.newest(agent)
    if not rows:
        return None
    snapshots, settled = builder.folds.market.snapshots, settled_index(builder, agent)
    if (pending := book.pending(agent)) is not None:
        time = asked_time(rows, last)
        index = None if time is None else chosen_index(snapshots, time, settled)
        return None if index is None else Due(agent, index, pending)
    due = due_time(rows, last, options.first_after_s)
    index = None if due is None else chosen_index(snapshots, due, settled)
    if index is None:
        return None
    return Due(agent, index, Asked("first" if last is None else "cadence"))


def settled_index(builder: SeasonBuilder, agent: str) -> int:
    """Return the index of the newest snapshot whose turn of an agent was read; -1 for none.

    A snapshot that is `SETTLE_S` older than the newest one counts without an answer.
    """
    folds = builder.folds
    snapshots = folds.market.snapshots
    if not snapshots:
        return -1
    spec, answered = folds.roster.get(agent), folds.turns.answered.get(agent)
    newest = folds.market.index.get(answered) if answered is not None else None
    settled = -1 if newest is None else newest + (spec.cadence - 1 if spec else 0)
    old = snapshots[-1].published_at - timedelta(seconds=SETTLE_S)
    aged = bisect_right(snapshots, old, key=_published) - 1
    return min(max(settled, aged), len(snapshots) - 1)


def _published(snapshot: SnapshotQuotes) -> datetime:
    return snapshot.published_at
