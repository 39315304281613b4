"""Asks a chat node many questions at once, for the commands that measure and compare.

Reads `judge.inbox`; writes `ai_prompted.<node>`. The chat node must be running.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from arena import topics
from arena.bus.base import LATEST, Bus, Record
from arena.errors import DependencyMissing, UsageError
from arena.messages import AgentSpec, ChatMessage, ChatReply
from arena.read_topic import read_to_ends
from judge.evaluations.llm.request import chat_request

IN_FLIGHT_MAX: Final = 8
READ_TIMEOUT_S: Final = 0.5

Progress = Callable[[int, int], None]
"""Called with the number of answers so far, and of questions."""
TakeReply = Callable[[str, ChatReply | None], Awaitable[None]]
"""Called with the id of a call and its reply; None if none came in time."""


@dataclass(frozen=True, slots=True)
class Question:
    """One call.

    Attributes:
        call_id: Derived from what is asked, so that the same question is answered from the log.
        messages: The conversation.
    """

    call_id: str
    messages: tuple[ChatMessage, ...]


def only_node(judging: Sequence[str], of_agents: Sequence[str]) -> str:
    """The chat node to ask if none is named.

    Args:
        judging: Nodes that have judged, oldest first.
        of_agents: Nodes of the agents.

    Raises:
        UsageError: None has judged, and the agents have several.
    """
    if judging:
        return judging[-1]
    names = sorted(set(of_agents))
    if len(names) == 1:
        return names[0]
    known = f"the agents' chat nodes are {', '.join(names)}" if names else "no agent has joined"
    raise UsageError(
        "which chat node should be asked? None has judged yet",
        remedy=f"name it: --node NAME; {known}",
    )


async def require_node(bus: Bus, node: str, agents: dict[str, AgentSpec]) -> None:
    """Check that a chat node has been in this arena.

    Raises:
        UsageError: It has not.
    """
    if await bus.existing_topics([topics.prompted(node)]):
        return
    names = sorted({one.node for one in agents.values()})
    raise UsageError(
        f"there is no chat node {node!r} in this arena",
        remedy=f"the agents' chat nodes are {', '.join(names)}; `arena status` lists all",
    )


async def ask_all(
    bus: Bus,
    node: str,
    questions: Sequence[Question],
    take: TakeReply,
    progress: Progress,
    *,
    wait_s: float,
) -> None:
    """Ask all questions, at most `IN_FLIGHT_MAX` at once.

    Args:
        bus: A started bus.
        node: The chat node.
        questions: What to ask, with different call ids.
        take: Called for every question, in the order of the replies.
        progress: Called after every read.
        wait_s: Longest wait for a reply, in seconds.

    Raises:
        DependencyMissing: The chat node does not reply to any.
    """
    clock = bus.clock
    left, waiting = list(reversed(questions)), dict[str, float]()
    taken = answered = 0
    reader = await bus.log_reader(topics.JUDGE_INBOX.name, start=LATEST)
    try:
        async for _ in read_to_ends(reader):
            pass  # The end is reached before the first question, so that no reply is missed.
        while left or waiting:
            while left and len(waiting) < IN_FLIGHT_MAX:
                question = left.pop()
                waiting[question.call_id] = clock.monotonic()
                await _send(bus, node, question)
            for record in await reader.read(timeout_s=READ_TIMEOUT_S):
                reply = _reply_in(record)
                if reply is not None and waiting.pop(reply.call_id, None) is not None:
                    await take(reply.call_id, reply)
                    taken, answered = taken + 1, answered + 1
            now_s = clock.monotonic()
            for call_id in [one for one, since in waiting.items() if now_s - since >= wait_s]:
                if not answered:
                    raise DependencyMissing(
                        f"chat node {node} gave no reply within {wait_s:.0f} s",
                        remedy="is it running? (arena status lists the chat nodes)",
                    )
                del waiting[call_id]
                await take(call_id, None)
                taken += 1
            progress(taken, len(questions))
    finally:
        await reader.close()


async def _send(bus: Bus, node: str, question: Question) -> None:
    request = chat_request(question.call_id, question.messages, bus.clock.now())
    await bus.append(topics.prompted(node), request, key=request.asked_by)


def _reply_in(record: Record) -> ChatReply | None:
    message = record.message_or_none()
    return message if isinstance(message, ChatReply) else None
