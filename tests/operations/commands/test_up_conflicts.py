"""`arena up` with the prefix of a running arena prints what both share."""

from datetime import UTC, datetime, timedelta

import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.messages import Heartbeat
from operations.commands.up_conflicts import read_recent_heartbeats, shared_arena_text

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def beat(kind: str, name: str, *, age_s: float = 1.0, status: str = "running") -> Heartbeat:
    """A heartbeat of a process on another host."""
    at = NOW - timedelta(seconds=age_s)
    return Heartbeat(
        node=f"{kind}/{name}/alpha/17",
        kind=kind,
        name=name,
        host="alpha",
        pid=17,
        status=status,
        started_at=at,
        at=at,
        interval_s=5.0,
    )


def test_running_arena_is_reported() -> None:
    """Two arenas with one prefix share a market and an executor."""
    beats = [beat("connector", "coinbase"), beat("tools", "tools"), beat("router", "mo")]

    text = shared_arena_text(beats, NOW, "")

    assert text.startswith("with no prefix an arena runs on these brokers already: connector/")
    assert "tools/tools/alpha/17; both share market" in text
    assert "choose another --prefix" in text
    assert "with prefix 'a.' an arena" in shared_arena_text(beats, NOW, "a.")


@pytest.mark.parametrize(
    "beats",
    [
        [],
        [beat("router", "mo"), beat("chat-node", "rules")],
        [beat("tools", "tools"), beat("tools", "tools", age_s=0.5, status="stopping")],
        [beat("connector", "coinbase", age_s=60)],
    ],
)
def test_routers_and_ended_processes_are_not_reported(beats: list[Heartbeat]) -> None:
    """Routers on another host are part of the arena; ended processes share nothing."""
    assert "" == shared_arena_text(beats, NOW, "")


async def test_heartbeats_have_the_brokers_time(memory_bus: MemoryBus) -> None:
    """A process on a host with a slow clock counts as running; malformed records are skipped."""
    now = datetime.now(UTC)
    slow = beat("tools", "tools").model_copy(update={"at": now - timedelta(hours=1)})
    await memory_bus.append(topics.HEARTBEATS.name, slow, key=slow.node)
    log = memory_bus.cluster.logs[topics.HEARTBEATS.name, 0]
    log.append(log[0]._replace(offset=1, value=b"{"))

    (found,) = await read_recent_heartbeats(memory_bus, now)

    assert "tools/tools/alpha/17" in shared_arena_text([found], now, "")
