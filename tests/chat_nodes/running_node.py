"""A running chat node for tests, with a model whose behaviour the test defines."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

from arena import topics
from arena.bus.base import Bus
from arena.clock import Clock, SystemClock
from arena.messages import ChatReply, ChatRequest, LlmCall, Message
from arena.node import Node
from arena.redaction import NO_SECRETS
from arena.settings import Settings
from chat_nodes.model import CallFailed, RawReply, SentRequest
from chat_nodes.node import ChatNodeSettings, serve_model
from chat_nodes.recordings import Recordings
from tests.chat_nodes.stub_server import completion

NODE = "gpt"
SENT = SentRequest(b"{}", {"temperature": 0.5})
"""The request that a fake model claims to have sent."""
DEADLINE_S = 20.0

Answer = Callable[[ChatRequest], Awaitable[RawReply | CallFailed]]
Kind = TypeVar("Kind", bound=Message)


class FakeModel:
    """A model with a given answer, which records its calls and how many ran at once.

    Args:
        answer: Awaited for each call; None answers at once.
        model_id: Id of the model.
    """

    scripted = False
    host = "fake.example"
    secrets = NO_SECRETS

    def __init__(self, answer: Answer | None = None, model_id: str = "gpt-5-nano") -> None:
        """Start without calls."""
        self.model_id = model_id
        self.call_ids: list[str] = []
        self.running: list[str] = []
        self.most_at_once = 0
        self.overlapped = False
        self._answer = answer

    async def complete(self, request: ChatRequest, *, timeout_s: float) -> RawReply | CallFailed:
        """Answer within the timeout."""
        self.call_ids.append(request.call_id)
        self.overlapped |= request.agent in self.running
        self.running.append(request.agent)
        self.most_at_once = max(self.most_at_once, len(self.running))
        try:
            if self._answer is None:
                return RawReply(completion(f"hello {request.agent}"), SENT)
            async with asyncio.timeout(timeout_s):
                return await self._answer(request)
        except TimeoutError:
            return CallFailed(f"no answer within {timeout_s:.1f} s", retryable=True)
        finally:
            self.running.remove(request.agent)

    async def close(self) -> None:
        """Close nothing: no connection is open."""


def new_node(bus: Bus, clock: Clock | None = None, name: str = NODE) -> Node:
    """A connected node."""
    return Node("chat-node", name, Settings(), bus, clock or SystemClock())


@contextlib.asynccontextmanager
async def serving(
    bus: Bus,
    model: object,
    settings: ChatNodeSettings | None = None,
    *,
    clock: Clock | None = None,
    recordings: Recordings | None = None,
) -> AsyncIterator[Node]:
    """Run a chat node; its exception, if it has one, is raised at the end."""
    node = new_node(bus, clock)
    await bus.ensure_topics([topics.HEARTBEATS, topics.DEAD_LETTERS])
    limits = settings or ChatNodeSettings()
    work = serve_model(node, model, limits, recordings)  # type: ignore[arg-type]
    task = asyncio.create_task(work)
    try:
        await until(lambda: node.status == "running" or task.done())
        yield node
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(true: Callable[[], bool]) -> None:
    """Wait until a condition is true; fails after the deadline."""
    async with asyncio.timeout(DEADLINE_S):
        while not true():
            await asyncio.sleep(0.005)


async def send(bus: Bus, *requests: ChatRequest) -> None:
    """Append requests to the node's topic, as routers do."""
    await bus.ensure_topics([topics.PROMPTED.member(NODE), topics.LLM_CALLS])
    for request in requests:
        await bus.append(topics.prompted(NODE), request, key=request.asked_by)


async def read_all(
    bus: Bus, topic: str, kind: type[Kind], count: int, deadline_s: float = DEADLINE_S
) -> list[Kind]:
    """The messages of a topic once there are `count` of them; fails after the deadline."""
    await bus.ensure_topics([topics.spec_of(topic)])
    reader = await bus.log_reader(topic)
    found: list[Kind] = []
    try:
        async with asyncio.timeout(deadline_s):
            while len(found) < count:
                messages = [r.message() for r in await reader.read(timeout_s=0.05)]
                found += [m for m in messages if isinstance(m, kind)]
        messages = [r.message() for r in await reader.read(timeout_s=0.05)]
        found += [m for m in messages if isinstance(m, kind)]
    finally:
        await reader.close()
    return found


async def replies(
    bus: Bus, agent: str = "momentum", count: int = 1, *, deadline_s: float = DEADLINE_S
) -> list[ChatReply]:
    """The replies in an agent's inbox."""
    return await read_all(bus, topics.inbox(agent), ChatReply, count, deadline_s)


async def calls(bus: Bus, count: int = 1) -> list[LlmCall]:
    """The logged calls."""
    return await read_all(bus, topics.LLM_CALLS.name, LlmCall, count)


def now() -> datetime:
    """The wall time, for requests to a node with the system clock."""
    return datetime.now(UTC)
