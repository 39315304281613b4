"""`arena up` into an arena that runs already: it says what both will share."""

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


def test_an_arena_that_runs_is_named() -> None:
    """Two people who begin at once under one prefix share a market and an executor."""
    beats = [beat("connector", "coinbase"), beat("tools", "tools"), beat("router", "mo")]

    words = shared_arena_text(beats, NOW, "")

    assert words.startswith("with no prefix an arena runs on these brokers already: connector/")
    assert "tools/tools/alpha/17; both share market" in words
    assert "choose another --prefix" in words
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
def test_what_is_shared_out_or_gone_is_not(beats: list[Heartbeat]) -> None:
    """Agents of another host belong to the arena; what has ended shares nothing."""
    assert "" == shared_arena_text(beats, NOW, "")


async def test_heartbeats_have_the_time_of_the_broker(memory_bus: MemoryBus) -> None:
    """A process whose host is an hour behind runs all the same; what cannot be read is left out."""
    now = datetime.now(UTC)
    behind = beat("tools", "tools").model_copy(update={"at": now - timedelta(hours=1)})
    await memory_bus.append(topics.HEARTBEATS.name, behind, key=behind.node)
    log = memory_bus.cluster.logs[topics.HEARTBEATS.name, 0]
    log.append(log[0]._replace(offset=1, value=b"{"))

    (found,) = await read_recent_heartbeats(memory_bus, now)

    assert "tools/tools/alpha/17" in shared_arena_text([found], now, "")
