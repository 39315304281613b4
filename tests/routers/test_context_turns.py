"""Turns name the dated context that their prompts showed, and a replay shows the same."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import get_args

import orjson
import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.exports import export_topics
from arena.messages import AgentSpec, ContextItem, PromptSize, Turn
from routers.prompt_context import HEADING
from routers.replay import TurnReplay
from tests.routers.builders import AS_OF, TRADER
from tests.routers.fake_peers import FakePeers, agent_config, playing
from tests.routers.test_replay import TOPICS

SIZES: tuple[PromptSize, ...] = get_args(PromptSize)
READER = replace(TRADER, shows=("context",))
ITEMS = tuple(
    ContextItem(
        item_id=f"n{minutes}",
        product_id="BTC-USD",
        kind="news",
        published_at=AS_OF - timedelta(minutes=minutes),
        title="A title",
    )
    for minutes in range(4)
)


@pytest.mark.parametrize("size", SIZES)
async def test_turns_name_what_the_prompt_showed(
    memory_bus: MemoryBus, tmp_path: Path, size: PromptSize
) -> None:
    """Ids of the items in the prompt, none of those that it leaves out; a replay is the same."""
    peers = FakePeers(memory_bus)
    config = agent_config(prompt_size=size, strategy=READER)
    async with peers.working(), playing(memory_bus, config):
        await peers.publish(0)
        await peers.wait_for_turns(1)
        await peers.publish(1, context=ITEMS)
        await peers.wait_for_turns(2)
    await export_topics(memory_bus, tmp_path / "records", TOPICS)

    found = TurnReplay(tmp_path / "records").run()
    without, turn = await peers.ended()

    assert () == without.context
    assert HEADING not in without.messages[1].content
    shown = [line for line in turn.messages[1].content.split("\n") if line.startswith("- BTC-USD")]
    assert len(shown) == len(turn.context) == {"full": 4, "compact": 4, "tiny": 2}[size]
    assert turn.context == tuple(one.item_id for one in ITEMS[: len(shown)])
    assert [] == found.differences
    assert 2 == found.counts["turns"]


async def test_agents_that_do_not_ask_for_it_see_nothing(memory_bus: MemoryBus) -> None:
    """On the same snapshot; the roster says what each agent shows."""
    peers = FakePeers(memory_bus)
    async with peers.working(), playing(memory_bus, agent_config()):
        await peers.publish(0, context=ITEMS)
        await peers.wait_for_turns(1)

    (turn,) = await peers.ended()
    assert () == turn.context
    assert HEADING not in turn.messages[1].content
    log = memory_bus.cluster.logs[topics.ROSTER.name, 0]
    specs = [m for record in log if isinstance(m := record.message_or_none(), AgentSpec)]
    assert {()} == {spec.shows for spec in specs}


@pytest.mark.parametrize("change", ["text", "ids"])
async def test_changed_context_is_noticed(
    memory_bus: MemoryBus, tmp_path: Path, change: str
) -> None:
    """An item that was edited in the snapshot, or ids that the prompt did not show."""
    peers = FakePeers(memory_bus)
    async with peers.working(), playing(memory_bus, agent_config(strategy=READER)):
        await peers.publish(0, context=ITEMS)
        await peers.wait_for_turns(1)
    topic = topics.SNAPSHOTS.name if change == "text" else topics.TURNS.name
    for (name, _), log in memory_bus.cluster.logs.items():
        for place, record in enumerate(log):
            if name == topic and record.value and b'"context"' in record.value:
                body = orjson.loads(record.value)
                if change == "text":
                    body["context"][0]["title"] = "Another title"
                else:
                    body["context"] = ["other"]
                log[place] = record._replace(value=orjson.dumps(body))
    await export_topics(memory_bus, tmp_path / "records", TOPICS)

    (difference,) = TurnReplay(tmp_path / "records").run().differences

    assert ("prompt" if change == "text" else "context") in str(difference)


def test_turns_without_context_have_the_bytes_of_older_records() -> None:
    """The field is left out."""
    turn = Turn(
        turn_id="t", agent="a", strategy="s", node="n", snapshot_id="x", snapshot_offset=0,
        as_of=AS_OF, outcome="completed", started_at=AS_OF, ended_at=AS_OF,
    )  # fmt: skip

    assert "context" not in turn.model_dump_json()
    assert "shows" not in AgentSpec(agent="a", strategy="s", node="n", joined_at=AS_OF).model_dump()
