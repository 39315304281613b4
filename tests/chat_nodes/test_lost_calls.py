"""A chat node whose `llm.calls` was cut, recreated, or given partitions while it was down."""

from datetime import datetime, timedelta

import pytest

from arena import topics
from arena.bus.base import EARLIEST, LogReader, Start
from arena.bus.memory import MemoryBus
from arena.clock import SystemClock
from arena.errors import UsageError
from arena.liveness import RECORDS_LOST
from arena.messages import ChatRequest
from arena.node import Node
from tests.chat_nodes.example_requests import request
from tests.chat_nodes.running_node import NODE, FakeModel, calls, now, replies, send, serving, until

CALLS = topics.LLM_CALLS.name
GROUP = f"chat-node.{NODE}"


def new_request(number: int, agent: str = "momentum") -> ChatRequest:
    """A request issued now."""
    return request(agent=agent, turn=f"t{number}", issued_at=now())


def lost_records_text(node: Node) -> str:
    """What the node's heartbeats report as lost of its calls."""
    lost = node.heartbeat(now()).details.get(RECORDS_LOST, {})
    assert isinstance(lost, dict)
    of_calls = lost.get(CALLS, {})
    assert isinstance(of_calls, dict)
    return "; ".join(map(str, of_calls.values()))


class LaterClock(SystemClock):
    """The clock of a node that starts a day later."""

    def now(self) -> datetime:
        """The time a day later."""
        return super().now() + timedelta(days=1)


async def answer(bus: MemoryBus, *requests: ChatRequest) -> None:
    """Run a node until it has answered requests and committed, then stop it."""
    async with serving(bus, FakeModel()):
        await send(bus, *requests)
        await calls(bus, len(requests))
        await replies(bus, count=len(requests))


def forget_commits(bus: MemoryBus) -> None:
    """Drop the group's commits, as if the node had died before: its requests are redelivered."""
    bus.cluster.groups[GROUP].committed.clear()


async def test_no_loss_is_reported_without_a_loss(memory_bus: MemoryBus) -> None:
    """After a clean stop, and after a redelivery."""
    one = new_request(1)
    await answer(memory_bus, one)
    async with serving(memory_bus, FakeModel()) as node:
        assert "" == lost_records_text(node)
    forget_commits(memory_bus)
    model = FakeModel()
    async with serving(memory_bus, model) as node:
        await replies(memory_bus, count=2)

        assert ("", [], 1) == (lost_records_text(node), model.call_ids, node.counters["from_log"])


async def test_stop_before_the_commit_is_no_loss(memory_bus: MemoryBus) -> None:
    """A request may be redelivered long after its call was logged, such as on the next day."""
    await answer(memory_bus, new_request(1), new_request(2))
    forget_commits(memory_bus)
    model = FakeModel()
    async with serving(memory_bus, model, clock=LaterClock()) as node:
        await replies(memory_bus, count=4)

        assert ("", [], 2) == (lost_records_text(node), model.call_ids, node.counters["from_log"])


@pytest.mark.parametrize(("left", "lost"), [(2, "1 of the last 3"), (0, "3 of the last 3")])
async def test_lost_calls_are_reported(memory_bus: MemoryBus, left: int, lost: str) -> None:
    """Answered requests have no call in the log: it was cut, or recreated."""
    await answer(memory_bus, *(new_request(n) for n in range(3)))
    del memory_bus.cluster.logs[CALLS, 0][left:]
    async with serving(memory_bus, FakeModel()) as node:
        words = lost_records_text(node)

    assert lost in words
    assert "not in the day's token budget" in words


async def test_lost_call_is_not_paid_again(memory_bus: MemoryBus) -> None:
    """Its request is redelivered; the reply in the agent's inbox is sent, and the loss reported."""
    one = new_request(1)
    await answer(memory_bus, one)
    forget_commits(memory_bus)
    memory_bus.cluster.logs[CALLS, 0].clear()
    model = FakeModel()
    async with serving(memory_bus, model) as node:
        first, second = await replies(memory_bus, count=2)
        await send(memory_bus, new_request(2))
        await until(lambda: node.counters["calls"] == 1)
        words = lost_records_text(node)

    assert first == second
    assert [new_request(2).call_id] == model.call_ids
    assert 1 == node.counters["from_inbox"]
    assert one.call_id in words


async def test_all_partitions_are_read(memory_bus: MemoryBus) -> None:
    """A node that starts after partitions were added finds what was logged before."""
    await answer(memory_bus, new_request(1), new_request(2))
    forget_commits(memory_bus)
    memory_bus.cluster.grow(CALLS, 5)
    model = FakeModel()
    async with serving(memory_bus, model) as node:
        await send(memory_bus, new_request(3))
        await replies(memory_bus, count=5)

        assert (2, [new_request(3).call_id]) == (node.counters["from_log"], model.call_ids)
        assert "" == lost_records_text(node)
    async with serving(memory_bus, model) as node:
        assert "" == lost_records_text(node)


@pytest.mark.parametrize("reply_to", ["account.events", "agent.inbox.No Such Name", ""])
async def test_a_request_without_an_inbox_is_not_a_lost_call(
    memory_bus: MemoryBus, reply_to: str
) -> None:
    """It is in dead_letters and has no call, which is not a loss."""
    wrong = new_request(0).model_copy(update={"reply_to": reply_to})
    async with serving(memory_bus, FakeModel()):
        await send(memory_bus, wrong, new_request(1))
        await calls(memory_bus, 1)
        group = memory_bus.cluster.groups[GROUP]
        await until(lambda: sum(group.committed.values()) == 2)
    async with serving(memory_bus, FakeModel()) as node:
        assert "" == lost_records_text(node)


async def test_unreadable_inboxes_are_skipped(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an older version's permissions, a redelivered request calls the model again."""
    one = new_request(1)
    await answer(memory_bus, one)
    forget_commits(memory_bus)
    memory_bus.cluster.logs[CALLS, 0].clear()
    log_reader = memory_bus.log_reader

    async def refused(*names: str, start: Start = EARLIEST) -> LogReader:
        if names == (one.reply_to,):
            raise UsageError("the brokers do not let this login read agent.inbox.momentum")
        return await log_reader(*names, start=start)

    monkeypatch.setattr(memory_bus, "log_reader", refused)
    model = FakeModel()
    async with serving(memory_bus, model) as node:
        await until(lambda: node.counters["calls"] == 1)
        details = node.heartbeat(now()).details

    assert [one.call_id] == model.call_ids
    assert "do not let this login read" in str(details["inboxes_not_read"])
