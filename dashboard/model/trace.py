"""Finds the records of one order: each by its place, or in a stretch of time around its turn."""

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import orjson

from arena import ids, topics
from arena.bus.base import LATEST, Bus, LogReader, Record, Start
from arena.errors import Malformed
from arena.messages import ChatReply, ChatRequest, LlmCall, Message, OrderDecided, Turn
from arena.topics import partition_of
from dashboard.model import trace_checks as steps
from dashboard.model.history import TIMEOUT_S, History, in_time, read_block
from dashboard.model.order_index import newest_places
from dashboard.model.queries import UnknownName
from dashboard.model.results.trace import Trace
from dashboard.model.view import ArenaView

EVENTS = topics.EVENTS.name
BLOCK = 500
ORDERS_MAX = 20_000
"""Newest orders that are searched; older ones are traced by `arena audit trace`."""
BEFORE_MAX = 200
"""Records before an event among which the one before it is searched: most count."""
MARGIN = timedelta(minutes=2)
"""Hosts' clocks may differ: records are searched so long before and after a turn."""
RECORDS_MAX = 20_000
"""Most records that are searched for one step."""


class Tracer:
    """Finds the records of orders.

    Args:
        bus: The connected bus.
        history: Reads turns.
    """

    def __init__(self, bus: Bus, history: History) -> None:
        """Open no reader yet."""
        self._bus = bus
        self._history = history

    async def trace(self, view: ArenaView, order_id: str, *, hide_prompts: bool = False) -> Trace:
        """The records of an order, with what can be checked.

        Args:
            view: The view.
            order_id: Its id.
            hide_prompts: Leave out what contains prompts.

        Raises:
            UnknownName: There is no such order among the newest `ORDERS_MAX`.
            BrokerUnavailable: The records did not come in time.
        """
        async with in_time(self._bus):
            return await self._trace(view, order_id, hide_prompts=hide_prompts)

    async def _trace(self, view: ArenaView, order_id: str, *, hide_prompts: bool) -> Trace:
        event = await self._event(view, order_id)
        order = event.message()
        assert isinstance(order, OrderDecided), "it was found by its type"
        records = {steps.ORDER: event}
        found = {
            steps.BEFORE: await self._event_before(event, order.prev),
            steps.COMMAND: await self._record(
                topics.COMMANDS.name, order.source.partition, order.source.offset
            ),
            steps.TURN: await self._turn(view, order),
        }
        if order.used is not None:
            place = order.used.partition, order.used.offset
            found[steps.USED] = await self._record(topics.TICKERS.name, *place)
        if (turn := found[steps.TURN]) is not None:
            ended = turn.message()
            assert isinstance(ended, Turn), "it was found by its type"
            found |= await self._of_turn(order, ended)
        records |= {name: record for name, record in found.items() if record is not None}
        return steps.make_trace(order_id, records, hide_prompts=hide_prompts)

    async def _event(self, view: ArenaView, order_id: str) -> Record:
        """The event that decided an order."""
        offsets: dict[int, list[int]] = {}
        for number, place in enumerate(newest_places(view.accounts.orders)):
            if number >= ORDERS_MAX:
                break
            offsets.setdefault(place.partition, []).append(place.offset)
        wanted = order_id.encode()
        for partition, known in offsets.items():
            counted = set(known)
            for end in range(known[0] + 1, known[-1], -BLOCK):
                first = max(known[-1], end - BLOCK)
                for record in await self._block(EVENTS, partition, first, end):
                    # The log also has events that do not count.
                    value = record.value or b""
                    is_one = wanted in value and record.offset in counted
                    if is_one and orjson.loads(value).get("order_id") == order_id:
                        return record
        raise UnknownName(
            f"unknown order {order_id[:100]!r}",
            remedy="list them with /api/v1/trades; `arena audit trace` finds older ones",
        )

    async def _event_before(self, event: Record, digest: str) -> Record | None:
        """The record whose digest an event names; the ones between them do not count."""
        first = max(0, event.offset - BEFORE_MAX)
        for record in reversed(await self._block(EVENTS, event.partition, first, event.offset)):
            value = record.value or b""
            before = str(orjson.loads(value).get("prev", "")) if value else ""
            if hashlib.sha256(before.encode() + value).hexdigest() == digest:
                return record
        return None

    async def _turn(self, view: ArenaView, order: OrderDecided) -> Record | None:
        try:
            turn = await self._history.turn(view, order.agent, order.turn_id)
        except UnknownName:
            return None
        return await self._record(topics.TURNS.name, *turn.summary.place)

    async def _of_turn(self, order: OrderDecided, turn: Turn) -> dict[str, Record | None]:
        """The snapshot, and the model call that asked for the order."""
        rounds = turn.rounds[order.round : order.round + 1]
        named = (rounds[0].stage, rounds[0].role) if rounds else ("", "")
        call_id = ids.model_call_id(turn.turn_id, order.round, *named)

        def is_call(kind: type[ChatRequest | ChatReply | LlmCall]) -> Callable[[Message], bool]:
            return lambda message: isinstance(message, kind) and message.call_id == call_id

        span = turn.started_at, turn.ended_at
        return {
            steps.SNAPSHOT: await self._record(topics.SNAPSHOTS.name, 0, turn.snapshot_offset),
            steps.REPLY: await self._search(
                topics.inbox(order.agent), None, *span, call_id, is_call(ChatReply)
            ),
            steps.CALL: await self._search(
                topics.LLM_CALLS.name, turn.node, *span, call_id, is_call(LlmCall)
            ),
            steps.REQUEST: await self._search(
                topics.prompted(turn.node), order.agent, *span, call_id, is_call(ChatRequest)
            ),
        }

    async def _search(
        self,
        topic: str,
        key: str | None,
        began: datetime,
        ended: datetime,
        text: str,
        is_wanted: Callable[[Message], bool],
    ) -> Record | None:
        """The first record of a stretch of time that is wanted.

        Args:
            topic: The topic.
            key: The key of the record; None for any partition.
            began: Start of the stretch.
            ended: Its end.
            text: A text in the record.
            is_wanted: Decides by the message.
        """
        if not await self._bus.existing_topics([topic]):
            return None
        count = await self._bus.partitions(topic)
        partitions = range(count) if key is None else [partition_of(key, count)]
        start = Start.since(int((began - MARGIN).timestamp() * 1000))
        until_ms = (ended + MARGIN).timestamp() * 1000
        for partition in partitions:
            async with self._reader(topic, partition, start) as reader:
                async for record in _to_end(reader, topic, partition):
                    if record.timestamp_ms > until_ms:
                        break
                    if text.encode() in (record.value or b"") and _is(record, is_wanted):
                        return record
        return None

    async def _record(self, topic: str, partition: int, offset: int) -> Record | None:
        """The record at a place; None if it is gone."""
        if not await self._bus.existing_topics([topic]):
            return None
        if partition >= await self._bus.partitions(topic):
            return None
        async with self._reader(topic, partition, LATEST) as reader:
            if offset >= (await reader.end_offsets())[topic, partition]:
                return None
            record = await reader.record_at(topic, partition, offset, timeout_s=TIMEOUT_S)
        return record if record is not None and record.offset == offset else None

    async def _block(self, topic: str, partition: int, first: int, end: int) -> list[Record]:
        async with self._reader(topic, partition, LATEST) as reader:
            return await read_block(reader, topic, partition, first, end, at_once=BLOCK)

    @asynccontextmanager
    async def _reader(self, topic: str, partition: int, start: Start) -> AsyncIterator[LogReader]:
        reader = await self._bus.partition_reader(topic, partition, start)
        try:
            yield reader
        finally:
            await reader.close()


async def _to_end(reader: LogReader, topic: str, partition: int) -> AsyncIterator[Record]:
    """The records up to the present end; at most `RECORDS_MAX`."""
    end = (await reader.end_offsets())[topic, partition]
    count = 0
    while reader.position(topic, partition) < end and count < RECORDS_MAX:
        records = await reader.read(timeout_s=TIMEOUT_S, max_records=BLOCK)
        if not records:
            return
        count += len(records)
        for record in records:
            yield record


def _is(record: Record, is_wanted: Callable[[Message], bool]) -> bool:
    try:
        return is_wanted(record.message())
    except Malformed:
        return False
