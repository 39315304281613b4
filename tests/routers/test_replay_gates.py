"""A replay makes the decisions of the gates again, and reports contradictions."""

from collections.abc import Iterable
from decimal import Decimal

import pytest

from arena import topics
from arena.bus.base import Record
from arena.bus.memory import MemoryBus
from arena.messages import Gates, Message, SkippedSnapshots, Turn, TurnStarted
from arena.wire import encode
from routers.replay_gates import GatedAgent, replay_gates
from routers.replay_result import TurnReplayResult
from routers.replay_roster import RosterHistory
from tests.routers.fake_peers import FakePeers, agent_config, playing, publish_rules
from tests.routers.test_gated_router import MOVED, brief_model, fill, play

GATES = Gates(
    every_s=120,
    on_move_pct=Decimal("0.5"),
    quiet_max_s=240,
    calls_per_hour_max=4,
    wake_on=("fill",),
)


async def played(bus: MemoryBus) -> list[Record]:
    """The agent's records of a run in lock-step with every kind of decision."""
    async with FakePeers(bus, brief_model).working() as peers:
        await publish_rules(bus)
        async with playing(bus, agent_config(pacing="lock-step", gates=GATES)):
            await play(peers, range(4), {2: MOVED})
            await bus.append(topics.EVENTS.name, fill(own=False), key="alpha")
            await play(peers, range(4, 14))
    return [r for (t, _), log in bus.cluster.logs.items() if t == topics.TURNS.name for r in log]


def replayed(bus: MemoryBus, records: Iterable[Record]) -> TurnReplayResult:
    """The result of a replay of these records."""
    logs, result = bus.cluster.logs, TurnReplayResult()
    roster = RosterHistory(logs[topics.ROSTER.name, 0])
    counted: list[tuple[Record, Turn | TurnStarted | SkippedSnapshots]] = []
    for record in records:
        message = record.message()
        assert isinstance(message, Turn | TurnStarted | SkippedSnapshots)
        counted.append((record, message))
    agent = GatedAgent("alpha", roster, iter(counted))
    replay_gates(iter(logs[topics.SNAPSHOTS.name, 0]), [agent], result)
    return result


def changed(record: Record, **changes: object) -> Record:
    """A record of a message with other fields."""
    message: Message = record.message().model_copy(update=changes)
    return record._replace(value=encode(message).value)


async def test_every_decision_is_made_again(memory_bus: MemoryBus) -> None:
    """First, moves, quiet, causes, caps: one decision per snapshot, and no difference."""
    records = await played(memory_bus)
    result = replayed(memory_bus, records)
    reasons = {getattr(record.message(), "asked", "") for record in records}
    skipped = [m for r in records if isinstance(m := r.message(), SkippedSnapshots)]

    assert [] == result.differences
    assert 14 == result.counts["gate decisions"]
    assert {"first", "move", "fill", "quiet_max"} <= reasons
    assert {"every", "no_move", "calls_per_hour_max"} == {
        reason for one in skipped for reason in one.counts
    }


@pytest.mark.parametrize(
    ("kind", "changes", "expected", "found"),
    [
        (TurnStarted, {"asked": "due"}, "asked for due", "asked for move"),
        (TurnStarted, {"calls_max": 9}, "at most 9 calls", "at most 3"),
        (
            SkippedSnapshots,
            {"counts": {"no_move": 1}},
            "skipped for no_move",
            "skipped for every",
        ),
    ],
)
async def test_contradiction_is_reported(
    memory_bus: MemoryBus, kind: type, changes: dict[str, object], expected: str, found: str
) -> None:
    """With its place, what is recorded, and what the gates decide."""
    records = await played(memory_bus)
    at = [n for n, record in enumerate(records) if isinstance(record.message(), kind)]
    number = at[1] if kind is TurnStarted else at[0]
    records[number] = changed(records[number], **changes)
    first = replayed(memory_bus, records).differences[0]

    assert (expected, found) == (first["expected"], first["found"])
    assert f"@{records[number].offset}" in first["place"]
    assert first["subject"].startswith("gates of alpha on snapshot ")
