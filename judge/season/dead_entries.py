"""Which entries of a season are dead: a fold of their turns. Pure.

An entry is dead if `arena.agent_health` says so, if it had turns and none was a decision, or if it
is on the roster, had the snapshots for `DEAD_TURNS` turns and completed none. Only turns up to the
season's last snapshot count, so two judges agree about the same part of a contest.
"""

from collections.abc import Sequence

from arena.agent_health import DEAD_TURNS, AgentHealth, DeadAgent, dead_without_turn
from arena.messages import AgentSpec, DeadEntry
from judge.season.market_fold import SnapshotQuotes
from judge.season.types import Entry, TurnSummary


def dead_entry(
    entry: Entry,
    decisions: Sequence[TurnSummary],
    *,
    spec: AgentSpec | None,
    snapshots: Sequence[SnapshotQuotes],
) -> DeadEntry | None:
    """Return the entry as it is listed among the dead; None if it is alive.

    Args:
        entry: The entry.
        decisions: Turns of the entry in the order of the log.
        spec: Roster entry; with None an entry without a turn is not called dead.
        snapshots: The snapshots of the season.
    """
    vital = AgentHealth(entry.name)
    for one in decisions:
        vital.note(one.outcome, one.decided, one.cause, one.error)
    found: DeadAgent | None = None
    if vital.is_dead or vital.never_decided:
        found = vital.dead()
    elif not vital.turns and spec is not None and _had_time(spec, snapshots):
        found = dead_without_turn(entry.name)
    return None if found is None else unranked_entry(found, entry, decisions)


def unranked_entry(why: DeadAgent, entry: Entry, decisions: Sequence[TurnSummary]) -> DeadEntry:
    """Return an entry as it is listed without a rank.

    Args:
        why: The reason why it has no rank.
        entry: The entry.
        decisions: Turns of the entry.
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


def _had_time(spec: AgentSpec, snapshots: Sequence[SnapshotQuotes]) -> bool:
    """Return True if enough snapshots were published since the agent joined."""
    needed = DEAD_TURNS * spec.cadence
    seen = 0
    for snapshot in reversed(snapshots):
        if snapshot.published_at < spec.joined_at or seen == needed:
            break
        seen += 1
    return seen >= needed
