"""Which entries of a season are dead: a fold of their decisions. Pure.

An entry is dead if `arena.vitals` calls it so, if it had turns and none was a decision, or if it is
on the roster, had the snapshots for `DEAD_TURNS` turns and none ran to its end. Only decisions up
to the season's last snapshot count, so two judges say the same of the same part of a contest.
"""

from collections.abc import Sequence

from arena.messages import AgentSpec, DeadEntry
from arena.vitals import DEAD_TURNS, Dead, Vital, without_turn
from judge.season.market import Point
from judge.season.model import Decision, Entry


def dead_entry(
    entry: Entry,
    decisions: Sequence[Decision],
    *,
    spec: AgentSpec | None,
    points: Sequence[Point],
) -> DeadEntry | None:
    """The entry as it is listed among the dead; None if it is alive.

    Args:
        entry: Who.
        decisions: Its turns in the order of the log.
        spec: Its line on the roster; None asks nothing of an entry without a turn.
        points: The snapshots of the season.
    """
    vital = Vital(entry.name)
    for one in decisions:
        vital.note(one.outcome, one.decided, one.cause, one.error)
    found: Dead | None = None
    if vital.is_dead or vital.never_decided:
        found = vital.dead()
    elif not vital.turns and spec is not None and _had_time(spec, points):
        found = without_turn(entry.name)
    return None if found is None else unranked(found, entry, decisions)


def unranked(why: Dead, entry: Entry, decisions: Sequence[Decision]) -> DeadEntry:
    """An entry as it is listed without a rank.

    Args:
        why: It has none.
        entry: Who.
        decisions: Its turns.
    """
    return DeadEntry(
        agent=why.agent,
        cause=why.cause,
        turns=why.turns,
        code=why.code,
        remedy=why.remedy,
        strategy=entry.strategy,
        model=entry.model,
        node=entry.node,
        kind=entry.kind,
        scripted=entry.scripted,
        seed=entry.seed,
        setup=entry.setup,
        recorded_turns=len(decisions),
        decisions=sum(one.decided for one in decisions),
    )


def _had_time(spec: AgentSpec, points: Sequence[Point]) -> bool:
    """True if the market has shown an agent enough snapshots since it joined."""
    needed = DEAD_TURNS * spec.cadence
    seen = 0
    for point in reversed(points):
        if point.published_at < spec.joined_at or seen == needed:
            break
        seen += 1
    return seen >= needed
