"""Whether `arena.control` lost records: by what executors say they had read of it.

Reads `arena.heartbeats`, once at a start. A halt is confirmed by a heartbeat that says how far the
topic was read. If the topic ends before that, or has another record where the newest one was, then
it was cut, or deleted and created again, and a halt may be gone with it: then everybody is halted
until a later `arena resume`. A record that compaction took away proves nothing.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import NamedTuple

import orjson
from pydantic import JsonValue

from arena import topics
from arena.bus.base import Bus, Record
from arena.kill_switch import CONTROL_LOST, CONTROL_READ
from arena.read_topic import read_whole

READ_S = 10.0
TOOLS_KEY_PREFIX = b"tools/"
"""How the key of an executor's heartbeats begins."""
POSITIONS_MAX = 1_000
"""Places that are kept, the newest ones."""
DIGEST_CHARS = 16


class ControlPosition(NamedTuple):
    """What an executor said of `arena.control`.

    Attributes:
        offset: It had read everything before. at_ms: when, by the broker's clock; Unix
            milliseconds.
        newest: Offset of the newest record it had read, -1 for none. digest: of that record.
        is_lost: It found that the topic had lost records; all else is of the one that had read
            them.
    """

    offset: int
    at_ms: int
    newest: int = -1
    digest: str = ""
    is_lost: bool = False


async def read_control_positions(
    bus: Bus, contradicts_topic: Callable[[ControlPosition], bool]
) -> list[ControlPosition]:
    """What executors said, living and dead ones, that does not fit the topic.

    Every heartbeat counts that is still there, not only the newest of a process: another process
    may have the name of a dead one.

    Args:
        bus: Connected.
        is_gone: True for a place that does not fit the topic as it was read.

    Raises:
        TimeoutError: The heartbeats did not come in time.
        ArenaError: They may not, or cannot, be read.
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

    async with asyncio.timeout(READ_S):
        await read_whole(bus, topics.HEARTBEATS, take)
    return list(found.values())


def contradicts_topic(position: ControlPosition, end: int, digests: Mapping[int, str]) -> bool:
    """True if records are gone that an executor had read.

    Args:
        said: By the executor.
        end: Where the topic ends.
        digests: Offset -> digest of the records that are in the topic.
    """
    if position.is_lost or position.offset > end:
        return True
    return digests.get(position.newest, position.digest) != position.digest


def latest_position(position: Iterable[ControlPosition]) -> ControlPosition | None:
    """How far any executor had read, and when the newest of them said so; None for none."""
    position = list(position)
    if not position:
        return None
    return ControlPosition(max(one.offset for one in position), max(one.at_ms for one in position))


def digest_of(record: Record) -> str:
    """Tells a record from another one at the same offset."""
    whole = sha256(f"{record.timestamp_ms} {record.key!r} ".encode() + (record.value or b""))
    return whole.hexdigest()[:DIGEST_CHARS]


def position_detail(offset: int, newest: int, digest: str) -> dict[str, JsonValue]:
    """The detail of a heartbeat that says how far the topic was read."""
    return {"0": [offset, newest, digest]}


def positions_in(record: Record) -> list[ControlPosition]:
    """What a heartbeat says of how far `arena.control` was read, by its sender or before."""
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
            # No executor was told of it after it said so: a later resume ends it, whatever is said.
            found.append(ControlPosition(offset, min(at_ms, record.timestamp_ms), is_lost=True))
    return found
