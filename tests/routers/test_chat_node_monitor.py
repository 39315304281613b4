"""A wrong chat node is said within seconds; a baseline waits for its rules and meets no model."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import JsonValue

from arena import topics
from arena.bus.memory import MemoryBus
from arena.clock import SystemClock
from arena.errors import UsageError
from arena.messages import Heartbeat
from arena.node import Node
from arena.settings import Settings
from routers.agent_config import AgentConfig
from routers.chat_node_monitor import BEATS_MIN, GRACE_S, REPEAT_S, ChatNodeMonitor
from routers.service import serve_agents
from routers.turn_types import Limits
from tests.routers.builders import TRADER
from tests.routers.fake_peers import FakePeers, agent_config, playing, until

CASH = replace(TRADER, name="cash", kind="baseline")


class Log:
    """Keeps warnings."""

    def __init__(self) -> None:
        """Nothing was said."""
        self.warnings: list[str] = []

    # Any: structured fields.
    def warning(self, text: str, **_: Any) -> None:
        """Keep a warning."""
        self.warnings.append(text)

    def info(self, text: str, **_: Any) -> None:
        """Keep nothing."""


class Skipping(SystemClock):
    """A clock whose monotonic time is set, and whose sleep returns at once."""

    now_s = 1000.0

    def __init__(self, shift_s: float = 0.0) -> None:
        """A wall clock that is ahead by so many seconds."""
        super().__init__()
        self._ahead = timedelta(seconds=shift_s)

    def now(self) -> datetime:
        """Wrong by as much as was said."""
        return super().now() + self._ahead

    def monotonic(self) -> float:
        """As it was set."""
        return self.now_s


async def say(bus: MemoryBus, name: str, model: str = "gpt-5", **changes: object) -> None:
    """A chat node's heartbeat."""
    now = SystemClock().now()
    details: dict[str, JsonValue] = {"model": model, "scripted": model.startswith("scripted")}
    beat = Heartbeat(
        node=f"chat-node/{name}/h/1",
        kind="chat-node",
        name=name,
        host="h",
        pid=1,
        started_at=now,
        at=now,
        interval_s=5.0,
        details=details if model else {},
    ).model_copy(update=changes)
    await bus.ensure_topics([topics.HEARTBEATS])
    await bus.append(topics.HEARTBEATS.name, beat, key=beat.node)


async def opened(
    bus: MemoryBus, configs: Sequence[AgentConfig], clock: SystemClock | None = None
) -> tuple[ChatNodeMonitor, Node, Log]:
    """What a router knows of the chat nodes."""
    await bus.ensure_topics([topics.HEARTBEATS])
    node = Node("router", "alpha", Settings(), bus, clock or Skipping())
    log = Log()
    node.log = log  # type: ignore[assignment]
    found = ChatNodeMonitor(node, configs)
    await found.open()
    return found, node, log


async def test_a_chat_node_that_does_not_run_is_said_within_five_seconds(
    memory_bus: MemoryBus,
) -> None:
    """One warning with the known ones, the closest first; repeated seldom; then it is there."""
    clock = Skipping()
    for name in ("rules", "model-b"):
        await say(memory_bus, name)
    found, node, log = await opened(memory_bus, [agent_config()], clock)
    assert [] == log.warnings
    assert "chat node model (running: model-b, rules)" == node.details["waiting_for"]

    for after_s in (GRACE_S, GRACE_S + 1, GRACE_S + 10):
        clock.now_s = 1000 + after_s
        found._update()
    assert GRACE_S < 5
    (warning,) = log.warnings
    assert "chat node 'model' is not running; running: model-b, rules" == warning

    # The others are silent by now, too.
    clock.now_s = 1000 + GRACE_S + REPEAT_S
    found._update()
    assert ["chat node 'model' is not running; running: none"] == log.warnings[1:]
    assert {} == found._states, "processes that are gone are forgotten"


@pytest.mark.parametrize(
    ("changes", "age_s", "runs"),
    [
        ({}, 0, True),
        ({}, 16, False),
        ({"status": "stopping"}, 0, False),
        ({"interval_s": 0.5}, 2, False),
        ({"interval_s": 10.0}, 29, True),
    ],
)
@pytest.mark.parametrize("clocks", [(0, 0), (-90, 0), (90, 0), (0, -90), (0, 90), (-400, 400)])
async def test_three_intervals_without_a_heartbeat(
    memory_bus: MemoryBus,
    changes: dict[str, Any],  # Any: fields of a message
    age_s: float,
    runs: bool,
    clocks: tuple[float, float],
) -> None:
    """An old heartbeat, or a goodbye, is not a living chat node, however wrong the hosts' clocks.

    The clocks are those of the router's and of the chat node's host, against the broker's.
    """
    ours, theirs = (Skipping(shift_s=shift_s) for shift_s in clocks)
    broker_ms = memory_bus.cluster.clock_ms
    memory_bus.cluster.clock_ms = lambda: int(broker_ms() - age_s * 1_000)
    await say(memory_bus, "model", at=theirs.now() - timedelta(seconds=age_s), **changes)
    memory_bus.cluster.clock_ms = broker_ms
    found, node, _ = await opened(memory_bus, [agent_config()], ours)

    assert runs is ("" == found.absence_text("model"))
    assert runs is ("waiting_for" not in node.details)


