"""Two rosters tell whether runs can have an agent in common."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.errors import UsageError
from arena.exports import export_topics
from arena.messages import AgentSpec
from arena.runs import RunRecord, write_run
from judge.cli_report import compare
from judge.report.roster_match import can_have_common_agents

AT = datetime(2026, 1, 1, tzinfo=UTC)


def export_roster(directory: Path, *specs: AgentSpec, agents: tuple[str, ...] = ()) -> Path:
    """A run with an exported roster; `agents` are those of its record, if it has others."""

    async def export() -> None:
        bus = MemoryBus()
        await bus.start()
        await bus.ensure_topics([topics.ROSTER])
        for one in specs:
            await bus.append(topics.ROSTER.name, one, key=f"agent/{one.agent}", partition=0)
        await export_topics(bus, directory / "records", [topics.ROSTER.name])

    directory.mkdir()
    asyncio.run(export())
    record = RunRecord(
        command="compete",
        name="n",
        prefix="",
        bootstrap="x",
        pid=1,
        pid_started_at=0.0,
        started_at=AT,
        agents=agents or tuple(one.agent for one in specs),
    )
    write_run(directory, record)
    return directory


def agent(name: str, strategy: str, node: str = "rules") -> AgentSpec:
    """An agent on the roster; "cash" is a baseline."""
    kind = "baseline" if name == "cash" else "agent"
    return AgentSpec(agent=name, strategy=strategy, node=node, kind=kind, joined_at=AT)


CASH = agent("cash", "cash")


@pytest.mark.parametrize(
    ("other", "is_possible"),
    [
        (agent("one", "scalper"), True),
        (agent("two", "momentum"), True),
        (agent("two", "momentum", "nano"), False),
        (agent("two", "scalper"), False),
    ],
)
def test_common_agents_have_the_same_name_or_setup(
    other: AgentSpec, is_possible: bool, tmp_path: Path
) -> None:
    """Baselines do not count, although both runs have the same."""
    before = export_roster(tmp_path / "before", agent("one", "momentum"), CASH)
    after = export_roster(tmp_path / "after", other, CASH)

    assert is_possible is can_have_common_agents(before, after)


def test_incomplete_roster_does_not_decide(tmp_path: Path) -> None:
    """An agent of the run that has left the roster may be the common one."""
    before = export_roster(tmp_path / "before", agent("one", "momentum"))
    after = export_roster(tmp_path / "after", agent("two", "scalper"), agents=("two", "one"))

    assert can_have_common_agents(before, after)


def test_runs_without_a_common_agent_are_refused_by_their_rosters(tmp_path: Path) -> None:
    """The other records are not read; here they do not exist."""
    before = export_roster(tmp_path / "before", agent("one", "momentum"))
    after = export_roster(tmp_path / "after", agent("two", "scalper"))

    with pytest.raises(UsageError, match="before and after have no agent in common"):
        compare(str(before), str(after))
