"""The service of `arena ledger run`: posts the topics into the books without losing a record.

Reads `account.events`, `market.snapshots`, `agent.turns` and `llm.calls`; writes the database, in
one transaction per batch: rows and offsets together. A second process is a standby. If the
database is full or down, the ledger waits, and its heartbeat says so. When it is stopped, it first
posts what the log holds at that time.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

from arena import topics
from arena.bus.base import Start
from arena.errors import ArenaError, Fenced
from arena.node import Node
from arena.pass_overs import read_passed_over
from ledger.batch import BookedOffset, RowBatch, TopicPartition
from ledger.database import Database
from ledger.errors import BooksMisconfigured, BooksUnavailable
from ledger.lock import WriterLock
from ledger.merged_reader import MergedReader
from ledger.non_account_offsets import find_deleted_unbooked, seek_to_booked
from ledger.posting import EVENTS, Poster
from ledger.projector import Projector
from ledger.resume import resume_shard
from ledger.writer import Writer

NON_ACCOUNT_TOPICS = (topics.SNAPSHOTS.name, topics.TURNS.name, topics.LLM_CALLS.name)
TOPICS = (topics.EVENTS, topics.SNAPSHOTS, topics.TURNS, topics.LLM_CALLS)
READ_TIMEOUT_S = 0.5
BATCH_MAX = 2_000
SMALL_BATCH_RECORDS, SMALL_BATCH_PAUSE_S = 100, 0.1
"""A batch of fewer records is followed by a pause: every commit waits for the disk."""
STANDBY_POLL_S = 1.0
FINISH_S = 10.0
"""After the signal to stop, the rest of the log is posted for at most this long."""
FINISH_POLL_S = 0.02
BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.2, 10.0
EVENTS_PER_FOLD = 50_000
"""A fold is stored at the first `StateDigest` of the log after this many events."""
Result = TypeVar("Result")


class Ledger:
    """Keeps the books of one arena.

    Attributes:
        node: The connected node of this process.
        database: The books.
    """

    def __init__(self, node: Node, database: Database) -> None:
        """Prepare the service; call `run` to start.

        Args:
            node: A connected node.
            database: The books.
        """
        self.node = node
        self.database = database
        self._lock = WriterLock(database)
        self._writer = Writer(database)
        self._posting = False

    async def run(self) -> None:
        """Post until cancelled, and then up to the end that the log has at that time."""
        node = self.node
        node.details["books"] = str(self.database.location)
        await node.bus.ensure_topics(TOPICS)
        try:
            await self.retry_until_available(self.database.upgrade)
            await self._stand_by()
            projector = await self._resume()
            node.status = "running"
            async with self.stream(projector) as stream:
                posting = asyncio.create_task(self._post(projector, stream))
                try:
                    await asyncio.shield(posting)
                except asyncio.CancelledError:
                    await self._finish(posting, stream)
                    raise
                finally:
                    posting.cancel()
                    await asyncio.gather(posting, return_exceptions=True)
        finally:
            self.release()
            self.database.close()

    async def _post(self, projector: Projector, stream: MergedReader) -> None:
        """Post new records until cancelled."""
        while True:
            if await self.post_next(projector, stream) < SMALL_BATCH_RECORDS:
                await self.node.clock.sleep(SMALL_BATCH_PAUSE_S)

    async def _finish(self, posting: "asyncio.Task[None]", stream: MergedReader) -> None:
        """Wait until `posting` has reached the present end of the log, for `FINISH_S` at most.

        Does not wait if the database or the bus has failed.
        """
        node = self.node
        failed = node.bus.failed is not None and node.bus.failed.done()
        try:
            async with node.clock.timeout(FINISH_S):
                ends = None if failed else await stream.ends()
                while ends is not None and not posting.done() and "waiting" not in node.details:
                    if not self._posting and stream.has_reached(ends):
                        return
                    await node.clock.sleep(FINISH_POLL_S)
        except (ArenaError, TimeoutError) as error:
            why = str(error) or f"the end was not reached in {FINISH_S:.0f} s"
        else:
            why = str(node.details.get("waiting") or "reading or writing failed")
            if posting.done() and (failure := posting.exception()) is not None:
                why = str(failure) if isinstance(failure, ArenaError) else type(failure).__name__
        text = "stopped before the end of the log; `arena ledger rebuild` posts the rest"
        node.log.warning(text, why=why)

    def release(self) -> None:
        """Release the lock, so that another process can keep the books."""
        self._lock.release()

    async def post_next(self, projector: Projector, stream: MergedReader) -> int:
        """Read and post the next batch; return its number of records."""
        records = await stream.read(timeout_s=READ_TIMEOUT_S, max_records=BATCH_MAX)
        if not records:
            self.node.gauges["lag"] = await stream.lag(EVENTS)
            return 0
        self._posting = True
        began = self.node.clock.monotonic()
        batch = projector.batch(records)
        for record, error in projector.unbooked:
            await self.node.dead_letter(record, error)
        projector.unbooked.clear()
        await self.retry_until_available(lambda: self._write(batch))
        self._posting = False
        self._count(projector.poster, batch, self.node.clock.monotonic() - began)
        self.node.gauges["lag"] = await stream.lag(EVENTS)
        return len(records)

    async def retry_until_available(self, work: Callable[[], Result]) -> Result:
        """Run database work in a thread; retry while the database is down or full.

        Raises:
            BooksMisconfigured: The address or the login is wrong, and never worked.
        """
        node, pause_s = self.node, BACKOFF_FIRST_S
        while True:
            try:
                done = await self.node.threads.run_daemon(work, name="ledger-database")
            except (BooksUnavailable, BooksMisconfigured) as error:
                if isinstance(error, BooksMisconfigured) and node.status != "running":
                    raise
                node.counters["database_failures"] += 1
                node.details["waiting"] = str(error)
                node.log.warning("database unavailable", error=str(error), retry_in_s=pause_s)
                await node.beat()
                await node.clock.sleep(pause_s)
                pause_s = min(BACKOFF_MAX_S, pause_s * 2)
                continue
            if node.details.pop("waiting", None) is not None:
                node.log.info("database available")
                await node.beat()
            return done

    @asynccontextmanager
    async def stream(self, projector: Projector) -> AsyncIterator[MergedReader]:
        """Open a stream of all topics from the booked offsets."""
        bus = self.node.bus
        readers = {}
        try:
            begin = {(EVENTS, n): s.next_offset for n, s in projector.poster.shards.items()}
            for shard in range(await bus.partitions(EVENTS)):
                begin.setdefault((EVENTS, shard), 0)
            readers[EVENTS] = await bus.log_reader(EVENTS, start=Start(offsets=begin))
            for topic in NON_ACCOUNT_TOPICS:
                reader = readers[topic] = await bus.log_reader(topic)
                cuts = await seek_to_booked(reader, projector.booked_offsets)
                deleted = await find_deleted_unbooked(reader, projector.booked_offsets)
                await self._report_cuts(projector, cuts)
                for (name, number), words in deleted.items():
                    if (name, number) not in cuts:
                        self.node.report_lost(name, number, self.node.name, words)
            merged = MergedReader(readers)
            await merged.ends()
        except BaseException:
            for reader in readers.values():
                await reader.close()
            raise
        try:
            yield merged
        finally:
            await merged.close()

    async def _report_cuts(self, projector: Projector, cuts: Mapping[TopicPartition, str]) -> None:
        """Report topics that lost booked records; these stay in the books, new ones are added."""
        node = self.node
        for (topic, number), why in cuts.items():
            words = f"{topic}[{number}] {why}: it was truncated or created again, and is read again"
            node.report_lost(topic, number, node.name, words)
            node.counters["cut_partitions"] += 1
            if topic == topics.SNAPSHOTS.name:
                newest = await self.retry_until_available(self._writer.newest_equity_us)
                projector.other_rows.equity_after_us = newest

    async def _stand_by(self) -> None:
        while not await self.retry_until_available(self._lock.try_acquire):
            if self.node.status != "standby":
                self.node.log.info("standby", books=str(self.database.location))
                self.node.status = "standby"
                await self.node.beat()
            await self.node.clock.sleep(STANDBY_POLL_S)

    async def _resume(self) -> Projector:
        booked_offsets: dict[TopicPartition, BookedOffset] = await self.retry_until_available(
            self._writer.booked_offsets
        )
        accounts = await self.retry_until_available(self._writer.accounts)
        passed_over = await read_passed_over(self.node.bus)
        shards, kept_at = {}, {}
        for (topic, number), booked in booked_offsets.items():
            if topic == EVENTS:
                packed = await self.retry_until_available(partial(self._writer.fold, number))
                named = passed_over.get(number, {})
                resumed = await resume_shard(self.node, number, booked, packed, named)
                shards[number], kept_at[number] = resumed
        poster = Poster(shards, accounts, passed_over)
        poster.last_fold_at, poster.events_per_fold = kept_at, EVENTS_PER_FOLD
        return Projector(poster, booked_offsets)

    def _write(self, batch: RowBatch) -> None:
        if not self._lock.try_acquire():
            raise Fenced(f"another process writes the books at {self.database.location}")
        self._writer.write(batch)

    def _count(self, poster: Poster, batch: RowBatch, took_s: float) -> None:
        node = self.node
        node.counters["records"] += batch.records
        node.counters["events"] = poster.events
        node.counters["postings"] = poster.postings
        node.counters["ignored"] = poster.ignored
        node.log.info(
            "booked",
            records=batch.records,
            offsets={f"{t}[{p}]": booked.next_offset for (t, p), booked in batch.after.items()},
            outcome="ok",
            duration_ms=round(took_s * 1000, 1),
        )


async def serve_ledger(node: Node, database: Database) -> None:
    """Keep the books until cancelled."""
    await Ledger(node, database).run()
