"""The training cutoff that the operator of a chat node states."""

from datetime import timedelta
from pathlib import Path

import pytest

from arena.bus.memory import MemoryBus
from arena.errors import UsageError
from chat_nodes.flags import own_cutoff
from chat_nodes.node import ChatNodeSettings
from chat_nodes.recordings import Recordings
from tests.chat_nodes.example_requests import request
from tests.chat_nodes.running_node import FakeModel, calls, now, replies, send, serving

SAID = ChatNodeSettings(cutoff="2026-01")


async def test_cutoff_is_in_every_call_record(memory_bus: MemoryBus) -> None:
    """Every judge of these records uses the same month."""
    async with serving(memory_bus, FakeModel(), SAID) as node:
        await send(memory_bus, request(issued_at=now()))
        await replies(memory_bus)
        (call,) = await calls(memory_bus)

    assert "2026-01" == call.cutoff == node.details["training_cutoff"]


async def test_replay_uses_its_operator_cutoff(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """Not only the cutoff that was recorded."""
    made, file = request(issued_at=now()), tmp_path / "r.jsonl"
    later = made.model_copy(update={"issued_at": made.issued_at + timedelta(seconds=1)})
    with Recordings(file, "record") as recordings:
        async with serving(memory_bus, FakeModel(), recordings=recordings):
            await send(memory_bus, made)
            await replies(memory_bus)
    again = MemoryBus()
    await again.start()
    with Recordings(file, "replay") as recordings:
        async with serving(again, FakeModel(), SAID, recordings=recordings):
            await send(again, later)
            await replies(again)
            (call,) = await calls(again)

    assert (True, "2026-01") == (call.replayed, call.cutoff)


def test_cutoff_must_be_a_month() -> None:
    """Another value is refused with the flag's name; without the flag there is no cutoff."""
    with pytest.raises(UsageError, match="--cutoff: cutoff is 'May', not a month; write YYYY-MM"):
        own_cutoff("May")

    assert ("2025-08", "") == (own_cutoff(" 2025-08 "), own_cutoff(""))
