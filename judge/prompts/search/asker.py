"""Asks a chat node for a search: writes `ai_prompted.<node>`, reads `judge.inbox`.

Ids follow from node, snapshot and text, so a search that was killed and is started again gets the
answers that it paid for from the chat node's log.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import cycle
from typing import Final

from arena import ids, topics
from arena.bus.base import Bus
from arena.messages import Cause, ChatMessage, ChatReply, ChatRequest
from arena.roster import read_agents
from judge.evaluations.llm.asking import NodeAsker, require_node
from judge.evaluations.llm.request import ASKER, chat_request
from judge.prompts.search.recorded import ANSWER_S

STAGE: Final = "optimise"
LANES: Final = ("1", "2", "3", "4")
"""A chat node answers requests of one asker, stage and role in turn, and those of others beside."""
WAIT_S: Final = ANSWER_S + 30.0

Answered = Callable[[int], None]
"""Called with the number of new answers."""


class SearchAsker:
    """Asks one chat node the requests of an agent, as the judge's own."""

    def __init__(self, bus: Bus, node: str, answered: Answered, *, wait_s: float = WAIT_S) -> None:
        """Create an asker; call `start` before the first request.

        Args:
            bus: A started bus.
            node: The chat node.
            answered: Called after answers came.
            wait_s: Longest wait for a reply, in seconds.
        """
        self._bus = bus
        self._node = node
        self._answered = answered
        self._wait_s = wait_s
        self._lanes = cycle(LANES)
        self._asker = NodeAsker(bus, node, wait_s=wait_s)

    async def start(self) -> None:
        """Begin to read replies.

        Raises:
            UsageError: The arena has no such chat node.
        """
        await require_node(self._bus, self._node, await read_agents(self._bus))
        await self._asker.start()

    async def close(self) -> None:
        """Stop reading."""
        await self._asker.close()

    async def ask(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        """The replies to requests of an agent, in their order; one that did not come has expired.

        Raises:
            DependencyMissing: The chat node has not replied to anything yet.
        """
        return await self._ask([self._own(one) for one in requests])

    async def reflect(self, prompt: str) -> str:
        """The text that the chat node answers to a prompt; "" if it gives none."""
        call_id = ids.derive("prompt-reflection", prompt)
        messages = (ChatMessage(role="user", content=prompt),)
        (reply,) = await self._ask([chat_request(call_id, messages, self._bus.clock.now())])
        return reply.text if reply.outcome == "ok" else ""

    async def _ask(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        replies: dict[str, ChatReply] = {}
        shown = 0

        async def take(call_id: str, reply: ChatReply | None) -> None:
            replies[call_id] = self._late(call_id) if reply is None else reply

        def progress(taken: int, _: int) -> None:
            nonlocal shown
            if taken > shown:
                self._answered(taken - shown)
                shown = taken

        await self._asker.ask(requests, take, progress)
        return [replies[one.call_id] for one in requests]

    def _own(self, request: ChatRequest) -> ChatRequest:
        """A request as the judge sends it: of no agent, with an id of this chat node."""
        now = self._bus.clock.now()
        return ChatRequest(
            asker=ASKER,
            stage=STAGE,
            role=next(self._lanes),
            call_id=ids.derive("prompt-search-call", request.call_id, self._node),
            messages=request.messages,
            tools=request.tools,
            sampling=request.sampling,
            issued_at=now,
            deadline_at=now + timedelta(seconds=ANSWER_S),
            reply_to=topics.JUDGE_INBOX.name,
            prompt_size=request.prompt_size,
        )

    def _late(self, call_id: str) -> ChatReply:
        """The reply to a request that was not answered in time."""
        return ChatReply(
            asker=ASKER,
            call_id=call_id,
            node=self._node,
            model="",
            outcome="expired",
            error=f"chat node {self._node} gave no reply within {self._wait_s:.0f} s",
            cause=Cause.TIMEOUT,
        )
