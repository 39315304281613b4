"""Checks by the rosters of two runs, in milliseconds, whether they can have an agent in common.

Reads run.json and the exported `arena.roster` of both runs.
"""

from collections.abc import Hashable
from pathlib import Path

from arena import topics
from arena.export_files import read_records
from arena.messages import AgentSpec
from arena.runs import RECORDS, read_run


def can_have_common_agents(before: Path, after: Path) -> bool:
    """Return False if no competing agents of two runs share a name, or a strategy and a chat node.

    Returns True, too, if a roster does not have every agent of its run: only the whole records can
    decide then.

    Args:
        before: Directory of the first run.
        after: Directory of the second run.

    Raises:
        UsageError: A run has no exported roster.
        BrokenLog: It is damaged.
    """
    rosters = [_complete_roster(directory) for directory in (before, after)]
    one, two = ({key for spec in roster for key in _keys(spec)} for roster in rosters)
    return not all(rosters) or bool(one & two)


def _complete_roster(directory: Path) -> list[AgentSpec]:
    """Return the roster of a run; empty if it lacks an agent, or if the agents are not known."""
    run = read_run(directory)
    records = read_records(directory / RECORDS, [topics.ROSTER.name])
    messages = (record.message_or_none() for record in records)
    found = {one.agent: one for one in messages if isinstance(one, AgentSpec)}
    is_complete = run is not None and run.agents and set(run.agents) <= set(found)
    return list(found.values()) if is_complete else []


def _keys(spec: AgentSpec) -> list[Hashable]:
    """What a competing agent of another run may share with this one; empty for a baseline."""
    return [spec.agent, (spec.strategy, spec.node)] if spec.kind == "agent" else []
