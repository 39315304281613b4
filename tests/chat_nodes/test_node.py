"""The chat node on the in-memory bus: outcomes, order, bounds, restarts, takeovers."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from arena import topics
from arena.bus.memory import MemoryBus
from arena.clock import SystemClock
from arena.messages import ChatRequest, DeadLetter, OpenAccount
from chat_nodes.model import CallFailed, ModelSettings, RawReply, SentRequest
from chat_nodes.model_types import open_model
from chat_nodes.node import READ_RECORDS_MAX, ChatNodeSettings
from chat_nodes.per_agent_queue import WAITING_PER_WORKER
from chat_nodes.request_handler import CallLimits
from tests.chat_nodes.example_requests import RISING, START, prompt, request
from tests.chat_nodes.running_node import (
    NODE,
    SENT,
    FakeModel,
    calls,
    now,
    read_all,
    replies,
    send,
    serving,
    until,
)
from tests.chat_nodes.stub_server import completion

GOOD = RawReply(completion("hello"), SENT)


def new_request(agent: str = "momentum", turn: str = "t", time_s: float = 60.0) -> ChatRequest:
    """A request issued now."""
    return request(agent=agent, turn=turn, issued_at=now(), time_s=time_s)


class LateClock(SystemClock):
    """The system clock, which a test can move forward."""

    later_s = 0.0

    def monotonic(self) -> float:
        """Seconds, including those that the test has added."""
        return super().monotonic() + self.later_s


async def test_call_is_logged_and_answered(memory_bus: MemoryBus) -> None:
    """Log and reply have the same ids, tokens and cost; the reply is in the agent's inbox."""
    one = new_request()
    async with serving(memory_bus, FakeModel()) as node:
        await send(memory_bus, one)
        (reply,) = await replies(memory_bus)
        (call,) = await calls(memory_bus)

    assert (one.call_id, "ok", "hello momentum", "gpt", 1) == (
        reply.call_id,
        reply.outcome,
        reply.text,
        reply.node,
        reply.attempts,
    )
    assert completion("hello momentum").decode() == call.raw_response
    # 2,300 prompt and 40 completion tokens of gpt-5-nano
    assert Decimal("0.000131000") == reply.usage.cost_usd == call.usage.cost_usd
    assert {
        "calls": 1,
        "ok": 1,
        "prompt_tokens": 2300,
        "completion_tokens": 40,
        "cost_microusd": 131,
    } == dict(node.counters)
    assert {
        "model": "gpt-5-nano",
        "scripted": False,
        "base_url": "fake.example",
        "training_cutoff": "2024-05",
    } == node.details
    assert "cutoff" not in call.model_dump(mode="json")


async def test_scripted_model_is_labelled_and_free(memory_bus: MemoryBus) -> None:
    """Every record says that no LLM answered."""
    one = request(prompt({"B": RISING}), issued_at=now())
    async with serving(memory_bus, open_model(ModelSettings("scripted"))) as node:
        await send(memory_bus, one)
        (reply,) = await replies(memory_bus)
        (call,) = await calls(memory_bus)

    assert (True, True, Decimal(0)) == (reply.scripted, call.scripted, reply.usage.cost_usd)
    assert ["execute_trade"] == [c.name for c in reply.tool_calls]
    assert (True, 0) == (node.details["scripted"], node.counters["unknown_price"])


async def test_unknown_price_gives_no_cost(memory_bus: MemoryBus) -> None:
    """A model without a known price costs None, which is counted, not zero."""
    async with serving(memory_bus, FakeModel(model_id="llama3:8b")) as node:
        await send(memory_bus, new_request())
        (reply,) = await replies(memory_bus)

    assert reply.usage.cost_usd is None
    assert (1, 0) == (node.counters["unknown_price"], node.counters["cost_microusd"])


