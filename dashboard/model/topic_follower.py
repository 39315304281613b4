"""Reads the topics into the view, with several readers, so that many prices do not delay trades.

Reads every topic of `dashboard.model.view.WINDOWS` from the start of its window, and those of
`RECENT` from ten minutes ago; if a checkpoint of the view fits the logs, it continues after it.
Writes to no topic: no heartbeat, no commit, no dead letter. Missing topics are created, so that a
dashboard may be started first.
"""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from functools import partial

from arena import topics
from arena.broker_clock import BrokerClock
from arena.bus.base import EARLIEST, Bus, LogReader, Record, Start
from arena.clock import Clock
from arena.clock_skew import broker_now
from arena.errors import BrokerUnavailable, Malformed
from arena.fold_checkpoint import (
    CheckpointFile,
    FoldPositions,
    no_garbage_collection,
    resume_fold,
    why_shards_differ,
)
from arena.messages import Evaluation
from arena.pass_overs import PassedOver, read_passed_over
from arena.read_topic import read_backwards
from arena.tasks import run_until_all_end
from dashboard.model.rows import ReadStatus
from dashboard.model.view import CHECKPOINTED, RECENT, RECENT_S, WINDOWS, ArenaView
from dashboard.model.view_checkpoint import pack_view, unpack_view

READ_TIMEOUT_S = 0.5
RECORDS_PER_READ = 500
SLICE_S = 0.02
"""Longest time that a batch is folded before other tasks may run."""
POLL_EVERY_S = 2.0
POLL_TIMEOUT_S = 4.0
VERDICT_CHUNK = 200
"""Records of `judge.evaluations` that are read at first to find the newest verdict."""
VERDICT_BACK_MAX = 50_000
"""How far back the newest verdict is looked for."""
NO_ANSWER = (TimeoutError, OSError, RuntimeError, BrokerUnavailable)
"""The errors of a broker that does not answer; every Kafka error is a RuntimeError."""
CHECKPOINT_EVERY = 10_000
"""Records between two checkpoints, the most that a restart folds again."""

Ends = dict[tuple[str, int], int]
"""Topic and partition -> the offset after its last record."""


