"""What the heartbeats of executors confirm of a halt, and why they do not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from arena import topics
from arena.bus.memory import MemoryAck, MemoryBus
from arena.commands.halt_confirmed import ask, confirmed_in, why_not
from arena.messages import Halt, Heartbeat


# Any: what a foreign process may put into its details.
def beat(name: str, age_s: float = 0, **details: Any) -> Heartbeat:
    """A heartbeat of an executor."""
    now = datetime(2026, 11, 21, tzinfo=UTC)
    return Heartbeat.model_validate(
        {
            "node": f"tools/{name}/h/1",
            "kind": "tools",
            "name": name,
            "host": "h",
            "pid": 1,
            "started_at": now,
            "interval_s": 1,
            "at": now - timedelta(seconds=age_s),
            "details": {"halted": [], **details},
        }
    )


@pytest.mark.parametrize(
    ("beats", "why"),
    [
        ([], "shard 0: no executor runs"),
        ([beat("a", 99)], "shard 0: no executor runs"),
        ([beat("a", shards=[])], "no executor owns shard 0; on standby: tools/a/h/1"),
        (
            [beat("a", 9, shards=[0]), beat("b", shards=[])],
            "shard 0: its owner tools/a/h/1 did not answer (last heartbeat 9 s ago)",
        ),
    ],
)
def test_it_says_why_a_shard_is_not_confirmed(beats: list[Heartbeat], why: str) -> None:
    """No executor, a standby only, or an owner that does not answer."""
    assert {0: why} == why_not([0], beats, datetime(2026, 11, 21, tzinfo=UTC))


@pytest.mark.parametrize("said", [None, [], "x", {"0": None}, {"0": {"read_to": {"0": 5}}}])
def test_only_a_place_behind_the_record_confirms(said: Any) -> None:
    """Words of another form, or of an older record, confirm nothing."""
    acked = MemoryAck(0, 5, 0)

    assert set() == confirmed_in(beat("a", control=said), acked)
    later = {"0": {"read_to": {"0": 6}}}
    assert {0} == confirmed_in(beat("a", control=later), acked)


@pytest.mark.parametrize("clock_s", [-90.0, 0.0, 90.0])
async def test_the_clock_of_an_executors_host_does_not_hide_it(
    memory_bus: MemoryBus, clock_s: float
) -> None:
    """Whether an executor is alive is told by the broker's times on its heartbeats."""
    now = datetime.now(UTC) + timedelta(seconds=clock_s)
    found = beat("a", shards=[]).model_copy(update={"at": now, "interval_s": 10})
    await memory_bus.append(topics.HEARTBEATS.name, found, key=found.node)

    asked = await ask(memory_bus, Halt(by="cli/h", at=now), 0.05)

    assert {0: "no executor owns shard 0; on standby: tools/a/h/1"} == asked.unconfirmed
