"""Checks whether `arena.control` lost records that executors, by their heartbeats, had read.

Reads `arena.heartbeats`, once at a start. A halt is confirmed by a heartbeat that says how far the
topic was read. If the topic ends before that, or has another record at the offset of the newest
one, it was cut, or deleted and created again, and a halt may be lost: then all agents are halted
until a later `arena resume`. A record that compaction removed proves nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import NamedTuple

import orjson
from pydantic import JsonValue

from arena import topics
from arena.bus.base import Bus, Record
from arena.kill_switch import CONTROL_LOST, CONTROL_READ
from arena.read_topic import for_each_record

READ_S = 10.0
TOOLS_KEY_PREFIX = b"tools/"
"""How the key of an executor's heartbeats begins."""
POSITIONS_MAX = 1_000
"""How many positions are kept, the newest ones."""
DIGEST_CHARS = 16


class ControlPosition(NamedTuple):
    """How far an executor had read `arena.control`, according to a heartbeat.

    Attributes:
        offset: The offset before which it had read everything.
        at_ms: The time of that heartbeat by the broker's clock, in Unix milliseconds.
        newest: Offset of the newest record it had read, -1 for none.
        digest: Digest of that record.
        is_lost: It found that the topic had lost records; the other fields are those of the
            executor that had read them.
    """

    offset: int
    at_ms: int
    newest: int = -1
    digest: str = ""
    is_lost: bool = False


async def read_control_positions(
    bus: Bus, contradicts_topic: Callable[[ControlPosition], bool]
) -> list[ControlPosition]:
    """Read the positions of executors, running or ended, that contradict the topic.

    Every heartbeat that is still there counts, not only the newest of a process, because another
    process may have the name of an ended one.

    Args:
        bus: Connected.
        contradicts_topic: True for a position that contradicts the topic as it was read.

    Raises:
        TimeoutError: The heartbeats did not come in time.
        ArenaError: They cannot be read, or reading them is not allowed.
    """
    found: dict[ControlPosition, ControlPosition] = {}

    def take(record: Record) -> None:
        if record.key is None or not record.key.startswith(TOOLS_KEY_PREFIX):
            return
        for position in positions_in(record):
            if contradicts_topic(position):
                key = position._replace(at_ms=0)
                found.pop(key, None)
                found[key] = position
        while len(found) > POSITIONS_MAX:
            del found[next(iter(found))]

    async with bus.clock.timeout(READ_S):
        await for_each_record(bus, topics.HEARTBEATS, take)
    return list(found.values())


def contradicts_topic(position: ControlPosition, end: int, digests: Mapping[int, str]) -> bool:
    """True if records are lost that an executor had read.

    Args:
        position: How far the executor had read.
        end: Where the topic ends.
        digests: Offset -> digest of the records that are in the topic.
    """
    if position.is_lost or position.offset > end:
        return True
    return digests.get(position.newest, position.digest) != position.digest


def latest_position(position: Iterable[ControlPosition]) -> ControlPosition | None:
    """The furthest offset of these positions with the newest of their times; None for none."""
    position = list(position)
    if not position:
        return None
    return ControlPosition(max(one.offset for one in position), max(one.at_ms for one in position))


def digest_of(record: Record) -> str:
    """A digest that differs between two records at the same offset."""
    whole = sha256(f"{record.timestamp_ms} {record.key!r} ".encode() + (record.value or b""))
    return whole.hexdigest()[:DIGEST_CHARS]


def position_detail(offset: int, newest: int, digest: str) -> dict[str, JsonValue]:
    """The heartbeat detail that says how far the topic was read."""
    return {"0": [offset, newest, digest]}


def positions_in(record: Record) -> list[ControlPosition]:
    """The positions in a heartbeat: its sender's, and one that it found lost."""
    try:
        body = orjson.loads(record.value or b"")
    except orjson.JSONDecodeError:
        return []
    details = body.get("details") if isinstance(body, dict) else None
    if not isinstance(details, dict):
        return []
    read, lost = (
        part.get("0") if isinstance(part := details.get(name), dict) else None
        for name in (CONTROL_READ, CONTROL_LOST)
    )
    found = []
    match read:
        case [int(offset), int(newest), str(digest)]:
            found.append(ControlPosition(offset, record.timestamp_ms, newest, digest))
    match lost:
        case [int(offset), int(at_ms)]:
            # A loss cannot be newer than its heartbeat: so a later resume ends it in any case.
            found.append(ControlPosition(offset, min(at_ms, record.timestamp_ms), is_lost=True))
    return found
