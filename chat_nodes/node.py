"""A chat node: hands the requests of `ai_prompted.<node>` to one model and never stops polling.

Reads `ai_prompted.<node>` as the group `chat-node.<node>`, so processes of the same name share its
partitions; writes through `chat_nodes.request_handler`. Up to `max_workers` calls run at once, one
per agent. When the queues are full the partitions are paused, but still polled. The committed
offset is the low-water mark of answered requests; requests above it are redelivered after a crash
and answered from the log. Calls for partitions that another process took over are cancelled.
"""

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field

from arena import topics
from arena.bus.base import Assignment, GroupReader, Record
from arena.errors import MessageTooLarge
from arena.messages import ChatRequest
from arena.model_cutoffs import cutoff_of
from arena.model_prices import PriceList, load_prices
from arena.node import Node
from chat_nodes.budget import DailyBudget
from chat_nodes.call_index import CallIndex
from chat_nodes.earlier_requests import read_answered_requests, reply_to_error
from chat_nodes.model import Model
from chat_nodes.name_conflict import refuse_other_model
from chat_nodes.offsets import LowWaterMark
from chat_nodes.outside_model import outside_of
from chat_nodes.per_agent_queue import AgentQueues, Job
from chat_nodes.recordings import Recordings
from chat_nodes.request_handler import CallLimits, RequestHandler

GROUP = "chat-node"
"""Prefix of the group's name: the node's name alone may be the group of an agent."""
READ_TIMEOUT_S = 0.5
PAUSED_WAIT_S = 0.2
COMMIT_INTERVAL_S = 1.0
REBALANCE_GRACE_S = 5.0
"""A rebalance revokes every partition and mostly returns it, so calls may continue meanwhile."""
READ_RECORDS_MAX = 64
CLOSE_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class ChatNodeSettings:
    """Settings of a chat node.

    Attributes:
        max_workers: Calls at once.
        limits: Limits of one call.
        daily_token_budget: Tokens per UTC day; 0 for no limit.
        cutoff: Last month of the model's training data, if the operator states it; else "".
    """

    max_workers: int = 10
    limits: CallLimits = field(default_factory=CallLimits)
    daily_token_budget: int = 0
    cutoff: str = ""


