"""`arena intents`: each approved order once, also if it was broadcast twice."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.bus.memory import MemoryBus
from arena.messages import TradeIntent
from arena.settings import Settings
from operations.commands import intents
from operations.commands.intents import FirstIntents
from tests.operations.commands.cli import arena

INTENTS = topics.INTENTS.name


def intent(intent_id: str, agent: str = "momentum") -> TradeIntent:
    """An approved market order."""
    return TradeIntent(
        intent_id=intent_id,
        agent=agent,
        turn_id="t",
        snapshot_id="s",
        product_id="SOL-USD",
        action="buy",
        quantity=Decimal("0.4"),
        seq=3,
        event_partition=0,
        event_offset=7,
        at=datetime(2026, 11, 30, tzinfo=UTC),
    )


async def test_intents_prints_each_once(bus: KafkaBus, settings: Settings) -> None:
    """As text and as JSON, of one agent or of all; copies are counted in a note."""
    for intent_id, agent in (("a", "momentum"), ("b", "scalper"), ("a", "momentum")):
        message = intent(intent_id, agent)
        await bus.append(INTENTS, message, key=agent, partition=0)

    done = arena(settings, "intents")
    mine = arena(settings, "intents", "--agent", "scalper", "--json")

    lines = done.stdout.splitlines()
    assert (0, 2) == (done.returncode, len(lines))
    assert "momentum buy 0.4 SOL-USD (market)" in lines[0]
    assert "left out 1 copy of intents" in done.stderr
    (found,) = [json.loads(line) for line in mine.stdout.splitlines()]
    assert "b" == found["message"]["intent_id"]


async def test_remembered_ids_are_bounded(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest ids are forgotten; a copy that comes much later is printed."""
    monkeypatch.setattr(intents, "IDS_MAX", 2)
    await memory_bus.ensure_topics([topics.INTENTS])
    for intent_id in "abcabc":
        await memory_bus.append(INTENTS, intent(intent_id), key="momentum", partition=0)
    reader = await memory_bus.log_reader(INTENTS)
    lines = FirstIntents(None, as_json=True)
    records = await reader.read(timeout_s=1)

    assert 6 == len([line for line in map(lines.line, records) if line])
    assert 0 == lines.copies
