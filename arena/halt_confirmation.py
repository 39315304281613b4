"""Appends a record of `arena.control`, and waits until the affected shards' owners have read it.

Writes `arena.control`; reads `arena.heartbeats` and `account.events`. It compares offsets only,
because clocks of hosts may differ. A heartbeat counts only if it has the shard's current epoch and
the log says that its process owns that epoch. Heartbeats are not signed: a program that may write
them and read `account.events` can forge a confirmation.
"""

import contextlib
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from arena import topics
from arena.broker_clock import BrokerClock
from arena.bus.base import EARLIEST, LATEST, AppendAck, Bus, LogReader
from arena.clock_skew import by_broker_clock
from arena.kill_switch import CONFIRMED, key_of
from arena.liveness import is_alive, parse_heartbeat
from arena.messages import Halt, Heartbeat, Resume, RiskRequest
from arena.pass_overs import read_passed_over
from arena.risk_requests import key_of_request
from arena.shard_owners import EpochClaim, ShardOwners, owners_of
from arena.topics import partition_of
from arena.visible_text import one_line

EXECUTORS = "tools"
"""The kind of process that runs an executor."""
READ_S = 0.2
LOOK_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class HaltConfirmation:
    """Which shards confirmed a halt or resume.

    Attributes:
        shards: The affected shards. seconds: Wait until the last confirmed, or the time was over.
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


async def append_and_confirm(
    bus: Bus, message: Halt | Resume | RiskRequest, wait_s: float
) -> HaltConfirmation:
    """Append the record and wait for the owners' confirmation.

    Args:
        bus: Connected.
        message: The halt, the resume, or the request for other limits.
        wait_s: Seconds to wait.
    """
    await bus.ensure_topics([topics.CONTROL, topics.HEARTBEATS, topics.EVENTS])
    count = await bus.partitions(topics.EVENTS.name)
    shards = range(count) if message.agent is None else [partition_of(message.agent, count)]
    beats = await bus.log_reader(topics.HEARTBEATS.name, start=LATEST)
    claims: dict[int, set[EpochClaim]] = {}
    clock, broker_clock = bus.clock, BrokerClock(bus.clock)
    began_s, left = clock.monotonic(), set(shards)
    try:
        message = message.model_copy(update={"at": clock.now()})
        is_request = isinstance(message, RiskRequest)
        key = key_of_request(message.agent) if is_request else key_of(message.agent)
        acked = await bus.append(topics.CONTROL.name, message, key=key)
        with contextlib.suppress(TimeoutError):
            answers = _answers(bus, beats, claims, broker_clock)
            async with contextlib.aclosing(answers), clock.timeout(wait_s):
                async for beat, end in answers:
                    if not isinstance(message, Halt) or names_halt(beat, message):
                        left -= confirmed_shards(beat, acked, claims, end)
                    if not left:
                        break
    finally:
        await beats.close()
    seconds = clock.monotonic() - began_s
    unconfirmed = (
        {}
        if not left
        else unconfirmed_reasons(left, claims, await newest_heartbeats(bus), broker_clock.now())
    )
    return HaltConfirmation(tuple(shards), seconds, unconfirmed)


async def _answers(
    bus: Bus, beats: LogReader, claims: dict[int, set[EpochClaim]], broker_clock: BrokerClock
) -> AsyncGenerator[tuple[Heartbeat, int], None]:
    """Yield heartbeats and the end of `arena.control`; the claims are read after both."""
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
    """True if an executor's heartbeat lists the halt.

    An offset alone does not prove that it was read: in a topic that was created again, an offset
    that the executor read before is higher.
    """
    halted = beat.details.get("halted")
    return isinstance(halted, list) and (halt.agent or "all") in halted


def confirmed_shards(
    beat: Heartbeat, acked: AppendAck, claims: Mapping[int, Collection[EpochClaim]], end: int
) -> set[int]:
    """The shards whose owner reports in a heartbeat that it has read past a record.

    Args:
        beat: The heartbeat.
        acked: The position of the record.
        claims: Shard -> the claims of its current epoch.
        end: The end of the record's partition; no process has read further.
    """
    reported = beat.details.get(CONFIRMED)
    if beat.kind != EXECUTORS or not isinstance(reported, dict):
        return set()
    found = set()
    for shard, claimed in claims.items():
        entry = reported.get(str(shard))
        read_to = entry.get("read_to") if isinstance(entry, dict) else None
        offset = read_to.get(str(acked.partition)) if isinstance(read_to, dict) else None
        epoch = entry.get("epoch") if isinstance(entry, dict) else None
        if type(offset) is not int or type(epoch) is not int:
            continue
        is_owner = any((claim.epoch, claim.node) == (epoch, beat.node) for claim in claimed)
        if is_owner and acked.offset < offset <= end:
            found.add(shard)
    return found


def unconfirmed_reasons(
    shards: Iterable[int],
    claims: Mapping[int, Iterable[EpochClaim]],
    beats: Iterable[Heartbeat],
    now: datetime,
) -> dict[int, str]:
    """Return why each shard is not confirmed.

    Args:
        shards: The shards that are not confirmed.
        claims: Shard -> the claims of its current epoch.
        beats: The newest heartbeat of every process, oldest first.
        now: Wall time, by the clock of the heartbeats' times.
    """
    executors = [b for b in beats if b.kind == EXECUTORS and "halted" in b.details]
    return {s: _unconfirmed_reason(s, owners_of(claims, s), executors, now) for s in sorted(shards)}


def _unconfirmed_reason(
    shard: int, owners: set[str], executors: list[Heartbeat], now: datetime
) -> str:
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
    """The newest heartbeat of every process by the broker's clock, oldest first.

    A read that takes too long ends with what was read.
    """
    newest: dict[str, Heartbeat] = {}
    reader = await bus.log_reader(topics.HEARTBEATS.name, start=EARLIEST)
    try:
        async with bus.clock.timeout(LOOK_TIMEOUT_S):
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
    """The next heartbeats that are plausible, with the broker's times."""
    return [
        by_broker_clock(beat, record.timestamp_ms)
        for record in await reader.read(timeout_s=READ_S)
        if (beat := parse_heartbeat(record)) is not None  # `arena tail` shows the others.
    ]
