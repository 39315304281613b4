"""Entries that leave a season without a planned end: the others are compared without them. Pure.

In a season with a plan, the part that all entries played is compared, even if one left late.
Without a plan that part would never grow again, however long the others continue.
"""

from collections.abc import Sequence

from arena.agent_health import DeadAgent
from arena.messages import DeadEntry
from judge.formatting import utc_text
from judge.season.dead_entries import unranked_entry
from judge.season.types import Entry, Season

REMEDY = "start its router again, or judge it in the next contest"


def leavers(entries: Sequence[Entry]) -> frozenset[int]:
    """Return the indices of entries that have left; none if the others cannot be compared."""
    playing = [entry for entry in entries if entry.left is None]
    if len(playing) < 2 or all(entry.kind == "baseline" for entry in playing):
        return frozenset()
    return frozenset(n for n, entry in enumerate(entries) if entry.left is not None)


def left_entry(season: Season, index: int, code: str) -> DeadEntry:
    """Return the list entry of one that has left, which has no rank.

    Args:
        season: The whole season.
        index: Index of the entry.
        code: Code of the reason.
    """
    entry = season.entries[index]
    last = max(entry.left or 0, 1)
    when = utc_text(season.times[min(last, len(season.times)) - 1])
    cause = (
        f"left after snapshot {last:,} of {season.periods:,}, {when}; the contest has no planned "
        "end, so it continues without this entrant"
    )
    why = DeadAgent(entry.name, cause, 0, code, REMEDY)
    return unranked_entry(why, entry, season.decisions[index])
