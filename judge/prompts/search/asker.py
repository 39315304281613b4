"""Asks a chat node for a search: writes `ai_prompted.<node>`, reads `judge.inbox`.

Ids follow from node, snapshot and text, so a search that was killed and is started again gets the
answers that it paid for from the chat node's log.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import cycle
from typing import Final

from arena import ids, topics
from arena.bus.base import LATEST, Bus, LogReader
from arena.errors import DependencyMissing, UsageError
from arena.messages import Cause, ChatMessage, ChatReply, ChatRequest
from arena.read_topic import read_to_ends
from judge.evaluations.llm.request import ASKER
from judge.prompts.search.recorded import ANSWER_S

STAGE: Final = "optimise"
LANES: Final = ("1", "2", "3", "4")
"""A chat node answers requests of one asker, stage and role in turn, and those of others beside."""
IN_FLIGHT_MAX: Final = 8
WAIT_S: Final = ANSWER_S + 30.0
READ_TIMEOUT_S: Final = 0.5

Answered = Callable[[int], None]
"""Called with the number of new answers."""


class ChatNodeAsker:
    """Asks one chat node, a few requests at once."""

    def __init__(self, bus: Bus, node: str, answered: Answered, *, wait_s: float = WAIT_S) -> None:
        """Create an asker; call `start` before the first question.

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
        self._reader: LogReader | None = None
        self._lanes = cycle(LANES)
        self._any_reply = False

    async def start(self) -> None:
        """Begin to read replies.

        Raises:
            UsageError: The arena has no such chat node.
        """
        if not await self._bus.existing_topics([topics.prompted(self._node)]):
            raise UsageError(
                f"there is no chat node {self._node!r} in this arena",
                remedy="`arena status` lists the chat nodes",
            )
        await self._bus.ensure_topics([topics.JUDGE_INBOX])
        self._reader = await self._bus.log_reader(topics.JUDGE_INBOX.name, start=LATEST)
        async for _ in read_to_ends(self._reader):
            pass

    async def close(self) -> None:
        """Stop reading."""
        if self._reader is not None:
            await self._reader.close()

    async def ask(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        """The replies to requests of an agent, in their order; one that did not come has expired.

        Raises:
            DependencyMissing: The chat node has not replied to anything yet.
        """
        left = [self._own(one) for one in reversed(requests)]
        order = [one.call_id for one in reversed(left)]
        replies: dict[str, ChatReply] = {}
        since_s: dict[str, float] = {}
        clock = self._bus.clock
        assert self._reader is not None, "it was started"
        while left or since_s:
            while left and len(since_s) < IN_FLIGHT_MAX:
                request = left.pop()
                since_s[request.call_id] = clock.monotonic()
                await self._bus.append(topics.prompted(self._node), request, key=request.asked_by)
            before = len(replies)
            for record in await self._reader.read(timeout_s=READ_TIMEOUT_S):
                message = record.message_or_none() if record.kind == "ChatReply" else None
                if isinstance(message, ChatReply) and message.call_id in since_s:
                    del since_s[message.call_id]
                    replies[message.call_id] = message
                    self._any_reply = True
            for call_id, sent_s in list(since_s.items()):
                if clock.monotonic() - sent_s >= self._wait_s:
                    del since_s[call_id]
                    replies[call_id] = self._late(call_id)
            if len(replies) > before:
                self._answered(len(replies) - before)
        return [replies[call_id] for call_id in order]

    async def reflect(self, prompt: str) -> str:
        """The text that the chat node answers to a prompt; "" if it gives none."""
        now = self._bus.clock.now()
        request = ChatRequest(
            asker=ASKER,
            call_id=ids.derive("prompt-reflection", prompt),
            messages=(ChatMessage(role="user", content=prompt),),
            issued_at=now,
            deadline_at=now + timedelta(seconds=ANSWER_S),
            reply_to=topics.JUDGE_INBOX.name,
        )
        (reply,) = await self.ask([request])
        return reply.text if reply.outcome == "ok" else ""

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
        """A reply that did not come.

        Raises:
            DependencyMissing: Nothing came yet.
        """
        error = f"chat node {self._node} gave no reply within {self._wait_s:.0f} s"
        if not self._any_reply:
            raise DependencyMissing(
                error, remedy="is it running? (arena status lists the chat nodes)"
            )
        return ChatReply(
            asker=ASKER,
            call_id=call_id,
            node=self._node,
            model="",
            outcome="expired",
            error=error,
            cause=Cause.TIMEOUT,
        )
