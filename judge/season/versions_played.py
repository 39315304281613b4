"""How many versions of its text an agent decided by: a coached agent's return mixes them. Pure."""

from collections.abc import Mapping

from arena.prompt_versions import VERSIONS_MAX

FirstPlayed = dict[str, str]
"""Version -> snapshot of the first turn that decided something by it."""


def note_version(known: FirstPlayed, version: str, snapshot_id: str) -> None:
    """Fold a turn with a decision; "" is the unknown version of older records."""
    if version and len(known) < VERSIONS_MAX:
        known.setdefault(version, snapshot_id)


def versions_played(
    agents: Mapping[str, FirstPlayed], index: Mapping[str, int], last: int, unread: int
) -> dict[str, int]:
    """Return agent -> number of versions up to a snapshot, of the agents with more than one.

    Args:
        agents: Agent -> its versions.
        index: Snapshot id -> its number.
        last: Number of the last snapshot.
        unread: Number that a snapshot counts as which was not read.
    """
    found = {
        agent: sum(index.get(snapshot_id, unread) <= last for snapshot_id in known.values())
        for agent, known in agents.items()
    }
    return {agent: count for agent, count in sorted(found.items()) if count > 1}
