"""`arena halt` and `arena resume` check names; active halts are shown."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.bus.memory import MemoryBus
from arena.errors import EXIT_USAGE, UsageError
from arena.halt_command import read_halts, require_agent
from arena.messages import AgentSpec, Halt, Heartbeat, Resume
from arena.roster import read_agents, read_halted
from arena.settings import Settings
from operations.commands.status_rows import process_rows, process_table
from tests.operations.commands.cli import arena
from tests.routers.builders import WALL


async def join(bus: KafkaBus | MemoryBus, *names: str) -> None:
    """Put agents on the roster."""
    await bus.ensure_topics([topics.ROSTER, topics.CONTROL])
    for name in names:
        spec = AgentSpec(agent=name, strategy="momentum", node="gpt", joined_at=WALL)
        await bus.append(topics.ROSTER.name, spec, key=f"agent/{name}")


async def test_unknown_agent_is_refused_with_the_known_ones(memory_bus: MemoryBus) -> None:
    """The closest name first; a known one passes."""
    await join(memory_bus, "cash", "momentum")

    await require_agent(memory_bus, "momentum")
    with pytest.raises(UsageError, match="'momentm'; the agents are momentum, cash"):
        await require_agent(memory_bus, "momentm")


async def test_empty_roster_allows_every_name(memory_bus: MemoryBus) -> None:
    """An agent can be halted before it starts."""
    await require_agent(memory_bus, "momentum")


async def test_active_halt_can_be_resumed(memory_bus: MemoryBus) -> None:
    """Even if the agent was never started; after the resume its name is unknown."""
    await join(memory_bus, "cash")
    halt = Halt(agent="ghost", by="test", at=WALL)
    await memory_bus.append(topics.CONTROL.name, halt, key="agent/ghost")
    assert {"ghost"} == await read_halted(memory_bus)
    await require_agent(memory_bus, "ghost")

    resume = Resume(agent="ghost", by="test", at=WALL)
    await memory_bus.append(topics.CONTROL.name, resume, key="agent/ghost")
    with pytest.raises(UsageError):
        await require_agent(memory_bus, "ghost")


async def test_newest_roster_entry_of_an_agent_counts(memory_bus: MemoryBus) -> None:
    """Removed entries do not count; entries of tools are skipped."""
    await join(memory_bus, "a", "b", "a")
    log = memory_bus.cluster.logs[topics.ROSTER.name, 0]
    removed = log[-1]._replace(key=b"agent/b", value=None, offset=len(log))
    log.append(removed)

    assert {"a"} == (await read_agents(memory_bus)).keys()


async def test_halt_of_an_unknown_agent_writes_nothing(bus: KafkaBus, settings: Settings) -> None:
    """Exit 2, and the topic is empty."""
    await join(bus, "momentum")
    ended = arena(settings, "halt", "momentm")
    control = await bus.log_reader(topics.CONTROL.name)
    found = await control.end_offsets()
    await control.close()

    assert EXIT_USAGE == ended.returncode
    assert "there is no agent 'momentm'; the agents are momentum" in ended.stderr
    assert {0} == set(found.values())


async def test_halt_for_lost_records_is_shown_until_a_resume(
    bus: KafkaBus, settings: Settings
) -> None:
    """`arena status` shows it; the resume of one agent says that everybody stays halted."""
    await join(bus, "momentum")
    await bus.ensure_topics([topics.HEARTBEATS])
    now = datetime.now(UTC)
    beat = Heartbeat(
        node="tools/one/h/1",
        kind="tools",
        name="one",
        host="h",
        pid=1,
        started_at=now,
        at=now,
        details={"control_lost": {"0": [5, int(now.timestamp() * 1_000) - 1]}},
    )
    await bus.append(topics.HEARTBEATS.name, beat, key=beat.node)
    line = "halted: everybody by a record that cannot be read, arena.control[0]@"

    (shown,) = json.loads(arena(settings, "status", "--json").stdout)["halted"]
    resumed = arena(settings, "resume", "momentum", "--wait", "0.1").stdout
    await bus.append(topics.CONTROL.name, Resume(by="test", at=now), key="all")

    assert shown.startswith(line)
    assert line in resumed
    assert "momentum stays halted with everybody" in resumed
    assert [] == (await read_halts(bus)).lines()


@pytest.mark.parametrize(
    ("kind", "shown"),
    [("router", "waiting for chat node gtp (running: gpt)"), ("connector", "turns=3")],
)
def test_status_shows_what_a_router_waits_for(kind: str, shown: str) -> None:
    """Instead of its counters. A connector waits at every snapshot, so it shows its counters."""
    beat = Heartbeat(
        node=f"{kind}/one/h/1",
        kind=kind,
        name="one",
        host="h",
        pid=1,
        started_at=WALL,
        at=WALL,
        counters={"turns": 3},
        details={"waiting_for": "chat node gtp (running: gpt)"},
    )
    found = process_rows([beat], None, host="x", now=WALL + timedelta(seconds=1), interval_s=5)

    assert process_table(found)[1].endswith(shown)
