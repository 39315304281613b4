"""A model can be asked without an agent's turn: by the judge, or in a chat."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from arena import ids, topics
from arena.acls import may_read, may_write
from arena.bus.memory import MemoryBus
from arena.messages import Asker, ChatMessage, ChatReply, ChatRequest, DeadLetter, LlmCall, Usage
from chat_nodes.node import ChatNodeSettings
from dashboard.model.calls import Calls
from tests.chat_nodes.example_requests import START, request
from tests.chat_nodes.running_node import FakeModel, calls, now, read_all, send, serving


def asking(asker: Asker = "judge", reply_to: str = "", **fields: Any) -> ChatRequest:
    """A request without a turn, issued now."""
    values: dict[str, Any] = {
        "asker": asker,
        "call_id": ids.derive(asker, "question", 1),
        "messages": (ChatMessage(role="user", content="Was the order within its limit?"),),
        "issued_at": now(),
        "deadline_at": now() + timedelta(seconds=60),
        "reply_to": reply_to or topics.inbox_of_asker(asker, ""),
    }
    return ChatRequest(**values | fields)


@pytest.mark.parametrize("asker", ["judge", "chat"])
async def test_asker_gets_its_reply_in_its_inbox(memory_bus: MemoryBus, asker: Asker) -> None:
    """Reply and log name the asker and no agent; a repeated request is answered from the log."""
    one = asking(asker)
    inbox = f"{asker}.inbox"
    model = FakeModel()
    async with serving(memory_bus, model) as node:
        await send(memory_bus, one)
        (reply,) = await read_all(memory_bus, inbox, ChatReply, 1)
        (call,) = await calls(memory_bus)
        await send(memory_bus, one)
        again = await read_all(memory_bus, inbox, ChatReply, 2)

    assert (one.call_id, "ok", asker, "", "") == (
        reply.call_id,
        reply.outcome,
        reply.asker,
        reply.agent,
        reply.turn_id,
    )
    assert (asker, "", 2340) == (call.asker, call.agent, call.usage.prompt_tokens + 40)
    assert [reply, reply] == again
    assert ([one.call_id], 1) == (model.call_ids, node.counters["from_log"])


async def test_budget_counts_calls_of_every_asker(memory_bus: MemoryBus) -> None:
    """What the judge used is not left for the agents."""
    async with serving(memory_bus, FakeModel(), ChatNodeSettings(daily_token_budget=2000)):
        await send(memory_bus, asking())
        await read_all(memory_bus, "judge.inbox", ChatReply, 1)
        await send(memory_bus, request(issued_at=now()))
        (refused,) = await read_all(memory_bus, topics.inbox("momentum"), ChatReply, 1)

    assert ("refused", "budget") == (refused.outcome, refused.cause)


@pytest.mark.parametrize("reply_to", ["chat.inbox", "agent.inbox.judge", "account.commands"])
async def test_reply_to_of_another_is_a_dead_letter(memory_bus: MemoryBus, reply_to: str) -> None:
    """The judge gets replies in its own inbox only."""
    model = FakeModel()
    async with serving(memory_bus, model):
        await send(memory_bus, asking(reply_to=reply_to))
        (letter,) = await read_all(memory_bus, topics.DEAD_LETTERS.name, DeadLetter, 1)

    assert f"reply_to '{reply_to}' is not judge.inbox" == letter.error
    assert [] == model.call_ids


async def test_agent_cannot_be_answered_in_the_inbox_of_the_judge(memory_bus: MemoryBus) -> None:
    """A request of an agent names the inbox of an agent."""
    one = request(issued_at=now()).model_copy(update={"reply_to": "judge.inbox"})
    async with serving(memory_bus, FakeModel()):
        await send(memory_bus, one)
        (letter,) = await read_all(memory_bus, topics.DEAD_LETTERS.name, DeadLetter, 1)

    assert "judge.inbox" in letter.error


@pytest.mark.parametrize("field", ["agent", "turn_id"])
def test_asker_without_a_turn_names_no_agent(field: str) -> None:
    """A call of the judge cannot be booked as one of an agent."""
    with pytest.raises(ValidationError, match="a call of the judge names an agent or a turn"):
        asking("judge", "", **{field: "momentum"})


@pytest.mark.parametrize("field", ["agent", "turn_id", "round", "strategy", "snapshot_id"])
def test_agent_without_its_turn_is_refused(field: str) -> None:
    """Agent, turn, round, strategy and snapshot are required of an agent, as before."""
    body = request().model_dump(exclude={field})

    with pytest.raises(ValidationError, match=f"a call of an agent lacks {field}"):
        ChatRequest.model_validate(body)


def test_request_of_an_agent_has_the_bytes_of_older_records() -> None:
    """The fields of an older request, in their order, and no others."""
    fields = list(request().model_dump(mode="json"))

    assert [
        *("call_id", "agent", "turn_id", "round", "strategy", "snapshot_id", "messages", "tools"),
        *("sampling", "issued_at", "deadline_at", "reply_to", "prompt_size"),
    ] == fields


@pytest.mark.parametrize("who", [{"asker": "judge"}, {"agent": "", "turn_id": "", "round": 0}])
def test_call_of_no_agent_is_in_the_total_only(who: dict[str, Any]) -> None:
    """The dashboard forgets a call of the judge, or of an agent without a name, with its window."""
    call = LlmCall(
        call_id="c",
        node="gpt",
        model="m",
        outcome="ok",
        request_sha256="",
        usage=Usage(prompt_tokens=7),
        started_at=START,
        ended_at=START,
        **who,
    )
    seen = Calls()
    seen.called(0, 0, call)

    assert ({}, 1, 7) == (seen.agents, seen.total.calls, seen.total.tokens)
    seen.advance(0, 30_000)
    assert 0 == seen.total.calls


def test_askers_have_rights_to_their_own_inboxes() -> None:
    """Chat nodes write both; the judge reads its own, and people's accounts that of chats."""
    judge, chat = topics.JUDGE_INBOX, topics.CHAT_INBOX

    assert [True, True] == [may_write("chat-node", spec) for spec in (judge, chat)]
    assert [True, False] == [may_read("judge", spec) for spec in (judge, chat)]
    assert [False, False] == [may_read("router", spec) for spec in (judge, chat)]
    assert may_read("cli", chat)
    assert may_write("cli", topics.PROMPTED)