class ChatNode:
    """The poll loop of one process.

    Args:
        node: A connected node.
        model: The model that answers.
        settings: Workers, limits, budget.
        recordings: File of replies, if they are recorded or replayed.
        prices: Prices of the known models; None for the arena's own list.
    """

    def __init__(
        self,
        node: Node,
        model: Model,
        settings: ChatNodeSettings,
        recordings: Recordings | None = None,
        prices: PriceList | None = None,
    ) -> None:
        """Create queues and index; `run` starts reading."""
        self._node = node
        self._settings = settings
        budget = DailyBudget(settings.daily_token_budget)
        self._call_index = CallIndex(node.bus, node.name, budget)
        prices = prices or load_prices()
        self._handler = RequestHandler(
            node,
            model,
            settings.limits,
            prices,
            budget,
            self._call_index,
            recordings,
            cutoff=settings.cutoff,
            outside=outside_of(model),
        )
        self._queues = AgentQueues(settings.max_workers, self._work, node.clock)
        self._low_water: dict[tuple[str, int], LowWaterMark] = defaultdict(LowWaterMark)
        self._end_when_gained: dict[tuple[str, int], int] = {}
        self._owned: Assignment = frozenset()
        self._lost_at_s: float | None = None
        self._paused = False
        self._inboxes: set[str] = set()
        self._committed_at_s = 0.0
        node.details |= {
            "model": model.model_id,
            "scripted": model.scripted,
            "base_url": model.host,
        }
        if not model.scripted and (cutoff := cutoff_of(model.model_id, settings.cutoff)):
            node.details["training_cutoff"] = cutoff

    async def run(self) -> None:
        """Serve until cancelled or an append fails."""
        node = self._node
        topic = topics.PROMPTED.member(node.name)
        await node.bus.ensure_topics([topic, topics.LLM_CALLS])
        reader = await node.bus.group_reader(f"{GROUP}.{node.name}", topic.name)
        try:
            while True:
                records = await self._read(reader)
                # In this order: the records may come from partitions that were just gained.
                await self._follow_assignment(reader)
                for record in records:
                    await self._enqueue(record)
                self._queues.check()
                if node.clock.monotonic() - self._committed_at_s >= COMMIT_INTERVAL_S:
                    await self._commit(reader)
        finally:
            await self._queues.close()
            with suppress(TimeoutError):
                async with node.clock.timeout(CLOSE_TIMEOUT_S):
                    await self._commit(reader)
            await reader.close()

    async def _read(self, reader: GroupReader) -> list[Record]:
        """The next records; none while the queues are full, but the group is still polled."""
        if not self._queues.full:
            if self._paused:
                reader.resume(self._owned)
                self._paused = False
            return await reader.read(timeout_s=READ_TIMEOUT_S, max_records=READ_RECORDS_MAX)
        # Pause again each time: after a rebalance the partitions are not paused.
        reader.pause(self._owned)
        self._paused = True
        await self._queues.wait_for_space(PAUSED_WAIT_S)
        return await reader.read(timeout_s=0, max_records=READ_RECORDS_MAX)

    async def _follow_assignment(self, reader: GroupReader) -> None:
        """Drop partitions that were lost, and read the log before serving those gained."""
        now_owned, node = reader.assignment(), self._node
        if now_owned == self._owned:
            self._lost_at_s = None
            return
        if not now_owned:
            self._lost_at_s = self._lost_at_s or node.clock.monotonic()
            if node.clock.monotonic() - self._lost_at_s < REBALANCE_GRACE_S:
                return
        self._lost_at_s = None
        self._queues.retain(now_owned)
        for partition in self._owned - now_owned:
            self._low_water.pop(partition, None)
            self._end_when_gained.pop(partition, None)
        gained = now_owned - self._owned
        self._owned = now_owned
        if gained:
            calls = await self._restore(gained, reader)
            node.log.info("partitions gained", partitions=len(gained), calls_in_log=calls)
        node.status = "running" if now_owned else "standby"
        await node.beat()

    async def _restore(self, gained: Assignment, reader: GroupReader) -> int:
        """Rebuild the index, report calls that the log lost, and return the number of calls."""
        node, call_index = self._node, self._call_index
        topic = topics.PROMPTED.member(node.name).name
        earlier = await read_answered_requests(node.bus, topic, gained, reader.resumed)
        self._end_when_gained |= {
            pair: earlier.ends[pair] for pair in gained if pair in earlier.ends
        }
        self._handler.replies.forget()
        calls = await call_index.restore(node.clock.now(), earlier.repeated_since_ms)
        if missing := await call_index.missing(earlier.answered):
            text = missing_calls_text(len(missing), len(earlier.answered))
            node.report_lost(topics.LLM_CALLS.name, await call_index.partition(), node.name, text)
        return calls

    async def _enqueue(self, record: Record) -> None:
        """Queue a record for its agent; skip one that was queued before or is not owned."""
        partition = (record.topic, record.partition)
        if partition not in self._owned or not self._low_water[partition].begin(record.offset):
            return
        message = await self._node.read_message(record)
        if message is None:
            self._low_water[partition].finish(record.offset)
            return
        error = ""
        if not isinstance(message, ChatRequest):
            error = f"a {message.type_name()} is not a ChatRequest"
        else:
            error = await self._reply_error(message)
        if error or not isinstance(message, ChatRequest):
            await self._node.dead_letter(record, error)
            self._low_water[partition].finish(record.offset)
            return
        self._queues.add(
            Job(record, message, record.offset < self._end_when_gained.get(partition, 0))
        )

    async def _reply_error(self, request: ChatRequest) -> str:
        """Why no reply can reach the asker; "" if one can. A missing inbox is created."""
        if error := reply_to_error(request):
            return error
        if request.reply_to not in self._inboxes:
            await self._node.bus.ensure_topics([topics.spec_of(request.reply_to)])
            self._inboxes.add(request.reply_to)
        return ""

    async def _work(self, job: Job) -> None:
        try:
            await self._handler.handle(job.request, repeated=job.repeated)
        except MessageTooLarge as error:
            await self._node.dead_letter(job.record, str(error))
        self._low_water[job.partition].finish(job.record.offset)

    async def _commit(self, reader: GroupReader) -> None:
        """Commit the offsets of answered requests, and update the gauges."""
        self._committed_at_s = self._node.clock.monotonic()
        positions = {p: mark.next_offset() for p, mark in self._low_water.items()}
        offsets = {p: offset for p, offset in positions.items() if offset is not None}
        if offsets:
            await reader.commit(offsets)
        self._node.gauges["in_flight"] = self._queues.running
        self._node.gauges["lag"] = await reader.lag()


def missing_calls_text(missing: int, answered: int) -> str:
    """The text about answered requests that have no call in the log."""
    return (
        f"{missing} of the last {answered} requests that were answered have no call in the log: it"
        " was cut, or created again (or an answer was too large, and dead_letters names it); those"
        " calls were paid for, and are not in the day's token budget"
    )


async def serve_model(
    node: Node,
    model: Model,
    settings: ChatNodeSettings,
    recordings: Recordings | None = None,
    prices: PriceList | None = None,
) -> None:
    """Serve a model on a connected node until cancelled.

    Raises:
        UsageError: A living process of the same name serves another model.
    """
    if recordings is not None:
        node.details["replies"] = recordings.mode
        facts = {"file": recordings.path.name, "calls": len(recordings)}
        node.log.info("recorded replies", mode=recordings.mode, **facts)
        if recordings.skipped:
            node.log.warning("skipped lines without a recorded reply", skipped=recordings.skipped)
    try:
        await refuse_other_model(node, model.model_id)
        await ChatNode(node, model, settings, recordings, prices).run()
    finally:
        await model.close()
