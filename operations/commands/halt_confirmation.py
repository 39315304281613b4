"""Appends a halt or resume, and waits until the owner of every shard that matters has read it.

Writes `arena.control`; reads `arena.heartbeats` and `account.events`. By offsets alone: clocks of
hosts may differ. The word of a process counts only with the shard's current epoch, and only if that
epoch is its own, both by the log. Heartbeats carry no signature: a program that may write them, and
may read `account.events`, can still forge the word of the owner.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import JsonValue

from arena import topics
from arena.broker_clock import BrokerClock
from arena.bus.base import EARLIEST, LATEST, AppendAck, Bus, LogReader
from arena.clock import SystemClock
from arena.clock_skew import by_broker_clock
from arena.kill_switch import CONFIRMED, key_of
from arena.liveness import is_alive, parse_heartbeat
from arena.messages import Halt, Heartbeat, Resume
from arena.pass_overs import read_passed_over
from arena.topics import partition_of
from arena.visible_text import one_line
from operations.commands.shard_owners import Claim, ShardOwners, owners_of

EXECUTORS = "tools"
"""The kind of process that holds an executor."""
READ_S = 0.2
LOOK_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class HaltConfirmation:
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


async def ask(bus: Bus, message: Halt | Resume, wait_s: float) -> HaltConfirmation:
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
    claims: dict[int, set[Claim]] = {}
    clock, broker_clock = asyncio.get_running_loop().time, BrokerClock(SystemClock())
    began, left = clock(), set(shards)
    try:
        message = message.model_copy(update={"at": datetime.now(UTC)})
        acked = await bus.append(topics.CONTROL.name, message, key=key_of(message.agent))
        with contextlib.suppress(TimeoutError):
            answers = _answers(bus, beats, claims, broker_clock)
            async with contextlib.aclosing(answers), asyncio.timeout(wait_s):
                async for beat, end in answers:
                    if isinstance(message, Resume) or names_halt(beat, message):
                        left -= confirmed_shards(beat, acked, claims, end)
                    if not left:
                        break
    finally:
        await beats.close()
    seconds = clock() - began
    unconfirmed = (
        {}
        if not left
        else unconfirmed_reasons(left, claims, await newest_heartbeats(bus), broker_clock.now())
    )
    return HaltConfirmation(tuple(shards), seconds, unconfirmed)


async def _answers(
    bus: Bus, beats: LogReader, claims: dict[int, set[Claim]], broker_clock: BrokerClock
) -> AsyncGenerator[tuple[Heartbeat, int], None]:
    """Heartbeats as they come, and where `arena.control` ends; the claims are newer than both."""
    owners = await ShardOwners.open(bus, await read_passed_over(bus))
    try:
        control = await bus.log_reader(topics.CONTROL.name, start=LATEST)
        try:
            while True:
                claims.update(owners.claims)
                found = await _read(beats)
                ends = await control.end_offsets() if found else {}
                if found:
                    await owners.follow()
                    claims.update(owners.claims)
                for beat in found:
                    broker_clock.note_append(beat.at.timestamp() * 1_000, beat.host)
                    yield beat, max(ends.values())
        finally:
            await control.close()
    finally:
        await owners.close()


def names_halt(beat: Heartbeat, halt: Halt) -> bool:
    """True where an executor's heartbeat lists the halt.

    An offset alone does not prove that it was read: in a topic that was recreated, one that an
    executor read before is higher.
    """
    halted = beat.details.get("halted")
    return isinstance(halted, list) and (halt.agent or "all") in halted


def confirmed_shards(
    beat: Heartbeat, acked: AppendAck, claims: Mapping[int, Collection[Claim]], end: int
) -> set[int]:
    """The shards whose owner says in a heartbeat that it has read past a record.

    Args:
        beat: The heartbeat.
        acked: Where the record is.
        claims: Shard -> the claims of its current epoch.
        end: Where the record's partition ends; no process has read further.
    """
    said = beat.details.get(CONFIRMED)
    if beat.kind != EXECUTORS or not isinstance(said, dict):
        return set()
    found = set()
    for shard, claimed in claims.items():
        of = said.get(str(shard))
        read_to = of.get("read_to") if isinstance(of, dict) else None
        place = read_to.get(str(acked.partition)) if isinstance(read_to, dict) else None
        epoch = of.get("epoch") if isinstance(of, dict) else None
        if type(place) is not int or type(epoch) is not int:
            continue
        mine = any((one.epoch, one.node) == (epoch, beat.node) for one in claimed)
        if mine and acked.offset < place <= end:
            found.add(shard)
    return found


def unconfirmed_reasons(
    shards: Iterable[int],
    claims: Mapping[int, Iterable[Claim]],
    beats: Iterable[Heartbeat],
    now: datetime,
) -> dict[int, str]:
    """Shard -> why nothing confirms for it.

    Args:
        shards: Those that are not confirmed.
        claims: Shard -> the claims of its current epoch.
        beats: The newest heartbeat of every process, oldest first.
        now: Wall time, by the clock that the heartbeats' times are of.
    """
    executors = [b for b in beats if b.kind == EXECUTORS and "halted" in b.details]
    return {s: _why_not(s, owners_of(claims, s), executors, now) for s in sorted(shards)}


def _why_not(shard: int, owners: set[str], executors: list[Heartbeat], now: datetime) -> str:
    alive = [b for b in executors if is_alive(b, now)]
    known = {b.node: b for b in executors if b.node in owners}
    left = {b.node for b in known.values() if b.status == "stopping" or not _owns(b, shard)}
    if owner := min(owners - left, key=lambda node: (node not in known, node), default=""):
        beat = known.get(owner)
        age = f"last heartbeat {_age_s(beat, now):.0f} s ago" if beat else "it has no heartbeat"
        return f"shard {shard}: its owner {one_line(owner, 80)} did not answer ({age})"
    if alive:
        names = ", ".join(one_line(b.node, 80) for b in alive[:3])
        return f"no executor owns shard {shard}; on standby: {names}"
    return f"shard {shard}: no executor runs"


def _owns(beat: Heartbeat, shard: int) -> bool:
    shards = beat.details.get("shards")
    return isinstance(shards, list) and shard in shards


def _age_s(beat: Heartbeat, now: datetime) -> float:
    return max(0.0, (now - beat.at).total_seconds())


async def newest_heartbeats(bus: Bus) -> list[Heartbeat]:
    """The newest heartbeat of every process, oldest first, by the broker's clock; what comes."""
    newest: dict[str, Heartbeat] = {}
    reader = await bus.log_reader(topics.HEARTBEATS.name, start=EARLIEST)
    try:
        async with asyncio.timeout(LOOK_TIMEOUT_S):
            while await reader.lag():
                for beat in await _read(reader):
                    newest.pop(beat.node, None)
                    newest[beat.node] = beat
    except TimeoutError:
        pass
    finally:
        await reader.close()
    return list(newest.values())


async def _read(reader: LogReader) -> list[Heartbeat]:
    """The next heartbeats that a process can have sent, with the broker's times."""
    return [
        by_broker_clock(beat, record.timestamp_ms)
        for record in await reader.read(timeout_s=READ_S)
        if (beat := parse_heartbeat(record)) is not None  # `arena tail` shows the others.
    ]
