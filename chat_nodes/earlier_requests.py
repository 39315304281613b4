"""What was answered before this node was given its partitions: by it, or by another of its name.

Reads `ai_prompted.<node>` up to where its group was, and the inboxes of agents. Each request before
that place was answered, so its call must be in `llm.calls`; a request behind it may have been
answered, and if its call is not in the log, the reply in the agent's inbox shows it. Writes
nothing.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from arena import topics
from arena.bus.base import Assignment, Bus, LogReader, Record
from arena.errors import BrokerUnavailable, Malformed, UsageError
from arena.ids import check_name
from arena.messages import ChatReply, ChatRequest

ANSWERED_MAX = 8
"""Answered requests that are held against the log: the newest ones."""
INBOX_RECORDS_MAX = 100
"""Records of an inbox that are looked at: the newest ones."""
INBOXES_MAX = 32
READ_S = 0.5
STALLED_READS_MAX = 20

Pair = tuple[str, int]


@dataclass(frozen=True, slots=True)
class AnsweredRequest:
    """A request that was answered, and when its record was written, Unix milliseconds."""

    at_ms: int
    request: ChatRequest


@dataclass(frozen=True, slots=True)
class EarlierRequests:
    """The requests that were there when partitions were gained.

    Attributes:
        handled: The newest of those before the group's place, oldest first.
        ends: Partition -> the offset behind its last record.
    """

    handled: tuple[AnsweredRequest, ...]
    ends: Mapping[Pair, int]


def reply_to_error(reply_to: str) -> str:
    """Why a topic is not the inbox of an agent; "" if it is one."""
    prefix = topics.INBOX.name
    name = reply_to.removeprefix(prefix)
    try:
        check_name("agent", name)
    except UsageError as error:
        return str(error)
    return "" if reply_to == prefix + name else f"reply_to {reply_to!r} is not {prefix}<agent>"


async def read_answered_requests(
    bus: Bus, topic: str, gained: Assignment, resumed: Mapping[Pair, int]
) -> EarlierRequests:
    """Read the newest requests before the places of a group.

    Args:
        bus: Connected.
        topic: The node's requests.
        gained: Partitions that the node was given.
        resumed: Partition -> where its group was.

    Raises:
        BrokerUnavailable: They did not come in time.
    """
    reader = await bus.log_reader(topic)
    try:
        ends = await reader.end_offsets()
        places: dict[Pair, int] = {}
        for pair, end in ends.items():
            place = min(resumed.get(pair, 0), end) if pair in gained else 0
            first = max(reader.position(*pair), place - ANSWERED_MAX)
            places[pair] = place
            reader.seek(*pair, first if first < place else end)
        records = await _read_to(reader, places)
    finally:
        await reader.close()
    handled = [
        AnsweredRequest(record.timestamp_ms, message)
        for record in records
        if record.offset < places[record.topic, record.partition]
        and isinstance(message := _message(record), ChatRequest)
        and not reply_to_error(message.reply_to)  # it is in dead_letters, and has no call
    ]
    handled.sort(key=lambda one: one.at_ms)
    return EarlierRequests(tuple(handled[-ANSWERED_MAX:]), ends)


class InboxReplies:
    """Replies that are in the inboxes of agents; each inbox is read once until `forget`.

    Args:
        bus: Connected.
    """

    def __init__(self, bus: Bus) -> None:
        """Read no inbox yet."""
        self._bus = bus
        self._inboxes: OrderedDict[str, dict[str, ChatReply]] = OrderedDict()

    def forget(self) -> None:
        """Read the inboxes again when they are asked for: another process may have written."""
        self._inboxes.clear()

    async def find(self, request: ChatRequest) -> ChatReply | None:
        """The first reply to a request among the newest records of its inbox, or None.

        Raises:
            BrokerUnavailable: The inbox could not be read in time.
            UsageError: This login may not read it; until `forget` it is not asked again.
        """
        topic = request.reply_to
        if topic not in self._inboxes:
            try:
                self._inboxes[topic] = await self._read(topic)
            except UsageError:
                self._inboxes[topic] = {}
                raise
            if len(self._inboxes) > INBOXES_MAX:
                self._inboxes.popitem(last=False)
        return self._inboxes.get(topic, {}).get(request.call_id)

    async def _read(self, topic: str) -> dict[str, ChatReply]:
        reader = await self._bus.log_reader(topic)
        try:
            ends = await reader.end_offsets()
            for pair, end in ends.items():
                reader.seek(*pair, max(reader.position(*pair), end - INBOX_RECORDS_MAX))
            records = await _read_to(reader, ends)
        finally:
            await reader.close()
        found: dict[str, ChatReply] = {}
        for record in records:
            if record.kind == "ChatReply" and isinstance(reply := _message(record), ChatReply):
                found.setdefault(reply.call_id, reply)
        return found


async def _read_to(reader: LogReader, places: Mapping[Pair, int]) -> list[Record]:
    """Everything up to a place in each partition, and perhaps some records more."""
    found: list[Record] = []
    stalled = 0
    while any(reader.position(*pair) < place for pair, place in places.items()):
        records = await reader.read(timeout_s=READ_S)
        found += records
        stalled = 0 if records else stalled + 1
        if stalled > STALLED_READS_MAX:
            names = ", ".join(sorted({topic for topic, _ in places}))
            raise BrokerUnavailable(f"{names} could not be read to the end")
    return found


def _message(record: Record) -> object:
    try:
        return record.message()
    except Malformed:
        return None
