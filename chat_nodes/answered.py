"""Which calls this node has answered, so that none is paid for twice: an index of `llm.calls`.

It holds the place of each logged call in the log, not the reply: a request that comes a second
time (after a crash or a rebalance) is rare, and its reply is read back and decoded again by the
same decoder. The index is rebuilt from the log whenever the node gains partitions, because their
last owner may have been another process of the same name; the day's budget with it.
"""

from collections import OrderedDict
from datetime import datetime, timedelta

from arena import topics
from arena.bus.base import Bus, Record, Start
from arena.errors import BrokerUnavailable, Malformed
from arena.messages import LlmCall
from arena.topics import partition_of
from chat_nodes.budget import DailyBudget

CALLS_MAX = 20_000
WINDOW = timedelta(minutes=15)
"""Requests are redelivered within seconds of a crash; their deadlines are minutes at most."""
STALLED_READS_MAX = 20


class AnsweredCalls:
    """The calls in the log of this node's name, by call id.

    Args:
        bus: Connected.
        name: Of the node.
        budget: Restored together with the index.
    """

    def __init__(self, bus: Bus, name: str, budget: DailyBudget) -> None:
        """Know nothing before `restore`."""
        self._bus = bus
        self._name = name
        self._budget = budget
        self._offsets: OrderedDict[str, int] = OrderedDict()

    async def partition(self) -> int:
        """The partition of `llm.calls` that holds this node's calls."""
        return partition_of(self._name, await self._bus.partitions(topics.LLM_CALLS.name))

    def note(self, call_id: str, offset: int) -> None:
        """Remember where a call was logged; the first record of a call counts."""
        self._offsets.setdefault(call_id, offset)
        if len(self._offsets) > CALLS_MAX:
            self._offsets.popitem(last=False)

    async def restore(self, now: datetime) -> int:
        """Rebuild index and budget from the log; returns how many calls were read.

        Raises:
            BrokerUnavailable: The log could not be read to its end.
        """
        self._offsets.clear()
        self._budget.reset()
        since = now - WINDOW
        if self._budget.limit_tokens:
            since = min(since, now.replace(hour=0, minute=0, second=0, microsecond=0))
        start = Start.since(int(since.timestamp() * 1000))
        log = topics.LLM_CALLS.name
        reader = await self._bus.partition_reader(log, await self.partition(), start)
        found = stalled = 0
        try:
            (end,) = (await reader.end_offsets()).values()
            while reader.position(log, await self.partition()) < end:
                records = await reader.read()
                stalled = 0 if records else stalled + 1
                if stalled > STALLED_READS_MAX:
                    raise BrokerUnavailable(f"{log} could not be read up to offset {end:,}")
                found += sum(self._fold(record) for record in records)
        finally:
            await reader.close()
        return found

    def _fold(self, record: Record) -> bool:
        call = _logged_call(record) if record.key_text == self._name else None
        if call is None:
            return False
        self.note(call.call_id, record.offset)
        if not call.replayed:
            usage = call.usage
            tokens = usage.prompt_tokens + usage.completion_tokens
            self._budget.add(tokens, call.ended_at, estimated=usage.estimated)
        return True

    async def find(self, call_id: str) -> LlmCall | None:
        """The logged call of an id, or None where it was not answered yet."""
        offset = self._offsets.get(call_id)
        if offset is None:
            return None
        log, partition = topics.LLM_CALLS.name, await self.partition()
        place = Start(offsets={(log, partition): offset})
        reader = await self._bus.partition_reader(log, partition, place)
        try:
            for _ in range(STALLED_READS_MAX):
                if records := await reader.read(max_records=1):
                    call = _logged_call(records[0])
                    return call if call is not None and call.call_id == call_id else None
        finally:
            await reader.close()
        raise BrokerUnavailable(f"{log}[{partition}]@{offset} could not be read back")


def _logged_call(record: Record) -> LlmCall | None:
    """The call in a record of the log; None where it holds something else."""
    try:
        message = record.message()
    except Malformed:
        return None
    return message if isinstance(message, LlmCall) else None
