"""What the operator of a chat node says of its model's training data."""

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


async def test_it_is_in_the_record_of_every_call(memory_bus: MemoryBus) -> None:
    """So every judge of these records says the same."""
    async with serving(memory_bus, FakeModel(), SAID) as node:
        await send(memory_bus, request(issued_at=now()))
        await replies(memory_bus)
        (call,) = await calls(memory_bus)

    assert "2026-01" == call.cutoff == node.details["training_cutoff"]


async def test_a_replay_says_what_its_operator_says(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """Not only what was known when the replies were recorded."""
    asked, file = request(issued_at=now()), tmp_path / "r.jsonl"
    later = asked.model_copy(update={"issued_at": asked.issued_at + timedelta(seconds=1)})
    with Recordings(file, "record") as recordings:
        async with serving(memory_bus, FakeModel(), recordings=recordings):
            await send(memory_bus, asked)
            await replies(memory_bus)
    again = MemoryBus()
    await again.start()
    with Recordings(file, "replay") as recordings:
        async with serving(again, FakeModel(), SAID, recordings=recordings):
            await send(again, later)
            await replies(again)
            (call,) = await calls(again)

    assert (True, "2026-01") == (call.replayed, call.cutoff)


def test_it_is_a_month() -> None:
    """Anything else is refused under the flag's name; without the flag nothing is said."""
    with pytest.raises(UsageError, match="--cutoff: cutoff is 'May', not a month; write YYYY-MM"):
        own_cutoff("May")

    assert ("2025-08", "") == (own_cutoff(" 2025-08 "), own_cutoff(""))
