"""Appends a halt or resume, and waits until the owner of every shard that matters has read it.

Writes `arena.control`; reads `arena.heartbeats`. By offsets alone: clocks of hosts may differ.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import JsonValue

from arena import topics
from arena.broker_clock import BrokerClock
from arena.bus.base import EARLIEST, LATEST, Acked, Bus, LogReader
from arena.clock import SystemClock
from arena.errors import Malformed
from arena.living import is_living
from arena.messages import Halt, Heartbeat, Resume
from arena.skew import by_broker_clock
from arena.switch import CONFIRMED, key_of
from arena.topics import partition_of
from arena.visible import one_line

EXECUTORS = "tools"
"""The kind of process that holds an executor."""
READ_S = 0.2
LOOK_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of a halt or resume.

    Attributes:
        shards: Those that matter. seconds: until the last of them confirmed, or was given up.
        unconfirmed: Shard -> why its owner did not confirm.
    """

    shards: tuple[int, ...]
    seconds: float
    unconfirmed: Mapping[int, str]

    def document(self) -> dict[str, JsonValue]:
        """The JSON fields."""
        return {
            "confirmed": not self.unconfirmed,
            "confirmed_s": None if self.unconfirmed else self.seconds,
            "shards": [*self.shards],
            "unconfirmed": {str(shard): why for shard, why in self.unconfirmed.items()},
        }


async def ask(bus: Bus, message: Halt | Resume, wait_s: float) -> Asked:
    """Append the record and wait for the word of the owners.

    Args:
        bus: Connected.
        message: What is asked for.
        wait_s: How long to wait.
    """
    await bus.ensure_topics([topics.CONTROL, topics.HEARTBEATS, topics.EVENTS])
    count = await bus.partitions(topics.EVENTS.name)
    shards = range(count) if message.agent is None else [partition_of(message.agent, count)]
    beats = await bus.log_reader(topics.HEARTBEATS.name, start=LATEST)
    clock, broker_clock = asyncio.get_running_loop().time, BrokerClock(SystemClock())
    began, left = clock(), set(shards)
    try:
        message = message.model_copy(update={"at": datetime.now(UTC)})
        acked = await bus.append(topics.CONTROL.name, message, key=key_of(message.agent))
        try:
            async with asyncio.timeout(wait_s):
                while left:
                    for beat in await _read(beats):
                        broker_clock.tell(beat.at.timestamp() * 1_000, beat.host)
                        if isinstance(message, Resume) or names_halt(beat, message):
                            left -= confirmed_in(beat, acked)
        except TimeoutError:
            pass
    finally:
        await beats.close()
    seconds = clock() - began
    unconfirmed = {} if not left else why_not(left, await _newest(bus), broker_clock.now())
    return Asked(tuple(shards), seconds, unconfirmed)


def names_halt(beat: Heartbeat, halt: Halt) -> bool:
    """True where an executor's heartbeat lists the halt.

    An offset alone does not prove that it was read: in a topic that was recreated, one that an
    executor read before is higher.
    """
    halted = beat.details.get("halted")
    return isinstance(halted, list) and (halt.agent or "all") in halted


def confirmed_in(beat: Heartbeat, acked: Acked) -> set[int]:
    """The shards whose owner says in a heartbeat that it has read past a record."""
    said = beat.details.get(CONFIRMED)
    if beat.kind != EXECUTORS or not isinstance(said, dict):
        return set()
    found = set()
    for shard, of in said.items():
        read_to = of.get("read_to") if isinstance(of, dict) else None
        place = read_to.get(str(acked.partition)) if isinstance(read_to, dict) else None
        if isinstance(place, int) and place > acked.offset and shard.isdecimal():
            found.add(int(shard))
    return found


def why_not(shards: Iterable[int], beats: Iterable[Heartbeat], now: datetime) -> dict[int, str]:
    """Shard -> why nothing confirms for it.

    Args:
        shards: Those that are not confirmed.
        beats: The newest heartbeat of every process, oldest first.
        now: Wall time, by the clock that the heartbeats' times are of.
    """
    executors = [
        b for b in beats if b.kind == EXECUTORS and b.status != "stopping" and "halted" in b.details
    ]
    return {shard: _why_not(shard, executors, now) for shard in sorted(shards)}


def _why_not(shard: int, executors: list[Heartbeat], now: datetime) -> str:
    alive = [b for b in executors if is_living(b, now)]
    owners = [b for b in executors if _owns(b, shard)]
    owner = max(owners, key=lambda b: (b in alive, b.at), default=None)
    if owner is not None:
        return (
            f"shard {shard}: its owner {one_line(owner.node, 80)} did not answer"
            f" (last heartbeat {_age_s(owner, now):.0f} s ago)"
        )
    if alive:
        names = ", ".join(one_line(b.node, 80) for b in alive[:3])
        return f"no executor owns shard {shard}; on standby: {names}"
    return f"shard {shard}: no executor runs"


def _owns(beat: Heartbeat, shard: int) -> bool:
    shards = beat.details.get("shards")
    return isinstance(shards, list) and shard in shards


def _age_s(beat: Heartbeat, now: datetime) -> float:
    return max(0.0, (now - beat.at).total_seconds())


async def _newest(bus: Bus) -> list[Heartbeat]:
    """The newest heartbeat of every process, oldest first; what comes in time."""
    newest: dict[str, Heartbeat] = {}
    reader = await bus.log_reader(topics.HEARTBEATS.name, start=EARLIEST)
    try:
        async with asyncio.timeout(LOOK_TIMEOUT_S):
            while await reader.behind():
                for beat in await _read(reader):
                    newest.pop(beat.node, None)
                    newest[beat.node] = beat
    except TimeoutError:
        pass
    finally:
        await reader.close()
    return list(newest.values())


async def _read(reader: LogReader) -> list[Heartbeat]:
    """The next heartbeats, with the broker's times."""
    found = []
    for record in await reader.read(timeout_s=READ_S):
        try:
            message = record.message()
        except Malformed:
            continue  # `arena tail` shows it.
        if isinstance(message, Heartbeat):
            found.append(by_broker_clock(message, record.timestamp_ms))
    return found
