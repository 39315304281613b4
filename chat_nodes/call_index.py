"""An index of this node's calls in `llm.calls`, so that no call is paid for twice.

It holds the location of each logged call, not the reply: a request is rarely redelivered (after a
crash or a rebalance), and then its call is read back and decoded again by the same decoder. Index
and daily budget are rebuilt from the log whenever the node gains partitions, because their last
owner may have been another process of the same name. All partitions of the log are read: some may
have been added since a call was logged.
"""

from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta

from arena import topics
from arena.bus.base import Bus, Record, Start
from arena.errors import BrokerUnavailable, Malformed
from arena.messages import LlmCall
from arena.read_topic import read_to_ends
from arena.topics import partition_of
from chat_nodes.budget import DailyBudget
from chat_nodes.earlier_requests import AnsweredRequest

CALLS_MAX = 20_000
WINDOW = timedelta(minutes=15)
"""Requests are asked again within minutes, because of their deadlines. Those that the group did not
commit are redelivered whenever the node starts again."""
SKEW = timedelta(minutes=5)
"""Largest difference between the clocks of routers and of chat nodes."""
READS_MAX = 20
"""Reads of one call before it is given up."""
LOG = topics.LLM_CALLS.name


class CallIndex:
    """Locations of the logged calls of this node's name, by call id.

    Args:
        bus: A connected bus.
        name: Name of the node.
        budget: Daily budget, restored together with the index.
    """

    def __init__(self, bus: Bus, name: str, budget: DailyBudget) -> None:
        """Start empty; `restore` reads the log."""
        self._bus = bus
        self._name = name
        self._budget = budget
        self._locations: OrderedDict[str, tuple[int, int]] = OrderedDict()

    async def partition(self) -> int:
        """The partition of `llm.calls` that this node's calls are written to."""
        return partition_of(self._name, await self._bus.partitions(LOG))

    def add(self, call_id: str, partition: int, offset: int) -> None:
        """Remember where a call was logged; the first record of a call counts."""
        self._locations.setdefault(call_id, (partition, offset))
        if len(self._locations) > CALLS_MAX:
            self._locations.popitem(last=False)

    async def restore(self, now: datetime, repeated_since_ms: int | None = None) -> int:
        """Rebuild index and budget from the log; returns how many calls were read.

        Args:
            now: Wall time.
            repeated_since_ms: When the oldest request that may be redelivered was written, in Unix
                milliseconds: its call was logged later. None if there is none.

        Raises:
            BrokerUnavailable: The log could not be read to its end.
        """
        self._locations.clear()
        self._budget.reset()
        since = now - WINDOW
        if self._budget.limit_tokens:
            since = min(since, now.replace(hour=0, minute=0, second=0, microsecond=0))
        since_ms = _ms(since)
        if repeated_since_ms is not None:
            since_ms = min(since_ms, repeated_since_ms - _ms_of(SKEW))
        found = 0
        async for records in self._read(since_ms):
            found += sum(self._fold(record) for record in records)
        return found

    async def missing(self, answered: Sequence[AnsweredRequest]) -> list[str]:
        """Call ids of the answered requests that have no call in the log.

        Args:
            answered: Answered requests, oldest first; some may be older than the restored window.

        Raises:
            BrokerUnavailable: The log could not be read to its end.
        """
        missing = [one for one in answered if one.request.call_id not in self._locations]
        if not missing:
            return []
        skew_ms = _ms_of(SKEW)
        until_ms = missing[-1].at_ms + skew_ms + _ms_of(WINDOW)
        ids, read = {one.request.call_id for one in missing}, 0
        async for records in self._read(missing[0].at_ms - skew_ms):
            for record in records:
                call = self._own_call(record)
                ids.discard("" if call is None else call.call_id)
            read += len(records)
            if not ids or min(record.timestamp_ms for record in records) > until_ms:
                break
            if read > CALLS_MAX:  # too much to prove anything
                return []
        return [one.request.call_id for one in missing if one.request.call_id in ids]

    async def _read(self, since_ms: int) -> AsyncIterator[list[Record]]:
        """Records of the log from a time up to its present end, in non-empty batches."""
        reader = await self._bus.log_reader(LOG, start=Start.since(since_ms))
        try:
            async with aclosing(read_to_ends(reader)) as batches:
                async for records in batches:
                    yield records
        finally:
            await reader.close()

    def _fold(self, record: Record) -> bool:
        call = self._own_call(record)
        if call is None:
            return False
        self.add(call.call_id, record.partition, record.offset)
        if not call.replayed:
            usage = call.usage
            tokens = usage.prompt_tokens + usage.completion_tokens
            self._budget.add(tokens, call.ended_at, estimated=usage.estimated)
        return True

    def _own_call(self, record: Record) -> LlmCall | None:
        return _logged_call(record) if record.key_text == self._name else None

    async def find(self, call_id: str) -> LlmCall | None:
        """The logged call of an id, or None if it was not answered yet."""
        location = self._locations.get(call_id)
        if location is None:
            return None
        partition, offset = location
        reader = await self._bus.partition_reader(
            LOG, partition, Start(offsets={(LOG, partition): offset})
        )
        try:
            for _ in range(READS_MAX):
                if records := await reader.read(max_records=1):
                    call = _logged_call(records[0])
                    return call if call is not None and call.call_id == call_id else None
        finally:
            await reader.close()
        raise BrokerUnavailable(f"{LOG}[{partition}]@{offset} could not be read back")


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _ms_of(length: timedelta) -> int:
    return int(length.total_seconds() * 1000)


def _logged_call(record: Record) -> LlmCall | None:
    """The call in a record of the log; None if the record holds something else."""
    try:
        message = record.message()
    except Malformed:
        return None
    return message if isinstance(message, LlmCall) else None
