"""Requests that this node, or another process of its name, answered before it got its partitions.

Reads `ai_prompted.<node>` up to the group's committed offsets, and the inboxes of agents. Each
request below a committed offset was answered, so its call must be in `llm.calls`. A request above
it may have been answered: if its call is not in the log, the reply in the agent's inbox shows it.
Writes nothing.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from arena import topics
from arena.bus.base import Assignment, Bus
from arena.errors import UsageError
from arena.ids import check_name
from arena.messages import ChatReply, ChatRequest
from arena.read_topic import read_list

ANSWERED_MAX = 8
"""Number of newest answered requests that are looked up in the log."""
INBOX_RECORDS_MAX = 100
"""Number of newest records of an inbox that are read."""
INBOXES_MAX = 32

Pair = tuple[str, int]


@dataclass(frozen=True, slots=True)
class AnsweredRequest:
    """An answered request, and when its record was written, in Unix milliseconds."""

    at_ms: int
    request: ChatRequest


@dataclass(frozen=True, slots=True)
class EarlierRequests:
    """The requests that a topic held when partitions were gained.

    Attributes:
        answered: The newest requests below the group's committed offsets, oldest first.
        ends: Partition -> the end offset at that time.
        repeated_since_ms: When the oldest request above a committed offset was written, in Unix
            milliseconds; None if there is none. A node that was stopped before it could commit may
            have answered it, however long ago.
    """

    answered: tuple[AnsweredRequest, ...]
    ends: Mapping[Pair, int]
    repeated_since_ms: int | None = None


def reply_to_error(request: ChatRequest) -> str:
    """Why a request's `reply_to` is not an inbox of its asker; "" if it is one."""
    reply_to = request.reply_to
    if (spec := topics.ASKER_INBOXES.get(request.asker)) is not None:
        return "" if reply_to == spec.name else f"reply_to {reply_to!r} is not {spec.name}"
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
    """Read the newest requests below the committed offsets of a group.

    Args:
        bus: A connected bus.
        topic: Topic of the node's requests.
        gained: Partitions that the node gained.
        resumed: Partition -> the offset at which the group resumes.

    Raises:
        BrokerUnavailable: The records did not arrive in time.
    """
    reader = await bus.log_reader(topic)
    try:
        ends = await reader.end_offsets()
        targets: dict[Pair, int] = {}
        stops: dict[Pair, int] = {}
        for pair, end in ends.items():
            begin = reader.position(*pair)
            target = min(max(resumed.get(pair, 0), begin), end) if pair in gained else end
            # The record at the target is the oldest that may be repeated.
            first, stop = max(begin, target - ANSWERED_MAX), min(target + 1, end)
            targets[pair], stops[pair] = target, stop
            reader.seek(*pair, first if pair in gained and first < stop else end)
        records = await read_list(reader, {pair: stops[pair] for pair in gained if pair in stops})
    finally:
        await reader.close()
    above = [one for one in records if one.offset >= targets[one.topic, one.partition]]
    answered = [
        AnsweredRequest(record.timestamp_ms, message)
        for record in records
        if record.offset < targets[record.topic, record.partition]
        and isinstance(message := record.message_or_none(), ChatRequest)
        and not reply_to_error(message)  # such a request has no call, but a dead letter
    ]
    answered.sort(key=lambda one: one.at_ms)
    since_ms = min((record.timestamp_ms for record in above), default=None)
    return EarlierRequests(tuple(answered[-ANSWERED_MAX:]), ends, since_ms)


class InboxReplies:
    """Replies in the inboxes of agents; each inbox is read once until `forget`.

    Args:
        bus: A connected bus.
    """

    def __init__(self, bus: Bus) -> None:
        """Start empty; `find` reads an inbox when it is first needed."""
        self._bus = bus
        self._inboxes: OrderedDict[str, dict[str, ChatReply]] = OrderedDict()

    def forget(self) -> None:
        """Drop what was read: another process may have written to the inboxes since."""
        self._inboxes.clear()

    async def find(self, request: ChatRequest) -> ChatReply | None:
        """The first reply to a request among the newest records of its inbox, or None.

        Raises:
            BrokerUnavailable: The inbox could not be read in time.
            UsageError: This login may not read it; it is not tried again until `forget`.
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
            records = await read_list(reader, ends)
        finally:
            await reader.close()
        found: dict[str, ChatReply] = {}
        for record in records:
            if record.kind == "ChatReply" and isinstance(
                reply := record.message_or_none(), ChatReply
            ):
                found.setdefault(reply.call_id, reply)
        return found
