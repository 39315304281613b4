"""Follows `arena.control` into the kill switch and the limits that operators ask for.

It also proves that the topic was read to its end.

Reads the whole topic at a start, before the first order, and follows it: a halt survives every
restart, and takes effect as soon as its record is read. An unreadable record halts its scope if its
key names one. It goes to `dead_letters` when it comes, only from the owner of the first shard;
unreadable records that are found at a start are not written there again.

A halt that has not been read yet cannot be obeyed. So the owner of a shard decides orders only with
a proof: at most `PROOF_S` ago, the topic ended where this reader is.
"""

import asyncio
import contextlib
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from arena import topics
from arena.bus.base import EARLIEST, Bus, LogReader, Record
from arena.bus.partitions import require_partitions
from arena.errors import ArenaError, BrokerUnavailable
from arena.kill_switch import (
    CONTROL_LOST,
    CONTROL_READ,
    HALTED_COUNT,
    ActiveHalt,
    KillSwitch,
    lost_records_halt,
)
from arena.liveness import CONTROL_UNPROVEN
from arena.node import Node
from arena.risk_requests import RISK_IGNORED
from trading_tools.control_loss import (
    ControlPosition,
    contradicts_topic,
    digest_of,
    latest_position,
    position_detail,
    read_control_positions,
)
from trading_tools.risk.requests import LimitSettings

LOAD_TIMEOUT_S = 30.0
PROOF_S = 1.0
"""How long a proof is valid."""
RENEW_S = 0.25
"""How often it is renewed."""
ASK_TIMEOUT_S = 2.0
SHORT_S = 10.0
"""How long the topic may seem to end before records that executors had read."""
SHORT_POLL_S = 0.1
DIGESTS_MAX = 20_000
"""How many of the newest records are compared with what executors had read."""
SCOPES_SHOWN_MAX = 100
"""How many halted scopes a heartbeat names, newest first, so that it stays small."""
UNREAD_SHOWN_MAX = 10
FAULT_CHARS_MAX = 300
TOPIC = topics.CONTROL.name
REGROWN = (
    "which record of a scope is the newest is unknown, and so is whether the scope is halted:"
    " stop the executors, delete the topic, run `arena topics create`, repeat the halts that are"
    " needed, start the executors, then `arena resume`"
)

__all__ = ["PROOF_S", "KillSwitch", "KillSwitchFeed"]


