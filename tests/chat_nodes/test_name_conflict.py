"""Two chat nodes of one name must serve one model."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.errors import UsageError
from arena.messages import Heartbeat
from chat_nodes.model import ModelSettings
from chat_nodes.name_conflict import other_model
from chat_nodes.scripted.model import ScriptedModel
from tests.chat_nodes.running_node import NODE, serving

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def beat(model: str = "gpt-5", **changes: Any) -> Heartbeat:  # Any: fields of a message
    """A heartbeat of another process of the name."""
    fields = {
        "node": f"chat-node/{NODE}/elsewhere/9",
        "kind": "chat-node",
        "name": NODE,
        "host": "elsewhere",
        "pid": 9,
        "started_at": NOW,
        "at": NOW,
        "details": {"model": model} if model else {},
    }
    return Heartbeat.model_validate(fields | changes)


@pytest.mark.parametrize(
    ("found", "other"),
    [
        (beat(), True),
        (beat("scripted"), False),
        (beat(""), False),
        (beat(node="me"), False),
        (beat(status="stopping"), False),
        (beat(at=NOW - timedelta(seconds=16)), False),
    ],
)
def test_live_process_with_another_model_is_found(found: Heartbeat, other: bool) -> None:
    """Not one with the same model, not this process, not one without recent heartbeats."""
    assert other is (other_model([found], "me", "scripted", NOW) is not None)


@pytest.mark.parametrize(
    ("host", "clock_s", "refused"),
    [("elsewhere", 0, True), ("elsewhere", -300, True), ("here", 0, False)],
)
async def test_a_second_model_is_refused(
    memory_bus: MemoryBus, host: str, clock_s: float, refused: bool
) -> None:
    """The error has host, pid and model; a process that was killed here does not count.

    A wrong clock on its host does not hide it.
    """
    now = datetime.now(UTC) + timedelta(seconds=clock_s)
    here = os.uname().nodename if host == "here" else host
    pid = 2**22 + 1  # beyond the largest number that Linux gives
    await memory_bus.ensure_topics([topics.HEARTBEATS])
    other = beat(host=here, pid=pid, at=now)
    await memory_bus.append(topics.HEARTBEATS.name, other, key=other.node)
    model = ScriptedModel(ModelSettings(model_id="scripted"))

    if not refused:
        async with serving(memory_bus, model) as node:
            assert "running" == node.status
        return
    with pytest.raises(UsageError, match=rf"serves gpt-5 already \(pid {pid} on elsewhere\)"):
        async with serving(memory_bus, model):
            pass