async def test_agents_are_served_in_order_and_at_once(memory_bus: MemoryBus) -> None:
    """Never two calls of one agent at a time, never more calls than workers."""

    async def slow(_: ChatRequest) -> RawReply:
        await asyncio.sleep(0.01)
        return GOOD

    model = FakeModel(slow)
    requests = [new_request(agent=f"a{i % 6}", turn=f"t{i // 6}") for i in range(30)]
    async with serving(memory_bus, model, ChatNodeSettings(max_workers=3)):
        await send(memory_bus, *requests)
        for i in range(6):
            got = await replies(memory_bus, f"a{i}", 5)
            wanted = [r.call_id for r in requests if r.agent == f"a{i}"]

            assert wanted == [r.call_id for r in got]

    assert (3, False) == (model.most_at_once, model.overlapped)


async def test_reading_pauses_when_the_queues_are_full(memory_bus: MemoryBus) -> None:
    """The number of waiting requests is bounded; none is lost when reading resumes."""
    gate = asyncio.Event()

    async def gated(_: ChatRequest) -> RawReply:
        await gate.wait()
        return GOOD

    model = FakeModel(gated)
    count = 3 * READ_RECORDS_MAX
    async with serving(memory_bus, model, ChatNodeSettings(max_workers=1)) as node:
        await send(memory_bus, *(new_request(turn=str(i)) for i in range(count)))
        await until(lambda: node.gauges.get("lag", 0) > 0 and bool(model.call_ids))
        waiting = count - node.gauges["lag"]
        gate.set()
        got = await replies(memory_bus, count=count)

    assert waiting <= WAITING_PER_WORKER + READ_RECORDS_MAX
    assert count == len({r.call_id for r in got}) == len(got)


async def test_late_request_expires_without_a_call(memory_bus: MemoryBus) -> None:
    """No call is paid for an answer that is no longer needed."""
    model = FakeModel()
    late = request(issued_at=now() - timedelta(minutes=2), time_s=60)
    async with serving(memory_bus, model) as node:
        await send(memory_bus, late)
        (reply,) = await replies(memory_bus)
        (call,) = await calls(memory_bus)

    assert ([], "expired", "expired", 0) == (
        model.call_ids,
        reply.outcome,
        call.outcome,
        reply.attempts,
    )
    assert "after its deadline" in reply.error
    assert (1, 0) == (node.counters["expired"], node.counters["unknown_price"])


async def test_slow_call_expires_at_the_deadline(memory_bus: MemoryBus) -> None:
    """A model that never answers is given up at the deadline."""

    async def never(_: ChatRequest) -> RawReply:
        await asyncio.sleep(3600)
        return GOOD

    async with serving(memory_bus, FakeModel(never)):
        await send(memory_bus, new_request(time_s=0.3))
        (reply,) = await replies(memory_bus)

    assert "expired" == reply.outcome
    assert "the deadline passed after 1 attempt" in reply.error


async def test_no_form_is_tried_after_the_deadline(memory_bus: MemoryBus) -> None:
    """A refusal that comes too late ends the call, even if it could be adapted to."""
    clock = LateClock()

    async def refuse(_: ChatRequest) -> CallFailed:
        clock.later_s += 100.0
        return CallFailed("seed refused", retryable=True, adapted=True, sent=SENT)

    model = FakeModel(refuse)
    async with serving(memory_bus, model, clock=clock):
        await send(memory_bus, new_request())
        (reply,) = await replies(memory_bus)

    assert ("expired", 1) == (reply.outcome, len(model.call_ids))
    assert "seed refused; the deadline passed after 1 attempt" == reply.error


async def test_failed_attempt_is_retried(memory_bus: MemoryBus) -> None:
    """The reply has the number of attempts, the log has their errors."""
    outcomes: list[RawReply | CallFailed] = [
        CallFailed("answered 500", retryable=True),
        CallFailed("answered 429", retryable=True, retry_after_s=0.01),
        GOOD,
    ]

    async def flaky(_: ChatRequest) -> RawReply | CallFailed:
        return outcomes.pop(0)

    async with serving(memory_bus, FakeModel(flaky)) as node:
        await send(memory_bus, new_request())
        (reply,) = await replies(memory_bus)
        (call,) = await calls(memory_bus)

    assert ("ok", 3, 2) == (reply.outcome, reply.attempts, node.counters["retries"])
    assert [] == node.details["retries"]
    assert ("answered 500", "answered 429") == call.errors


