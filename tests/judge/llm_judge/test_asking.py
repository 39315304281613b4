"""Requests to a chat node, on a bus in memory."""

from datetime import UTC, datetime, timedelta

import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.errors import DependencyMissing
from arena.messages import ChatMessage, ChatRequest
from judge.evaluations.llm.asking import ask_all
from judge.evaluations.llm.request import DEADLINE_S, chat_request
from tests.judge.llm_judge.running import in_topic

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
ONE = (ChatMessage(role="user", content="?"),)


async def test_time_to_answer_begins_when_a_request_is_sent(memory_bus: MemoryBus) -> None:
    """A request may have waited for others in front of it, and has its whole time all the same."""
    node = topics.PROMPTED.member("opinions")
    await memory_bus.ensure_topics([node])

    async def take(call_id: str, reply: object) -> None:
        raise AssertionError(f"no chat node runs, and {call_id} was answered: {reply}")

    with pytest.raises(DependencyMissing, match="opinions gave no reply"):
        await ask_all(
            memory_bus,
            "opinions",
            [chat_request(f"call-{number}", ONE, LONG_AGO) for number in range(20)],
            take,
            lambda taken, of: None,
            wait_s=0.05,
        )
    sent = await in_topic(memory_bus, node, ChatRequest)
    assert 8 == len(sent), "no more than that are asked at once"
    assert all(one.issued_at > LONG_AGO for one in sent)
    assert {timedelta(seconds=DEADLINE_S)} == {one.deadline_at - one.issued_at for one in sent}
