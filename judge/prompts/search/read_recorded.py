"""Reads the recorded prompts of an agent from `agent.turns` and `ai_prompted.<node>`."""

from collections import deque

from arena import topics
from arena.bus.base import Bus, Record
from arena.messages import ChatRequest, Turn
from arena.read_topic import for_each_record
from judge.prompts.search.recorded import Offered, RecordedPrompt, recorded_prompts

TURNS_MAX = 2_000
"""Newest turns that are used."""


async def read_recorded(bus: Bus, agent: str) -> tuple[RecordedPrompt, ...]:
    """The prompts of an agent that can be shown again, oldest first.

    Args:
        bus: A started bus of an arena, or of exported records.
        agent: The agent.

    Raises:
        BrokerUnavailable: A topic cannot be read to its end.
    """
    turns: deque[Turn] = deque(maxlen=TURNS_MAX)

    def take_turn(record: Record) -> None:
        if record.kind != "Turn" or record.key_text != agent:
            return
        message = record.message_or_none()
        if isinstance(message, Turn) and message.agent == agent:
            turns.append(message)

    await for_each_record(bus, topics.TURNS, take_turn)
    wanted = {turn.rounds[0].call_id for turn in turns if turn.rounds}
    offered: dict[str, Offered] = {}

    def take_request(record: Record) -> None:
        if record.kind != "ChatRequest" or record.key_text != agent:
            return
        message = record.message_or_none()
        if isinstance(message, ChatRequest) and message.call_id in wanted:
            offered[message.call_id] = Offered(message.tools, message.sampling)

    for node in sorted({turn.node for turn in turns}):
        await for_each_record(bus, topics.PROMPTED.member(node), take_request)
    return recorded_prompts(turns, offered)