async def test_a_turn_waits_for_no_heartbeat(memory_bus: MemoryBus) -> None:
    """An agent plays as before; only its heartbeat says that nothing was heard."""
    async with (
        FakePeers(memory_bus).working() as peers,
        playing(memory_bus, agent_config()) as node,
    ):
        await peers.publish(0)
        await peers.wait_for_turns(1)
        assert "chat node model (running: none)" == node.details["waiting_for"]
        await say(memory_bus, "model")
        await until(lambda: "waiting_for" not in node.details)


async def test_the_error_of_a_turn_says_that_the_chat_node_does_not_run(
    memory_bus: MemoryBus,
) -> None:
    """With those that run; a chat node that runs and is slow is not called missing."""
    quick = Limits(decision_s=0.1, grace_s=0.05)
    async with FakePeers(memory_bus, model=lambda _: None).working() as peers:
        await say(memory_bus, "modal")
        async with playing(memory_bus, agent_config(limits=quick)):
            await peers.publish(0)
            (absent,) = await peers.wait_for_turns(1)
        await say(memory_bus, "model")
        async with playing(memory_bus, agent_config(limits=quick)):
            await peers.publish(1)
            *_, slow = await peers.wait_for_turns(2)

    assert "chat node 'model' did not answer" in absent.error
    assert absent.error.endswith("is it running? No: running: modal")
    assert slow.error.endswith("is it running?")


async def test_a_baseline_plays_when_its_rules_are_there(memory_bus: MemoryBus) -> None:
    """Not before the heartbeat says which model it is; the other agent does not wait."""
    async with FakePeers(memory_bus).working() as peers:
        await say(memory_bus, "model", "")
        async with playing(memory_bus, agent_config("idle", strategy=CASH), agent_config("beta")):
            await peers.publish(0)
            turns = await peers.wait_for_turns(1)
            assert ["beta"] == [turn.agent for turn in turns]
            await say(memory_bus, "model", "scripted")
            await until(lambda: any("agent/idle" == r.key_text for r in roster(memory_bus)))


def roster(bus: MemoryBus) -> list[Any]:
    """The records of the roster."""
    return bus.cluster.logs[(topics.ROSTER.name, 0)]


@pytest.mark.parametrize("model", ["gpt-5", "scripted:momentum"])
async def test_a_baseline_is_never_played_by_a_model(memory_bus: MemoryBus, model: str) -> None:
    """Nor by the rules of another strategy: exit 2, and no request was sent."""
    async with FakePeers(memory_bus).working() as peers:
        for _ in range(BEATS_MIN):
            await say(memory_bus, "model", model)
        await say(memory_bus, "rules", "scripted")
        with pytest.raises(UsageError, match=rf"serves {model}.*the rules: rules"):
            async with playing(memory_bus, agent_config(strategy=CASH)):
                pass

    assert [] == peers.requests


async def test_a_chat_node_that_becomes_a_model_ends_the_baseline(memory_bus: MemoryBus) -> None:
    """A node that was started again with a model is met while the baseline plays."""
    async with FakePeers(memory_bus).working() as peers:
        await say(memory_bus, "model", "scripted")
        node = Node("router", "alpha", Settings(), memory_bus, SystemClock())
        serving = asyncio.create_task(serve_agents(node, [agent_config(strategy=CASH)]))
        await until(lambda: node.status == "running" or serving.done())
        await peers.publish(0)
        await peers.wait_for_turns(1)
        for _ in range(BEATS_MIN):
            await say(memory_bus, "model", "gpt-5")
        with pytest.raises(UsageError, match="serves gpt-5"):
            await asyncio.wait_for(serving, 10)


@pytest.mark.parametrize("node", ["chat-node/model/h/1", "chat-node/model/elsewhere/2"])
async def test_one_wrong_heartbeat_refuses_no_baseline(memory_bus: MemoryBus, node: str) -> None:
    """Anybody may write a heartbeat: the next of the chat node itself counts again."""
    idle = agent_config(strategy=CASH)
    await say(memory_bus, "model", "scripted")
    await say(memory_bus, "model", "gpt-5", node=node)
    found, _, _ = await opened(memory_bus, [idle])
    await say(memory_bus, "model", "scripted")
    following = asyncio.create_task(found.follow())
    await asyncio.wait_for(found.wait_until_allowed(idle), 5)
    assert not following.done()
    following.cancel()
    await found.close()
