"""Reads what a live trial depends on: its market, accounts and turns, decisions and halts.

Reads `market.snapshots`, `account.events`, `agent.turns`, `prompts` and `arena.control`; writes
nothing.
"""

from contextlib import aclosing
from datetime import datetime
from importlib import import_module
from typing import Protocol

from arena import topics
from arena.bus.base import EARLIEST, Bus, LogReader, Record, Start
from arena.kill_switch import KillSwitch
from arena.messages import MarketSnapshot, TrialEnded, TrialStarted
from arena.pass_overs import PassedOver, read_passed_over
from arena.prompt_trials import first_record_ms
from arena.prompt_versions import PromptBook
from arena.read_topic import read_backwards, read_to_ends

FOLD_OF_TRIAL = "judge.prompts.live_trial"
SNAPSHOTS_BACK = 64
"""Newest offsets of `market.snapshots` that are read first for the beginning of a trial."""
RECORDS_PER_READ = 500
STALL_S = 60.0
WATCHED = (topics.PROMPTS.name, topics.CONTROL.name)


class Progress(Protocol):
    """How far a trial is, as in `judge.prompts.live_trial`."""

    @property
    def done(self) -> int:
        """Snapshots that count."""

    @property
    def silent(self) -> tuple[str, ...]:
        """Shadow agents that have not decided anything yet."""

    @property
    def snapshots(self) -> int:
        """Snapshots that were read."""

    @property
    def interval_s(self) -> float | None:
        """Wall seconds between two snapshots; None before the first."""


class TrialFold(Protocol):
    """The fold of a trial, as in `judge.prompts.live_trial`."""

    @property
    def as_of(self) -> datetime | None:
        """Venue time of the newest snapshot."""

    def apply(self, record: Record) -> None:
        """Fold a record."""

    def progress(self) -> Progress:
        """How far the trial is."""

    def is_complete(self) -> bool:
        """True if all snapshots were played."""

    def ended(self, by: str) -> TrialEnded:
        """The result of a complete trial."""

    def stopped(self, reason: str, by: str, at: datetime) -> TrialEnded:
        """The end of another one."""


def new_fold(started: TrialStarted, passed_over: PassedOver) -> TrialFold:
    """The fold of a trial, before its first record."""
    fold: TrialFold = import_module(FOLD_OF_TRIAL).LiveTrial(started, passed_over)
    return fold


class TrialTopics:
    """The records of a trial; `open` reads them to their ends.

    Attributes:
        fold: Market, accounts and turns.
        book: The versions and trials of all agents.
        switch: The halts in force.
    """

    def __init__(self, started: TrialStarted) -> None:
        """Take the trial; `open` connects."""
        self.started = started
        self.book = PromptBook()
        self.switch = KillSwitch()
        self.fold = new_fold(started, {})
        self._readers: list[LogReader] = []

    async def open(self, bus: Bus) -> None:
        """Read the topics up to their present ends.

        Raises:
            BrokerUnavailable: They cannot be read.
        """
        specs = (topics.SNAPSHOTS, topics.EVENTS, topics.TURNS, topics.PROMPTS, topics.CONTROL)
        await bus.ensure_topics(specs)
        self.fold = new_fold(self.started, await read_passed_over(bus))
        first = await _first_snapshot(bus, self.started.as_of)
        start = Start("time", first_record_ms(self.started), {(topics.SNAPSHOTS.name, 0): first})
        self._readers.append(await bus.log_reader(*WATCHED))
        self._readers.append(await bus.log_reader(topics.EVENTS.name))
        names = (topics.SNAPSHOTS.name, topics.TURNS.name)
        self._readers.append(await bus.log_reader(*names, start=start))
        await self.catch_up()

    async def catch_up(self) -> None:
        """Read all topics up to their present ends: of two, a turn's orders before the turn."""
        for reader in self._readers:
            batches = read_to_ends(reader, stall_s=STALL_S, max_records=RECORDS_PER_READ)
            async with aclosing(batches):
                async for records in batches:
                    self._apply(records)

    async def read(self, timeout_s: float) -> bool:
        """Read new records; True if there were any.

        Args:
            timeout_s: How long to wait for a snapshot or a turn.
        """
        found = False
        for reader in self._readers:
            wait_s = timeout_s if reader is self._readers[-1] else 0.0
            records = await reader.read(timeout_s=wait_s, max_records=RECORDS_PER_READ)
            self._apply(records)
            found = found or bool(records)
        return found

    async def close(self) -> None:
        """Stop reading."""
        for reader in self._readers:
            await reader.close()

    def _apply(self, records: list[Record]) -> None:
        for record in records:
            if record.topic == topics.PROMPTS.name:
                self.book.apply(record)
            elif record.topic == topics.CONTROL.name:
                self.switch.take(record)
            else:
                self.fold.apply(record)


async def _first_snapshot(bus: Bus, as_of: datetime | None) -> int:
    """Offset of the first snapshot at or after a venue time; of the first of all for None."""
    pair = topics.SNAPSHOTS.name, 0
    reader = await bus.partition_reader(*pair, EARLIEST)
    try:
        first = (await reader.end_offsets())[pair]
        async for records in read_backwards(reader, pair, first, chunk=SNAPSHOTS_BACK):
            for record in reversed(records):
                message = record.message_or_none()
                if not isinstance(message, MarketSnapshot):
                    continue
                if as_of is not None and message.as_of < as_of:
                    return first
                first = record.offset
    finally:
        await reader.close()
    return first
