"""Searches in an arena on real Kafka: its records, a chat node, and the proposal."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from arena import topics
from arena.bus.base import Bus
from arena.bus.kafka import KafkaBus
from arena.bus.memory import MemoryBus
from arena.errors import ArenaError, DependencyMissing, UsageError
from arena.messages import (
    AgentSpec,
    ChatReply,
    ChatRequest,
    LlmCall,
    PromptDecided,
    PromptProposed,
    Turn,
)
from arena.prompt_log import read_prompts
from arena.prompt_versions import version_of
from arena.redaction import NO_SECRETS
from arena.settings import Settings
from chat_nodes.model import RawReply, build_request
from chat_nodes.scripted.in_process import scripted_replies
from chat_nodes.scripted.model import completion
from judge.prompts.search.asker import SearchAsker
from judge.prompts.search.read_recorded import read_recorded
from judge.prompts.search.session import SearchPlan, run_search
from tests.judge.agent_evaluations.made_turns import START
from tests.judge.llm_judge.running import CHAT_NODE, chat_node, in_topic
from tests.judge.prompts.search.searches import CAREFUL, TEXT, StubModel, prompts, turn, uncut

TURNS = 90
RULES = prompts(1)[0].rules
AGENT = "alfa"


@dataclass
class StubLlm:
    """The stub as a model of a chat node; it writes texts, too."""

    stub: StubModel = field(default_factory=StubModel)
    model_id: str = "stub"
    host: str = ""
    scripted: bool = False
    secrets: Any = NO_SECRETS

    async def complete(self, request: ChatRequest, *, timeout_s: float) -> RawReply:
        """Answer a request."""
        answer = self.stub.answer(request)
        text, calls = (
            answer.text,
            [
                (c.name, {"product_id": "SOL-USD", "quantity": "1", "action": "buy"})
                for c in answer.tool_calls
            ],
        )
        if not request.tools:
            text, calls = f"Better:\n<text>\n{TEXT}{CAREFUL}\n</text>", []
        sent = build_request(self.model_id, request, {})
        return RawReply(completion(self.model_id, text, calls), sent)

    async def close(self) -> None:
        """Close nothing."""


def plan(**changes: Any) -> SearchPlan:
    """A search in a running arena."""
    given = SearchPlan(
        agent=AGENT,
        budget_calls=200,
        reflection="",
        is_running=True,
        scripted=scripted_replies,
        cut=uncut,
        answered=lambda _: None,
    )
    return replace(given, **changes)


async def record(bus: Bus, count: int = TURNS, *, scripted: bool = False, **spec: Any) -> None:
    """Write what an arena recorded: roster, text, requests and turns."""
    await bus.ensure_topics([*topics.fixed_topics(), topics.PROMPTED.member(CHAT_NODE)])
    agent = AgentSpec(agent=AGENT, strategy=AGENT, node=CHAT_NODE, joined_at=START, **spec)
    await bus.append(topics.ROSTER.name, agent, key=f"agent/{AGENT}")
    text = PromptProposed(
        agent=AGENT, version=version_of(TEXT), text=TEXT, author="file", by="r", at=START
    )
    await bus.append(topics.PROMPTS.name, text, key=AGENT)
    for one in prompts(count):
        recorded = one.turn.model_copy(update={"scripted": scripted})
        request = one.request(TEXT, uncut).model_copy(
            update={"call_id": recorded.rounds[0].call_id}
        )
        await bus.append(topics.prompted(CHAT_NODE), request, key=AGENT)
        await bus.append(topics.TURNS.name, recorded, key=AGENT)


async def test_chat_node_answers_and_the_text_is_proposed(settings: Settings) -> None:
    """A search that is run again after a kill pays for no answer twice."""
    bus = KafkaBus(settings, client_id="search")
    await bus.start()
    llm = StubLlm()
    try:
        await record(bus)
        async with chat_node(settings, llm):
            first = asyncio.create_task(run_search(bus, bus, plan(reflection=CHAT_NODE)))
            async with asyncio.timeout(40):
                while len(llm.stub.asked) < 25:
                    await asyncio.sleep(0.01)
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            end = await run_search(bus, bus, plan(reflection=CHAT_NODE))
        calls = await in_topic(bus, topics.LLM_CALLS, LlmCall)
        own = (await read_prompts(bus)).of(AGENT)
    finally:
        await bus.close()
    assert (CHAT_NODE, False, True) == (end.node, end.scripted, end.proposed)
    asked = [one for one in calls if one.asker == "judge" and one.outcome == "ok"]
    assert end.result.calls == len(asked) == len({one.call_id for one in asked})
    assert end.result.calls <= 200
    assert own.pending is not None
    assert f"{TEXT}{CAREFUL}\n" == own.pending.text
    assert ("optimiser", version_of(TEXT)) == (own.pending.author, own.pending.parent)
    before, after = own.pending.evidence, own.pending.evidence_after
    assert before is not None
    assert after is not None
    assert before.quality is not None
    assert before.quality < 100 == after.quality


async def test_a_change_that_could_not_be_proposed_costs_nothing(memory_bus: MemoryBus) -> None:
    """Frozen agents, pending proposals and baselines are refused before the first call."""
    await record(memory_bus, 1, prompts="frozen")
    with pytest.raises(ArenaError, match="frozen, as in most contests: no text is searched"):
        await run_search(memory_bus, memory_bus, plan())
    await record(memory_bus, 1, kind="baseline")
    with pytest.raises(UsageError, match="baseline"):
        await run_search(memory_bus, memory_bus, plan(is_running=False))
    await record(memory_bus, 1)
    fields: dict[str, Any] = {"agent": AGENT, "by": "t", "author": "person", "at": START}
    pending = PromptProposed(**fields, version=version_of("B"), text="B", parent=version_of(TEXT))
    await memory_bus.append(topics.PROMPTS.name, pending, key=AGENT)
    with pytest.raises(ArenaError, match="is pending"):
        await run_search(memory_bus, memory_bus, plan())
    for action in ("reject", "freeze"):
        version = pending.version if action == "reject" else ""
        decided = PromptDecided(**fields, action=action, version=version)
        await memory_bus.append(topics.PROMPTS.name, decided, key=AGENT)
    with pytest.raises(ArenaError, match="--off"):
        await run_search(memory_bus, memory_bus, plan())


async def test_prompts_that_change_during_a_search_lose_no_text(memory_bus: MemoryBus) -> None:
    """The proposal does not count, and the end of the search says why; the text is still there."""
    await record(memory_bus, scripted=True)
    stub, loop = StubModel(), asyncio.get_running_loop()
    frozen = PromptDecided(agent=AGENT, action="freeze", author="person", by="t", at=START)

    def answers(model: str, node: str, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        """Freeze the agent with the first question."""
        assert ("stub", CHAT_NODE) == (model, node)
        if not stub.asked:
            append = memory_bus.append(topics.PROMPTS.name, frozen, key=AGENT)
            asyncio.run_coroutine_threadsafe(append, loop).result(10)
        return stub(requests)

    end = await run_search(memory_bus, memory_bus, plan(scripted=answers))
    assert (True, False) == (end.scripted, end.proposed)
    assert "the agent's prompts are frozen" == end.refused
    assert end.result.text is not None
    assert None is (await read_prompts(memory_bus)).of(AGENT).pending
    ended = await run_search(memory_bus, memory_bus, plan(scripted=answers, is_running=False))
    assert (end.result.text, "", False) == (ended.result.text, ended.refused, ended.proposed)


async def test_records_that_cannot_be_used_are_said(memory_bus: MemoryBus) -> None:
    """An unknown agent, one without decisions, an arena that has ended, and too few decisions."""
    await record(memory_bus, 3)
    with pytest.raises(UsageError, match="agent 'beta'"):
        await run_search(memory_bus, memory_bus, plan(agent="beta"))
    idle = AgentSpec(agent="beta", strategy="beta", node=CHAT_NODE, joined_at=START)
    await memory_bus.append(topics.ROSTER.name, idle, key="agent/beta")
    with pytest.raises(UsageError, match="no recorded decision of beta"):
        await run_search(memory_bus, memory_bus, plan(agent="beta"))
    with pytest.raises(UsageError, match="does not run: the arena has ended"):
        await run_search(memory_bus, memory_bus, plan(is_running=False))
    with pytest.raises(UsageError, match="3 recorded decisions"):
        await run_search(memory_bus, memory_bus, plan())
    with pytest.raises(UsageError, match="no chat node 'writer'"):
        await run_search(memory_bus, memory_bus, plan(reflection="writer"))


async def test_records_of_an_agent_are_its_own(memory_bus: MemoryBus) -> None:
    """Another agent's turns and requests, and records that are no messages, are passed over."""
    await record(memory_bus, 3)
    other: Turn = turn(9).model_copy(update={"agent": "beta"})
    await memory_bus.append(topics.TURNS.name, other, key="beta")
    found = await read_recorded(memory_bus, AGENT)
    assert [0, 1, 2] == [one.turn.snapshot_offset for one in found]
    assert {RULES} == {one.rules for one in found}


async def test_chat_node_that_does_not_run_is_named(memory_bus: MemoryBus) -> None:
    """It is waited for once, not for every question."""
    await record(memory_bus, 1)
    asker = SearchAsker(memory_bus, CHAT_NODE, lambda _: None, wait_s=0.05)
    await asker.start()
    try:
        with pytest.raises(DependencyMissing, match=f"{CHAT_NODE} gave no reply"):
            await asker.ask([prompts(1)[0].request(TEXT, uncut)])
    finally:
        await asker.close()
