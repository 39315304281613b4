"""Whether `arena.control` lost records: by how far executors say they had read it.

Reads `arena.heartbeats`, once at a start. A halt is confirmed by a heartbeat that says how far the
topic was read. If the topic ends before that, it was cut, or deleted and created again, and a halt
may be gone with it: then everybody is halted until a later `arena resume`.
"""

import asyncio
from collections.abc import Iterable
from typing import NamedTuple, TypeGuard

import orjson

from arena import topics
from arena.bus.base import Bus, Record
from arena.switch import CONTROL_LOST, CONTROL_READ
from arena.whole_topic import read_whole

READ_S = 10.0
KIND = b"tools/"
"""How the key of an executor's heartbeats begins."""
SAID_MAX = 1_000
"""Offsets that are kept, the highest ones."""


class ReadBefore(NamedTuple):
    """What an executor said of `arena.control`.

    Attributes:
        offset: It had read everything before. at_ms: when, by the broker's clock; Unix
            milliseconds.
    """

    offset: int
    at_ms: int


async def read_before(bus: Bus, end: int) -> list[ReadBefore]:
    """What executors said, living and dead ones, of places past an offset.

    Every heartbeat counts that is still there, not only the newest of a process: another process
    may have the name of a dead one.

    Raises:
        TimeoutError: The heartbeats did not come in time.
        ArenaError: They may not, or cannot, be read.
    """
    newest: dict[int, int] = {}

    def take(record: Record) -> None:
        if record.key is None or not record.key.startswith(KIND):
            return
        for said in said_in(record):
            if said.offset > end:
                newest[said.offset] = max(said.at_ms, newest.get(said.offset, 0))
        if len(newest) > SAID_MAX:
            del newest[min(newest)]

    async with asyncio.timeout(READ_S):
        await read_whole(bus, topics.HEARTBEATS, take)
    return [ReadBefore(place, at_ms) for place, at_ms in newest.items()]


def newest_past(end: int, said: Iterable[ReadBefore]) -> ReadBefore | None:
    """How far past an offset any executor had read, and when the newest said so; None for none."""
    past = [one for one in said if one.offset > end]
    if not past:
        return None
    return ReadBefore(max(one.offset for one in past), max(one.at_ms for one in past))


def said_in(record: Record) -> list[ReadBefore]:
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
    pairs = ([read, record.timestamp_ms], lost)
    return [ReadBefore(*pair) for pair in pairs if _is_pair(pair)]


def _is_pair(pair: object) -> TypeGuard[list[int]]:
    return isinstance(pair, list) and len(pair) == 2 and all(type(one) is int for one in pair)
