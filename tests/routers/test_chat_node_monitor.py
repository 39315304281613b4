"""A missing chat node is reported within seconds; a baseline waits for its rules."""

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
    """Collects warnings."""

    def __init__(self) -> None:
        """Start without warnings."""
        self.warnings: list[str] = []

    # Any: structured fields.
    def warning(self, text: str, **_: Any) -> None:
        """Collect a warning."""
        self.warnings.append(text)

    def info(self, text: str, **_: Any) -> None:
        """Ignore it."""


class SkewedClock(SystemClock):
    """A clock whose monotonic time is set, and whose sleep returns at once."""

    now_s = 1000.0

    def __init__(self, shift_s: float = 0.0) -> None:
        """Set how many seconds the wall clock is ahead."""
        super().__init__()
        self._ahead = timedelta(seconds=shift_s)

    def now(self) -> datetime:
        """The wall time plus the shift."""
        return super().now() + self._ahead

    def monotonic(self) -> float:
        """The monotonic time that was set."""
        return self.now_s


async def say(bus: MemoryBus, name: str, model: str = "gpt-5", **changes: object) -> None:
    """Send a chat node's heartbeat."""
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
    """A monitor that has read the heartbeats."""
    await bus.ensure_topics([topics.HEARTBEATS])
    node = Node("router", "alpha", Settings(), bus, clock or SkewedClock())
    log = Log()
    node.log = log  # type: ignore[assignment]
    found = ChatNodeMonitor(node, configs)
    await found.open()
    return found, node, log


async def test_missing_chat_node_is_reported_within_five_seconds(
    memory_bus: MemoryBus,
) -> None:
    """One warning lists the running ones, closest first; it is repeated until the node runs."""
    clock = SkewedClock()
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

    # By now the others are silent, too.
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
async def test_chat_node_without_heartbeat_for_three_intervals_is_not_running(
    memory_bus: MemoryBus,
    changes: dict[str, Any],  # Any: fields of a message
    age_s: float,
    runs: bool,
    clocks: tuple[float, float],
) -> None:
    """After an old or a last heartbeat a chat node is not running, however wrong hosts' clocks are.

    The clocks are those of the router's and of the chat node's host, against the broker's.
    """
    ours, theirs = (SkewedClock(shift_s=shift_s) for shift_s in clocks)
    broker_ms = memory_bus.cluster.clock_ms
    memory_bus.cluster.clock_ms = lambda: int(broker_ms() - age_s * 1_000)
    await say(memory_bus, "model", at=theirs.now() - timedelta(seconds=age_s), **changes)
    memory_bus.cluster.clock_ms = broker_ms
    found, node, _ = await opened(memory_bus, [agent_config()], ours)

    assert runs is ("" == found.absence_text("model"))
    assert runs is ("waiting_for" not in node.details)


async def test_turns_do_not_wait_for_heartbeats(memory_bus: MemoryBus) -> None:
    """An agent decides without them; only its own heartbeat says that the chat node is missing."""
    async with (
        FakePeers(memory_bus).working() as peers,
        playing(memory_bus, agent_config()) as node,
    ):
        await peers.publish(0)
        await peers.wait_for_turns(1)
        assert "chat node model (running: none)" == node.details["waiting_for"]
        await say(memory_bus, "model")
        await until(lambda: "waiting_for" not in node.details)


async def test_turn_error_says_that_the_chat_node_is_not_running(
    memory_bus: MemoryBus,
) -> None:
    """It lists the running ones; a slow chat node is not called missing."""
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


async def test_baseline_starts_once_its_rules_are_served(memory_bus: MemoryBus) -> None:
    """It waits until a heartbeat names the model; the other agent does not wait."""
    async with FakePeers(memory_bus).working() as peers:
        await say(memory_bus, "model", "")
        async with playing(memory_bus, agent_config("idle", strategy=CASH), agent_config("beta")):
            await peers.publish(0)
            turns = await peers.wait_for_turns(1)
            assert ["beta"] == [turn.agent for turn in turns]
            await say(memory_bus, "model", "scripted")
            await until(lambda: any("agent/idle" == r.key_text for r in roster(memory_bus)))


def roster(bus: MemoryBus) -> Sequence[Any]:
    """The records of the roster."""
    return bus.cluster.logs[(topics.ROSTER.name, 0)]


@pytest.mark.parametrize("model", ["gpt-5", "scripted:momentum"])
async def test_baseline_never_uses_a_model(memory_bus: MemoryBus, model: str) -> None:
    """Nor the rules of another strategy: exit code 2, and no request was sent."""
    async with FakePeers(memory_bus).working() as peers:
        for _ in range(BEATS_MIN):
            await say(memory_bus, "model", model)
        await say(memory_bus, "rules", "scripted")
        with pytest.raises(UsageError, match=rf"serves {model}.*the rules: rules"):
            async with playing(memory_bus, agent_config(strategy=CASH)):
                pass

    assert [] == peers.requests


async def test_chat_node_that_changes_to_a_model_ends_the_baseline(memory_bus: MemoryBus) -> None:
    """A chat node that restarts with a model is noticed while the baseline runs."""
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
async def test_single_wrong_heartbeat_refuses_no_baseline(memory_bus: MemoryBus, node: str) -> None:
    """Any process may write a heartbeat: the chat node's own next one counts again."""
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