class KillSwitchFeed:
    """Follows `arena.control` into a `KillSwitch`, and reports in the heartbeat what is halted.

    Attributes:
        switch: The halts.
        limits: The limits of each agent, with the requests that were read.
        proven_at: When the topic is known to have been read to its end, by `Clock.boot_s`.
        proven_wall: The same in wall time.

    Args:
        node: The process; its bus is read.
        writes_dead_letters: True while this process writes unreadable records to the dead letters.
        limits: The settings that requests for other limits are folded into.
    """

    def __init__(
        self,
        node: Node,
        writes_dead_letters: Callable[[], bool],
        limits: LimitSettings | None = None,
    ) -> None:
        """Start with no halts; `open` reads them."""
        self.switch = KillSwitch()
        self.limits = limits or LimitSettings()
        self.proven_at = -math.inf
        self.proven_wall: datetime | None = None
        self._node = node
        self._writes_dead_letters = writes_dead_letters
        self._reader: LogReader | None = None
        self._lost_position: ControlPosition | None = None
        self._newest = (-1, "")
        self._digests: dict[int, str] | None = {}
        self._read_to: dict[str, int] = {}
        self._changed = asyncio.Event()
        self._asked = asyncio.Event()

    async def open(self) -> None:
        """Read the whole topic.

        Raises:
            BrokerUnavailable: It did not come in time; no order may be decided before.
            UsageError: The topic has more than one partition.
        """
        await check_partitions(self._node.bus)
        self._reader = await self._node.bus.log_reader(TOPIC, start=EARLIEST)
        self._reader.partition_counts = {}  # The executor itself checks for added partitions.
        try:
            async with self._node.clock.timeout(LOAD_TIMEOUT_S):
                while await self._reader.lag():
                    await self._apply(await self._reader.read(timeout_s=0.1))
                    self._note_position()
        except TimeoutError:
            raise BrokerUnavailable(f"{TOPIC} was not read in {LOAD_TIMEOUT_S:.0f} s") from None
        self._note_position()
        await self._check_for_loss()
        self._update_details()

    async def _check_for_loss(self) -> None:
        """Halt all agents if records are lost that an executor had read, until a later resume."""
        (end,) = self._read_to.values()
        digests, self._digests = self._digests, None
        assert digests is not None, "the switch was opened before"
        try:
            positions = await read_control_positions(
                self._node.bus, lambda one: contradicts_topic(one, end, digests)
            )
        except (ArenaError, TimeoutError) as error:
            why = str(error) or "the heartbeats did not come in time"
            text = f"how far executors had read it before is not known: {why}"
            self._node.details[CONTROL_UNPROVEN] = {"0": text}
            self._node.log.warning("control unproven", why=text)
            return
        self.switch.lost = await self._confirmed_loss(positions, digests)
        if self.switch.lost is not None:
            self._note_position()
            text = (
                "records that an executor had read are lost, or others are in their place, so halts"
                " may be lost, too; all agents are halted until a later `arena resume`"
            )
            self._node.report_lost(TOPIC, 0, "executor", text)

    async def _confirmed_loss(
        self, positions: Iterable[ControlPosition], digests: Mapping[int, str]
    ) -> ActiveHalt | None:
        assert self._reader is not None, "the switch is not open"
        short_since = self._node.clock.monotonic()
        while True:
            # Asked after reading the heartbeats, which may include records written meanwhile.
            end = (await self._reader.end_offsets())[TOPIC, 0]
            before = latest_position(
                one for one in positions if contradicts_topic(one, end, digests)
            )
            if before is None or self.switch.resumed_ms > before.at_ms:
                return None
            if self._node.clock.monotonic() - short_since > SHORT_S:
                self._lost_position = before
                first = min(end, before.offset - 1)
                return lost_records_halt(f"{TOPIC}[0]@{first}", before.offset)
            await self._node.clock.sleep(SHORT_POLL_S)

    async def run(self) -> None:
        """Follow the topic until cancelled."""
        assert self._reader is not None, "the switch is not open"
        while True:
            records = await self._reader.read(timeout_s=0.5)
            await self._apply(records)
            before = self._read_to
            self._note_position()
            if self._read_to != before:
                self._notify()
            if records:
                self._update_details()
                await self._node.beat()

    async def renew(self) -> None:
        """Renew the proof until cancelled, several times a second and on request."""
        while True:
            # A broker that does not answer gives no proof; an order that needs one waits.
            with contextlib.suppress(TimeoutError, BrokerUnavailable):
                async with self._node.clock.timeout(ASK_TIMEOUT_S):
                    await self._prove()
            with contextlib.suppress(TimeoutError):
                async with self._node.clock.timeout(RENEW_S):
                    await self._asked.wait()
            self._asked.clear()

    def is_proven(self, since: float) -> bool:
        """True if there is a proof from `since` or later that is at most `PROOF_S` old."""
        return self.proven_at >= since and self._node.clock.boot_s() - self.proven_at <= PROOF_S

    def read_to(self) -> dict[str, int]:
        """Partition of the topic -> the offset before which every record was applied."""
        return dict(self._read_to)

    async def wait_proven(self, since: float, timeout_s: float) -> bool:
        """Request a new proof and wait for it.

        Returns:
            False if it did not come in time.
        """
        try:
            async with self._node.clock.timeout(timeout_s):
                while not self.is_proven(since):
                    self._asked.set()
                    await self.changed()
        except TimeoutError:
            return self.is_proven(since)
        return True

    async def changed(self) -> None:
        """Wait until records were applied, or the proof was renewed."""
        await self._changed.wait()

    async def close(self) -> None:
        """Stop reading."""
        if self._reader is not None:
            await self._reader.close()
            self._reader = None

    async def _prove(self) -> None:
        assert self._reader is not None, "the switch is not open"
        asked_at, wall, position = self._node.clock.boot_s(), self._node.clock.now(), self._read_to
        found = await self._reader.end_offsets()
        ends = {str(partition): end for (_, partition), end in found.items()}
        if any(ends.get(partition, 0) < offset for partition, offset in position.items()):
            return  # The log was cut, or a new leader has not learned its end.
        while any(self._read_to.get(partition, 0) < end for partition, end in ends.items()):
            await self.changed()
        self.proven_at, self.proven_wall = asked_at, wall
        self._notify()

    def _note_position(self) -> None:
        """Record the position, now that everything before it is applied."""
        assert self._reader is not None, "the switch is not open"
        self._read_to = {
            str(partition): self._reader.position(TOPIC, partition)
            for partition in range(topics.CONTROL.partitions)
        }
        position, (newest, digest) = max(self._read_to.values()), self._newest
        self._node.details[CONTROL_READ] = position_detail(position, newest, digest)
        # Repeated until a resume: this process may have the name of the one that reported it first.
        self._node.details.pop(CONTROL_LOST, None)
        if self.switch.lost is not None and self._lost_position is not None:
            self._node.details[CONTROL_LOST] = {
                "0": [self._lost_position.offset, self._lost_position.at_ms]
            }

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _update_details(self) -> None:
        details = self._node.details
        shown = self.switch.newest_scopes(SCOPES_SHOWN_MAX)
        details["halted"] = [*shown]
        for name in (HALTED_COUNT, "halted_unread"):
            details.pop(name, None)
        if (count := len(self.switch.scopes())) > len(shown):
            details[HALTED_COUNT] = count
        details.pop(RISK_IGNORED, None)
        if faults := self.limits.faults:
            named = [*faults.items()][-UNREAD_SHOWN_MAX:]
            details[RISK_IGNORED] = {key: why[:FAULT_CHARS_MAX] for key, why in named}
        if unread := self.switch.unread():
            details["halted_unread"] = [*unread[:UNREAD_SHOWN_MAX]]

    async def _apply(self, records: Iterable[Record]) -> None:
        for record in records:
            self._newest = record.offset, digest_of(record)
            if self._digests is not None:
                self._digests[record.offset] = self._newest[1]
                if len(self._digests) > DIGESTS_MAX:
                    del self._digests[next(iter(self._digests))]
            noted = self.switch.take(record)
            asked_error = self.limits.take(record)
            if asked_error:
                self._node.log.warning("risk request ignored", key=record.key_text, why=asked_error)
            if noted.message is not None:
                message = noted.message
                what = message.type_name().lower()
                who = message.agent or "all"
                self._node.log.warning(what, agent=who, reason=message.reason)
            elif error := noted.error or asked_error:
                if noted.scope:
                    self._node.log.warning("halted by an unreadable record", scope=noted.scope)
                if self._writes_dead_letters():
                    await self._node.dead_letter(record, error)


async def check_partitions(bus: Bus) -> None:
    """Refuse to read a control topic with more than one partition.

    Raises:
        UsageError: Records of a scope may be in two partitions, and then none is the newest.
    """
    await require_partitions(bus, topics.CONTROL, remedy=REGROWN)