async def test_repeated_failure_ends_the_call(memory_bus: MemoryBus) -> None:
    """The agent gets the reason, the log has the provider's bytes."""

    async def broken(_: ChatRequest) -> CallFailed:
        return CallFailed("answered 500", retryable=True, retry_after_s=0.0, body=b"<html>")

    settings = ChatNodeSettings(limits=CallLimits(max_retries=1))
    async with serving(memory_bus, FakeModel(broken), settings):
        await send(memory_bus, new_request())
        (reply,) = await replies(memory_bus)
        (call,) = await calls(memory_bus)

    assert ("failed", "gave up after 2 attempts: answered 500") == (reply.outcome, reply.error)
    assert "<html>" == call.raw_response


async def test_model_exception_fails_one_call(memory_bus: MemoryBus) -> None:
    """A bug in a provider's library gets a reply and does not end the node."""

    async def buggy(one: ChatRequest) -> RawReply:
        if one.agent == "momentum":
            raise KeyError("choices")
        return GOOD

    async with serving(memory_bus, FakeModel(buggy)):
        await send(memory_bus, new_request(), new_request(agent="scalper"))
        (failed,) = await replies(memory_bus)
        (fine,) = await replies(memory_bus, "scalper")

    assert ("failed", "ok") == (failed.outcome, fine.outcome)
    assert "could not make the call (KeyError)" in failed.error


async def test_spent_budget_refuses_after_a_restart(memory_bus: MemoryBus) -> None:
    """The day's tokens are counted from the log when the node starts."""
    settings = ChatNodeSettings(daily_token_budget=2_000)
    model = FakeModel()
    async with serving(memory_bus, model, settings):
        await send(memory_bus, new_request(turn="1"))
        await replies(memory_bus)
    async with serving(memory_bus, model, settings) as node:
        await send(memory_bus, new_request(turn="2"))
        _, refused = await replies(memory_bus, count=2)

    assert ("refused", 1, 1) == (refused.outcome, node.counters["refused"], len(model.call_ids))
    assert (
        "daily budget of 2,000 tokens is spent (used 2,340); resets at 00:00 UTC" == refused.error
    )


async def test_logged_call_is_not_paid_again(memory_bus: MemoryBus) -> None:
    """A request whose commit was lost gets the same reply from the log."""
    model = FakeModel()
    async with serving(memory_bus, model):
        await send(memory_bus, new_request())
        await replies(memory_bus)
    memory_bus.cluster.groups[f"chat-node.{NODE}"].committed.clear()
    async with serving(memory_bus, model) as node:
        first, second = await replies(memory_bus, count=2)

    assert (1, 1, 0) == (len(model.call_ids), node.counters["from_log"], node.counters["calls"])
    assert first == second
    assert 1 == len(await calls(memory_bus))


async def test_repeated_request_calls_the_model_once(memory_bus: MemoryBus) -> None:
    """A router that restarts sends the same call id again."""
    model, one = FakeModel(), new_request()
    async with serving(memory_bus, model):
        await send(memory_bus, one, one)
        first, second = await replies(memory_bus, count=2)

    assert ([one.call_id], "hello momentum") == (model.call_ids, second.text)
    assert first == second


async def test_invalid_records_become_dead_letters(memory_bus: MemoryBus) -> None:
    """Malformed bytes, another message, and a reply address that is not an inbox."""
    thief = new_request().model_copy(update={"reply_to": "account.events"})
    async with serving(memory_bus, FakeModel()) as node:
        await send(memory_bus, thief)
        topic = topics.prompted(NODE)
        await memory_bus.send_bytes(topic, b"{", key=None, partition=0, headers=())
        stray = OpenAccount(call_id="c", agent="momentum", issued_at=START)
        await memory_bus.append(topic, stray, key="momentum")
        await send(memory_bus, new_request(turn="good"))
        (reply,) = await replies(memory_bus)
        buried = await read_all(memory_bus, topics.DEAD_LETTERS.name, DeadLetter, 3)

    assert ("ok", 3) == (reply.outcome, node.counters["dead_letters"])
    reasons = sorted(letter.error for letter in buried)
    assert "a OpenAccount is not a ChatRequest" == reasons[0]
    assert any("account.events" in reason for reason in reasons)


