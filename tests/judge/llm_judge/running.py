"""Judges of turns and scripted chat nodes that run in a test, over a real Kafka."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import TypeVar

from arena import ids, topics
from arena.bus.base import Bus, Record
from arena.bus.kafka import KafkaBus
from arena.clock import SystemClock
from arena.messages import AgentSpec, ChatRequest, LlmCall, Message, Turn
from arena.node import Node, serve_node
from arena.read_topic import for_each_record
from arena.settings import Settings
from chat_nodes.model import CallFailed, Model, ModelSettings, RawReply
from chat_nodes.node import ChatNodeSettings, serve_model
from chat_nodes.scripted.model import ScriptedModel
from judge.evaluations.llm.sampling import Sampling
from judge.evaluations.llm.service import TurnJudge, TurnJudgeOptions
from tests.judge.llm_judge.recorded import recorded_turns

DEADLINE_S = 40.0
CHAT_NODE = "opinions"
Kind = TypeVar("Kind", bound=Message)


class CountingModel:
    """The scripted model, which counts its calls, and may answer something else."""

    scripted = True

    def __init__(self, text: str | None = None) -> None:
        """Answer as the scripted model does; a text replaces its answers."""
        self._model = ScriptedModel(ModelSettings(model_id="scripted"))
        self.model_id, self.host, self.secrets = "scripted", "", self._model.secrets
        self.text = text
        self.call_ids: list[str] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def complete(self, request: ChatRequest, *, timeout_s: float) -> RawReply | CallFailed:
        """Answer the request."""
        self.call_ids.append(request.call_id)
        await self.may_answer.wait()
        if self.text is not None:
            return CallFailed(self.text, retryable=False)
        return await self._model.complete(request, timeout_s=timeout_s)

    async def close(self) -> None:
        """Close nothing."""


@asynccontextmanager
async def chat_node(settings: Settings, model: Model) -> AsyncIterator[Node]:
    """Run a chat node with its own connection."""

    async def serve(node: Node, _: None) -> None:
        await serve_model(node, model, ChatNodeSettings())

    node = Node("chat-node", CHAT_NODE, settings, KafkaBus(settings, client_id="n"), SystemClock())
    task = asyncio.create_task(serve_node(node, serve, None))
    try:
        await until(lambda: node.status == "running" or task.done())
        yield node
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def turn_judge(
    settings: Settings, sampling: Sampling, *, wait_s: float = 30.0
) -> AsyncIterator[TurnJudge]:
    """Run a judge of turns with its own connection; leaving the block is as sudden as a kill."""
    judges: list[TurnJudge] = []

    async def serve(node: Node, options: TurnJudgeOptions) -> None:
        judges.append(TurnJudge(node, options))
        await judges[0].serve()

    options = TurnJudgeOptions(CHAT_NODE, sampling, wait_s=wait_s)
    node = Node("judge", "judge", settings, KafkaBus(settings, client_id="j"), SystemClock())
    task = asyncio.create_task(serve_node(node, serve, options))
    try:
        await until(lambda: bool(judges) or task.done())
        yield judges[0]
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(true: Callable[[], bool]) -> None:
    """Wait until a condition is true, at most `DEADLINE_S`."""
    async with asyncio.timeout(DEADLINE_S):
        while not true():
            await asyncio.sleep(0.02)


async def in_topic(bus: Bus, spec: topics.TopicSpec, kind: type[Kind]) -> list[Kind]:
    """The messages of a kind in a topic."""
    found: list[Kind] = []

    def take(record: Record) -> None:
        message = record.message()
        if isinstance(message, kind):
            found.append(message)

    await for_each_record(bus, spec, take)
    return found


async def until_in_topic(
    bus: Bus, spec: topics.TopicSpec, kind: type[Kind], count: int
) -> list[Kind]:
    """Wait until a topic has so many messages of a kind, and return them."""
    async with asyncio.timeout(DEADLINE_S):
        while len(found := await in_topic(bus, spec, kind)) < count:
            await asyncio.sleep(0.1)
    return found


async def judge_calls(bus: Bus) -> list[LlmCall]:
    """The logged calls of the judge."""
    return [one for one in await in_topic(bus, topics.LLM_CALLS, LlmCall) if one.asker == "judge"]


def many_turns(count: int) -> list[Turn]:
    """Recorded turns under new ids, a minute of venue time apart."""
    recorded = [turn for turn in recorded_turns() if turn.agent != "random"]
    first = recorded[0].as_of
    return [
        recorded[n % len(recorded)].model_copy(
            update={"turn_id": ids.derive("test-turn", n), "as_of": first + timedelta(minutes=n)}
        )
        for n in range(count)
    ]


async def publish_turns(bus: Bus, turns: Iterable[Turn]) -> None:
    """Put agents on the roster, and append their turns."""
    await bus.ensure_topics([topics.TURNS, topics.ROSTER, topics.EVALUATIONS])
    for turn in turns:
        kind = "baseline" if turn.agent == "random" else "agent"
        spec = AgentSpec(
            agent=turn.agent, strategy=turn.strategy, node="rules", kind=kind, joined_at=turn.as_of
        )
        await bus.append(topics.ROSTER.name, spec, key=f"agent/{turn.agent}")
        await bus.append(topics.TURNS.name, turn, key=turn.agent)


@asynccontextmanager
async def both(settings: Settings, model: Model, sampling: Sampling) -> AsyncIterator[TurnJudge]:
    """Run a chat node and a judge."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(chat_node(settings, model))
        yield await stack.enter_async_context(turn_judge(settings, sampling))
