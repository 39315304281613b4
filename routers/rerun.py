"""What a turn that a crash cut off is run again with: its snapshot, and what was answered before.

In lock-step such a turn is not lost. Its ids follow from its snapshot, so whatever it asks again is
answered from the logs and carried out once; and what already lies in the agent's inbox is taken
from there, first answer first, so the turn takes the course it was taking. Reads
`market.snapshots` and `agent.inbox.<agent>`, writes nothing.
"""

from dataclasses import dataclass
from datetime import timedelta

from arena import topics
from arena.bus.base import EARLIEST, LogReader, Record, Start
from arena.errors import BrokerUnavailable, Malformed
from arena.messages import ChatReply, MarketSnapshot, ToolResult, TurnStarted
from arena.node import Node
from routers.mail import MAIL_MAX, Answer

CLOCK_MARGIN = timedelta(minutes=1)
"""How far the clocks of this machine and of those that wrote the inbox may differ."""
READ_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class CutOff:
    """A turn that was begun and not ended.

    Attributes:
        record: Its snapshot. answers: what the inbox holds for it, oldest first.
    """

    record: Record
    answers: tuple[Answer, ...]


async def read_cut_off(node: Node, agent: str, started: TurnStarted) -> CutOff | None:
    """What is needed to run a turn again; None where the market has moved on without it.

    Raises:
        BrokerUnavailable: The topics did not answer in time.
    """
    record = await _newest_snapshot(node, started.snapshot_offset)
    if record is None or not _is_snapshot(record, started.snapshot_id):
        return None
    return CutOff(record, await _answers(node, agent, started))


def _is_snapshot(record: Record, snapshot_id: str) -> bool:
    """True where a record is that snapshot: a log that was cut may have another at its offset."""
    try:
        message = record.message()
    except Malformed:
        return False
    return isinstance(message, MarketSnapshot) and message.snapshot_id == snapshot_id


async def _newest_snapshot(node: Node, offset: int) -> Record | None:
    """The snapshot at an offset; None if one is after it, or if it was deleted meanwhile."""
    topic = topics.SNAPSHOTS.name
    reader = await node.bus.partition_reader(topic, 0, EARLIEST)
    try:
        begin, end = reader.position(topic, 0), (await reader.end_offsets())[(topic, 0)]
        if end != offset + 1 or begin > offset:
            return None
        reader.seek(topic, 0, offset)
        records = await _read_until(node, reader, topic, offset + 1)
        return records[0] if records and records[0].offset == offset else None
    finally:
        await reader.close()


async def _answers(node: Node, agent: str, started: TurnStarted) -> tuple[Answer, ...]:
    topic = topics.inbox(agent)
    since_ms = int((started.started_at - CLOCK_MARGIN).timestamp() * 1000)
    reader = await node.bus.partition_reader(topic, 0, Start.since(since_ms))
    found: list[Answer] = []
    try:
        end = (await reader.end_offsets())[(topic, 0)]
        for record in await _read_until(node, reader, topic, end):
            message = await node.read_message(record)
            if isinstance(message, ChatReply | ToolResult) and message.turn_id == started.turn_id:
                found.append(message)
    finally:
        await reader.close()
    return tuple(found[:MAIL_MAX])


async def _read_until(node: Node, reader: LogReader, topic: str, end: int) -> list[Record]:
    deadline_s = node.clock.monotonic() + READ_TIMEOUT_S
    found: list[Record] = []
    while reader.position(topic, 0) < end:
        records = await reader.read(timeout_s=0.5)
        found += [record for record in records if record.offset < end]
        if not records and node.clock.monotonic() > deadline_s:
            raise BrokerUnavailable(
                f"{topic} gave no record for {READ_TIMEOUT_S:g} s before its end {end}"
            )
    return found