async def test_commit_waits_for_the_oldest_call(memory_bus: MemoryBus) -> None:
    """Finished requests above a running call are not committed."""
    gate = asyncio.Event()

    async def gated(one: ChatRequest) -> RawReply:
        if one.agent == "a0":
            await gate.wait()
        return GOOD

    # All requests are in one partition, whatever their keys.
    topic = topics.prompted(NODE)
    await memory_bus.ensure_topics([replace(topics.PROMPTED.member(NODE), partitions=1)])
    requests = [new_request(agent=f"a{i}") for i in range(4)]
    group = memory_bus.cluster.groups[f"chat-node.{NODE}"]
    async with serving(memory_bus, FakeModel(gated)):
        await send(memory_bus, *requests)
        for i in (1, 2, 3):
            await replies(memory_bus, f"a{i}")
        await until(lambda: (topic, 0) in group.committed)
        waiting = group.committed[(topic, 0)]
        gate.set()
        await until(lambda: group.committed[(topic, 0)] == len(requests))

    assert 0 == waiting


async def test_partitions_move_between_two_nodes(memory_bus: MemoryBus) -> None:
    """Running calls move with their partitions; every request gets a reply."""
    gate = asyncio.Event()

    async def gated(_: ChatRequest) -> RawReply:
        await gate.wait()
        return GOOD

    agents = [f"a{i}" for i in range(8)]
    first, second = FakeModel(gated), FakeModel(gated)
    other_bus = MemoryBus(memory_bus.cluster)
    await other_bus.start()
    async with serving(other_bus, second) as survivor:
        async with serving(memory_bus, first) as joined:
            await send(memory_bus, *(new_request(agent=a) for a in agents))
            await until(lambda: len(first.running) + len(second.running) == len(agents))
            shared = (len(first.running), len(second.running))
        await until(lambda: len(second.running) == len(agents))
        gate.set()
        for agent in agents:
            (reply,) = await replies(memory_bus, agent)

            assert "ok" == reply.outcome

    assert min(shared) > 0
    assert (shared[0], "running") == (joined.counters["cancelled"], survivor.status)
    assert len(agents) == len(await calls(memory_bus, len(agents)))


async def test_budget_counts_estimated_attempts(
    memory_bus: MemoryBus,
) -> None:
    """Two unusable answers and a good one are three prompts."""
    sent = SentRequest(b"1" * 1_000, {})
    unusable = b'{"choices": [{"message": {"content": null}, "finish_reason": "tool_calls"}]}'
    good = b'{"choices": [{"message": {"content": "I hold."}, "finish_reason": "stop"}]}'
    wasted = CallFailed("no", True, 0.0, sent=sent, body=unusable, paid="answer")
    plan: list[RawReply | CallFailed] = [wasted, wasted, RawReply(good, sent)]

    async def answer(_: ChatRequest) -> RawReply | CallFailed:
        return plan.pop(0)

    settings = ChatNodeSettings(limits=CallLimits(max_retries=2), daily_token_budget=3_000)
    async with serving(memory_bus, FakeModel(answer), settings) as node:
        await send(memory_bus, new_request(turn="a"), new_request(turn="b"))
        first, second = await replies(memory_bus, count=2)

    assert ("ok", 3_000, True) == (first.outcome, first.usage.prompt_tokens, first.usage.estimated)
    assert ("refused", "budget") == (second.outcome, second.cause)
    assert first.usage.cost_usd is not None
    assert 1 == node.counters["estimated_usage"]
