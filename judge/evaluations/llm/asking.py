"""Asks a chat node many requests, a few at once, for the commands that measure and compare.

Reads `judge.inbox`; writes `ai_prompted.<node>`. The chat node must be running.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from arena import topics
from arena.bus.base import LATEST, Bus, LogReader, Record
from arena.errors import DependencyMissing, UsageError
from arena.messages import AgentSpec, ChatReply, ChatRequest
from arena.read_topic import read_to_ends

IN_FLIGHT_MAX: Final = 8
READ_TIMEOUT_S: Final = 0.5

Progress = Callable[[int, int], None]
"""Called with the number of answers so far, and of requests."""
TakeReply = Callable[[str, ChatReply | None], Awaitable[None]]
"""Called with the id of a call and its reply; None if none came in time."""


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
        f"no chat node {node!r} in this arena",
        remedy=f"the agents' chat nodes are {', '.join(names)}; `arena status` lists all",
    )


class NodeAsker:
    """Asks one chat node, at most `IN_FLIGHT_MAX` requests at once."""

    def __init__(self, bus: Bus, node: str, *, wait_s: float) -> None:
        """Create an asker; call `start` before the first request.

        Args:
            bus: A started bus.
            node: The chat node.
            wait_s: Longest wait for a reply, in seconds.
        """
        self._bus = bus
        self._node = node
        self._wait_s = wait_s
        self._reader: LogReader | None = None
        self._any_reply = False

    async def start(self) -> None:
        """Open the inbox at its end, before the first request, so that no reply is missed."""
        await self._bus.ensure_topics([topics.JUDGE_INBOX])
        self._reader = await self._bus.log_reader(topics.JUDGE_INBOX.name, start=LATEST)
        async for _ in read_to_ends(self._reader):
            pass

    async def close(self) -> None:
        """Stop reading."""
        if self._reader is not None:
            await self._reader.close()

    async def ask(
        self, requests: Sequence[ChatRequest], take: TakeReply, progress: Progress
    ) -> None:
        """Ask all requests; each one's time to answer begins when it is sent.

        Args:
            requests: What to ask, with different call ids.
            take: Called for every request, in the order of the replies.
            progress: Called after every read.

        Raises:
            DependencyMissing: The chat node has not replied to anything since `start`.
        """
        assert self._reader is not None, "it was started"
        clock, sent_s, taken = self._bus.clock, dict[str, float](), 0
        left = list(reversed(requests))
        while left or sent_s:
            while left and len(sent_s) < IN_FLIGHT_MAX:
                request = left.pop()
                sent_s[request.call_id] = clock.monotonic()
                await self._send(request)
            for record in await self._reader.read(timeout_s=READ_TIMEOUT_S):
                reply = _reply_in(record)
                if reply is not None and sent_s.pop(reply.call_id, None) is not None:
                    self._any_reply = True
                    await take(reply.call_id, reply)
                    taken += 1
            now_s = clock.monotonic()
            for call_id in [one for one, at_s in sent_s.items() if now_s - at_s >= self._wait_s]:
                if not self._any_reply:
                    raise DependencyMissing(
                        f"chat node {self._node} gave no reply within {self._wait_s:.0f} s",
                        remedy="is it running? (arena status lists the chat nodes)",
                    )
                del sent_s[call_id]
                await take(call_id, None)
                taken += 1
            progress(taken, len(requests))

    async def _send(self, request: ChatRequest) -> None:
        now = self._bus.clock.now()
        times = {"issued_at": now, "deadline_at": now + (request.deadline_at - request.issued_at)}
        sent = request.model_copy(update=times)
        await self._bus.append(topics.prompted(self._node), sent, key=sent.asked_by)


async def ask_all(
    bus: Bus,
    node: str,
    requests: Sequence[ChatRequest],
    take: TakeReply,
    progress: Progress,
    *,
    wait_s: float,
) -> None:
    """Ask a chat node all requests, as `NodeAsker.ask` does."""
    asker = NodeAsker(bus, node, wait_s=wait_s)
    try:
        await asker.start()
        await asker.ask(requests, take, progress)
    finally:
        await asker.close()


def _reply_in(record: Record) -> ChatReply | None:
    message = record.message_or_none() if record.kind == "ChatReply" else None
    return message if isinstance(message, ChatReply) else None