class TopicFollower:
    """Follows the topics and keeps the view up to date.

    Attributes:
        view: The folded view; `open` replaces it if there is a checkpoint.
        changed: Set after every batch.
        to_read: Records to read when reading began.
        silent_since: Monotonic seconds since which the broker does not answer; None while it does.
    """

    def __init__(
        self, bus: Bus, clock: Clock, view: ArenaView, file: CheckpointFile | None = None
    ) -> None:
        """Create the follower; call `open`, then `follow`.

        Args:
            bus: The bus; it must be connected before `open`.
            clock: Wall and monotonic time.
            view: The view to fold into.
            file: Checkpoint of the view; None to read everything and write no checkpoint.
        """
        self._bus = bus
        self._clock = clock
        self.view = view
        self.changed = asyncio.Event()
        self.to_read = 0
        self.silent_since: float | None = None
        self._readers: list[LogReader] = []
        self._ends: list[Ends] = []
        self._newest_ends: list[Ends] = []
        self._folded: dict[tuple[int, str, int], int] = {}
        self._file = file
        self._positions = FoldPositions()
        self._checkpointed_log: LogReader | None = None
        self._broker_clock = BrokerClock(clock)
        self._is_live = False

    async def open(self) -> None:
        """Seek to the start of each window, and note the present ends."""
        await self._bus.ensure_topics(topics.fixed_topics())
        since_ms = int((self._clock.now().timestamp() - RECENT_S) * 1000)
        self._readers.append(await self._bus.log_reader(*RECENT, start=Start.since(since_ms)))
        self._checkpointed_log = await self._bus.log_reader(*CHECKPOINTED)
        self._readers.append(self._checkpointed_log)
        passed_over = await read_passed_over(self._bus)
        await self._restore(self._checkpointed_log, passed_over)
        self.view.accounts.pass_over(passed_over)
        others = await self._bus.log_reader(
            *(topic for topic in WINDOWS if topic not in CHECKPOINTED)
        )
        self._readers.append(others)
        for log in (self._checkpointed_log, others):
            for (topic, partition), end in (await log.end_offsets()).items():
                window = WINDOWS[topic]
                if window is not None and end - window > log.position(topic, partition):
                    log.seek(topic, partition, end - window)
        await self._seek_verdict(others)
        self._ends = [await reader.end_offsets() for reader in self._readers]
        self._newest_ends = self._ends
        for number in range(len(self._readers)):
            self._note_folded(number)
        self.to_read = self.records_left

    async def _seek_verdict(self, log: LogReader) -> None:
        """Start at the newest evaluation of the season: many of single agents may follow it."""
        name = topics.EVALUATIONS.name
        for partition in range(await self._bus.partitions(name)):
            pair = (name, partition)
            reader = await self._bus.partition_reader(name, partition, EARLIEST)
            try:
                end = (await reader.end_offsets())[pair]
                chunks = read_backwards(reader, pair, end, chunk=VERDICT_CHUNK)
                offset = await _newest_verdict(chunks, end - VERDICT_BACK_MAX)
            finally:
                await reader.close()
            if offset is not None and offset < log.position(name, partition):
                log.seek(name, partition, offset)

    async def _restore(self, log: LogReader, passed_over: PassedOver) -> None:
        """Continue after the checkpoint if it fits the logs."""
        packed = await self._file.read() if self._file is not None else None
        if self._file is None or packed is None:
            return
        try:
            with no_garbage_collection():
                view, positions = unpack_view(packed)
            shards = view.accounts.shards
            images = await self._file.read_images(shards)
            disprove = partial(why_shards_differ, self._bus, shards, images, passed_over)
            why = await resume_fold(log, positions, shards, disprove, self._note_lost)
        except Malformed as error:
            why = str(error)
        if why:
            self._file.discard(why)
        else:
            self.view, self._positions = view, positions

    def _note_lost(self, topic: str, partition: int, why: str) -> None:
        self._bus.note_lost(topic, partition, "dashboard", why)

    def _write_checkpoint(self) -> None:
        """Start to write a checkpoint if one is due."""
        due = self._positions.is_due(CHECKPOINT_EVERY) and bool(self._readers) and self.caught_up
        if self._file is None or not due or self._file.is_writing:
            return
        packed = pack_view(self.view, self._positions)
        if packed is not None:
            self._file.write(packed, images=self.view.accounts.take_attested())

    async def close(self) -> None:
        """Stop reading, and wait for the checkpoint to be written."""
        if self._file is not None:
            self._write_checkpoint()
            await self._file.wait_until_written()
        for reader in self._readers:
            await reader.close()
        self._readers.clear()

    @property
    def records_left(self) -> int:
        """Unread records of those that existed when reading began."""
        return self._short_of(self._ends)

    def _short_of(self, ends_of_all: list[Ends]) -> int:
        return sum(
            max(0, end - self._folded.get((number, topic, partition), 0))
            for number, ends in enumerate(ends_of_all)
            for (topic, partition), end in ends.items()
        )

    def _note_folded(self, number: int) -> None:
        """Note how far a reader's records are in the view; no read of it may be running.

        Its position alone is not enough: it advances before the records are returned.
        """
        reader = self._readers[number]
        for topic, partition in self._ends[number]:
            self._folded[number, topic, partition] = reader.position(topic, partition)

    @property
    def caught_up(self) -> bool:
        """True when every record that existed when reading began was read."""
        return self.records_left == 0

    async def read_to_end(self) -> None:
        """Wait until every record that exists now is in the view; `follow` must be running."""
        ends = [await reader.end_offsets() for reader in self._readers]
        while self._short_of(ends):
            await self._clock.sleep(READ_TIMEOUT_S / 10)

    def read_status(self) -> ReadStatus:
        """Progress of reading, for the header of the screen."""
        left, since = self.records_left, self.silent_since
        return ReadStatus(
            read_share=1 - left / self.to_read if left else None,
            unread=self._short_of(self._newest_ends),
            silent_s=None if since is None else self._clock.monotonic() - since,
        )

    def now(self) -> datetime:
        """The broker's time in the zone of this machine, even if this host's clock is wrong.

        New heartbeats give it. Before the first, older ones of processes on this host give the
        error of its clock; without any the clock is assumed to be right.
        """
        if self._broker_clock.is_known:
            return self._broker_clock.now().astimezone()
        skews = self.view.processes.clocks.skews(broker_time=True)
        return broker_now(self._clock.now(), socket.gethostname(), skews).astimezone()

    async def follow(self) -> None:
        """Read until cancelled."""
        following = (self._follow(number) for number in range(len(self._readers)))
        await run_until_all_end(*following, self._poll_ends())

    async def _follow(self, number: int) -> None:
        reader = self._readers[number]
        while True:
            records = await reader.read(timeout_s=READ_TIMEOUT_S, max_records=RECORDS_PER_READ)
            self._note_broker_time(records)
            began = self._clock.monotonic()
            for record in records:
                self.view.apply(record)
                if reader is self._checkpointed_log:
                    self._positions.note(record)
                self._folded[number, record.topic, record.partition] = record.offset + 1
                if self._clock.monotonic() - began > SLICE_S:
                    await self._clock.sleep(0)
                    began = self._clock.monotonic()
            self._note_folded(number)
            if records:
                self.changed.set()
            if reader is self._checkpointed_log:
                self._write_checkpoint()

    def _note_broker_time(self, records: list[Record]) -> None:
        """Take the broker's time from heartbeats that have just arrived."""
        if self._is_live:
            for record in records:
                if record.topic == topics.HEARTBEATS.name:
                    _, _, host = record.key_text.rpartition("/")[0].rpartition("/")
                    self._broker_clock.note_append(record.timestamp_ms, host)
        self._is_live = self._is_live or self.caught_up

    async def _poll_ends(self) -> None:
        """Fetch the ends of the logs regularly, to see whether the broker answers and the lag."""
        while True:
            try:
                async with self._clock.timeout(POLL_TIMEOUT_S):
                    self._newest_ends = [await r.end_offsets() for r in self._readers]
                self.silent_since = None
            except NO_ANSWER:
                if self.silent_since is None:
                    self.silent_since = self._clock.monotonic()
            await self._clock.sleep(POLL_EVERY_S)


async def _newest_verdict(chunks: AsyncGenerator[list[Record], None], oldest: int) -> int | None:
    """The offset of the newest evaluation of a season; None if there is none from `oldest` on."""
    async with aclosing(chunks):
        async for records in chunks:
            for record in reversed(records):
                if record.kind == Evaluation.type_name():
                    return record.offset
            if records and records[0].offset <= oldest:
                return None
    return None
