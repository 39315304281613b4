"""Which heartbeats of executors confirm a halt, and the reasons if none does."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from arena import topics
from arena.bus.memory import MemoryAck, MemoryBus
from arena.halt_confirmation import (
    append_and_confirm,
    confirmed_shards,
    unconfirmed_reasons,
)
from arena.messages import Epoch, Halt, Heartbeat
from arena.shard_owners import EpochClaim

CLAIM = EpochClaim(3, "tools/a/h/1/0f0f0f0f")


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
        ([beat("z", 99)], "shard 0: its owner tools/a/h/1 did not answer (it has no heartbeat)"),
        ([beat("a", 99, shards=[])], "shard 0: no executor runs"),
        ([beat("a", shards=[])], "no executor owns shard 0; on standby: tools/a/h/1"),
        (
            [beat("a", 9, shards=[0]), beat("b", shards=[])],
            "shard 0: its owner tools/a/h/1 did not answer (last heartbeat 9 s ago)",
        ),
        (
            [beat("a", 9, shards=[0]), beat("killed", 2, shards=[0])],
            "shard 0: its owner tools/a/h/1 did not answer (last heartbeat 9 s ago)",
        ),
    ],
)
def test_reason_of_an_unconfirmed_shard(beats: list[Heartbeat], why: str) -> None:
    """No executor, only a standby, or the log's owner does not answer."""
    assert {0: why} == unconfirmed_reasons(
        [0], {0: {CLAIM}}, beats, datetime(2026, 11, 21, tzinfo=UTC)
    )


def test_shard_without_events_has_no_owner() -> None:
    """Heartbeats alone do not make an owner."""
    now = datetime(2026, 11, 21, tzinfo=UTC)

    assert {0: "shard 0: no executor runs"} == unconfirmed_reasons([0], {}, [], now)
    standby = "no executor owns shard 0; on standby: tools/a/h/1"
    assert {0: standby} == unconfirmed_reasons([0], {}, [beat("a", shards=[0])], now)


def _control(epoch: Any = 3, read_to: Any = 6, shard: str = "0") -> dict[str, Any]:
    return {shard: {"epoch": epoch, "read_to": {"0": read_to}}}


@pytest.mark.parametrize(
    ("name", "control"),
    [
        ("a", None),
        ("a", []),
        ("a", "x"),
        ("a", {"0": None}),
        ("a", {"0": {"read_to": {"0": 6}}}),
        ("a", _control(read_to=5)),
        ("a", _control(read_to=8)),
        ("a", _control(read_to=True)),
        ("a", _control(epoch=2)),
        ("a", _control(epoch=99)),
        ("a", _control(shard="1")),
        ("evil", _control()),
    ],
)
def test_only_the_owner_confirms_with_an_offset_after_the_record(name: str, control: Any) -> None:
    """Not a malformed entry, another process, epoch or shard, nor an offset after the end."""
    acked = MemoryAck(0, 5, 0)

    assert set() == confirmed_shards(beat(name, control=control), acked, {0: {CLAIM}}, 7)
    assert {0} == confirmed_shards(beat("a", control=_control()), acked, {0: {CLAIM}}, 7)


async def _unconfirmed_after(bus: MemoryBus, *beats: Heartbeat) -> dict[int, str]:
    """The unconfirmed shards of a halt that is followed by these heartbeats."""
    now = datetime.now(UTC)
    await bus.ensure_topics([topics.EVENTS])
    for number in range(3):
        event = Epoch(epoch=number + 1, owner=CLAIM.owner, seq=number, prev="", at=now)
        await bus.append(topics.EVENTS.name, event, partition=0)

    async def say() -> None:
        while not bus.cluster.logs.get((topics.CONTROL.name, 0)):
            await asyncio.sleep(0.001)
        for one in beats:
            await bus.append(topics.HEARTBEATS.name, one, key=one.node)

    asked, _ = await asyncio.gather(append_and_confirm(bus, Halt(by="cli/h", at=now), 0.3), say())
    return dict(asked.unconfirmed)


async def test_forged_heartbeat_confirms_nothing(memory_bus: MemoryBus) -> None:
    """While the owner is suspended, another process reports that it has read the halt."""
    details: dict[str, Any] = {"halted": ["all"], "shards": [0], "control": _control(99, 1_000_000)}

    found = await _unconfirmed_after(memory_bus, beat("evil", **details))

    assert {0: "shard 0: its owner tools/a/h/1 did not answer (it has no heartbeat)"} == found


async def test_owner_of_the_log_confirms(memory_bus: MemoryBus) -> None:
    """With its own epoch, after a forged heartbeat."""
    forged = beat("evil", halted=["all"], control=_control(99, 1))

    mine = beat("a", halted=["all"], control=_control(3, 1))
    assert {} == await _unconfirmed_after(memory_bus, forged, mine)


@pytest.mark.parametrize("clock_s", [-90.0, 0.0, 90.0])
async def test_clock_of_an_executors_host_does_not_hide_it(
    memory_bus: MemoryBus, clock_s: float
) -> None:
    """The broker's times of its heartbeats say whether an executor is alive."""
    now = datetime.now(UTC) + timedelta(seconds=clock_s)
    found = beat("a", shards=[]).model_copy(update={"at": now, "interval_s": 10})
    await memory_bus.append(topics.HEARTBEATS.name, found, key=found.node)

    asked = await append_and_confirm(memory_bus, Halt(by="cli/h", at=now), 0.05)

    assert {0: "no executor owns shard 0; on standby: tools/a/h/1"} == asked.unconfirmed
