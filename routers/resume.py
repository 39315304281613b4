"""Reads what is needed to run an interrupted turn again: its snapshot and the replies so far.

In lock-step a turn that a crash interrupted is not lost. Its ids follow from its snapshot, so every
request it repeats is answered from the logs and carried out once. Replies that are already in the
agent's inbox are taken from there in their order, so the turn takes the same course as before.
Reads `market.snapshots` and `agent.inbox.<agent>`, writes nothing.
"""

from dataclasses import dataclass
from datetime import timedelta

from arena import topics
from arena.bus.base import EARLIEST, Record, Start
from arena.messages import ChatReply, MarketSnapshot, ToolResult, TurnStarted
from arena.node import Node
from routers.log_reading import records_until
from routers.reply_buffer import REPLIES_MAX, Reply

CLOCK_MARGIN = timedelta(minutes=1)
"""How far this machine's clock may differ from those of the inbox's writers."""


@dataclass(frozen=True, slots=True)
class InterruptedTurn:
    """A turn that was started and not finished.

    Attributes:
        started: The record of its start.
        record: Its snapshot.
        replies: Replies to it in the inbox, oldest first.
    """

    started: TurnStarted
    record: Record
    replies: tuple[Reply, ...]


async def read_interrupted_turn(
    node: Node, agent: str, started: TurnStarted
) -> InterruptedTurn | None:
    """Return what is needed to run a turn again, or None if its snapshot is not the newest.

    Raises:
        BrokerUnavailable: The records did not come in time.
    """
    record = await _newest_snapshot(node, started.snapshot_offset)
    if record is None or not _is_snapshot(record, started.snapshot_id):
        return None
    return InterruptedTurn(started, record, await _read_replies(node, agent, started))


def _is_snapshot(record: Record, snapshot_id: str) -> bool:
    """True if a record is that snapshot; a truncated log may have another one at its offset."""
    message = record.message_or_none()
    return isinstance(message, MarketSnapshot) and message.snapshot_id == snapshot_id


async def _newest_snapshot(node: Node, offset: int) -> Record | None:
    """The snapshot at an offset; None if there is a newer one, or if it was deleted meanwhile."""
    topic = topics.SNAPSHOTS.name
    reader = await node.bus.partition_reader(topic, 0, EARLIEST)
    try:
        begin, end = reader.position(topic, 0), (await reader.end_offsets())[(topic, 0)]
        if end != offset + 1 or begin > offset:
            return None
        reader.seek(topic, 0, offset)
        found = [r async for r in records_until(reader, topic, 0, offset + 1)]
        return found[0] if found and found[0].offset == offset else None
    finally:
        await reader.close()


async def _read_replies(node: Node, agent: str, started: TurnStarted) -> tuple[Reply, ...]:
    topic = topics.inbox(agent)
    since_ms = int((started.started_at - CLOCK_MARGIN).timestamp() * 1000)
    reader = await node.bus.partition_reader(topic, 0, Start.since(since_ms))
    found: list[Reply] = []
    try:
        end = (await reader.end_offsets())[(topic, 0)]
        async for record in records_until(reader, topic, 0, end):
            message = await node.read_message(record)
            if isinstance(message, ChatReply | ToolResult) and message.turn_id == started.turn_id:
                found.append(message)
    finally:
        await reader.close()
    return tuple(found[:REPLIES_MAX])
