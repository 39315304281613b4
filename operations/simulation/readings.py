"""The judge and the books of a simulated arena, and what must hold of them at rest.

The books are a SQLite file in a folder of their own. When the process that keeps them crashes, its
connections and its lock end with it, as they would with a real process; what it has committed
stays.
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from arena import topics
from arena.bus.memory import MemoryBus, MemoryCluster
from arena.errors import ArenaError
from arena.messages import Evaluation
from arena.node import Node
from arena.settings import Settings
from arena.threads import InlineThreads
from arena.wire import encode
from operations.one_process import Member
from operations.simulation.cluster import SimulatedCluster

RESAMPLES = 199
"""Resamples of a simulated judge: its intervals are wide, its sums are the same."""
NAMED_MAX = 3
LOADED = (
    "judge.evaluations.verify",
    "judge.process",
    "judge.schedule",
    "judge.service",
    "ledger.process",
    "ledger.rebuild",
    "ledger.service",
)
Result = TypeVar("Result")


# Any: operations compose the rooms by name, and do not import them.
def _room(name: str) -> Any:
    return import_module(name)


def judge_options() -> Any:
    """The options of a simulated judge."""
    return _room("judge.service").JudgeOptions(resamples=RESAMPLES)


def _location(path: Path) -> Any:
    location = _room("ledger.location")
    return location.BooksLocation(location.make_url(f"sqlite:///{path}"))


@cache
def _empty_books() -> bytes:
    """A file of books with the newest schema and no row."""
    with tempfile.TemporaryDirectory(prefix="arena-simulate-") as folder:
        path = Path(folder) / "ledger.db"
        database = _room("ledger.database").Database(_location(path))
        database.upgrade()
        with database.engine.connect() as connection:
            connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        return path.read_bytes()


def prepare() -> None:
    """Load what the judge and the books need, and create empty books."""
    for name in LOADED:
        _room(name)
    _empty_books()


class KeptBooks:
    """The books of one run, and the processes that keep them.

    Args:
        folder: Holds the file.
    """

    def __init__(self, folder: Path) -> None:
        """Create empty books."""
        self._path = folder / "ledger.db"
        self._path.write_bytes(_empty_books())
        # Any: a `ledger.service.Ledger`.
        self._running: dict[str, Any] = {}

    def member(self, name: str) -> Member:
        """A process that keeps the books."""
        return Member("ledger", name, _room("ledger.process").LedgerOptions(_location(self._path)))

    # Any: a `ledger.process.LedgerOptions`.
    async def serve(self, node: Node, options: Any) -> None:
        """Keep the books until cancelled."""
        database = _room("ledger.database").Database(options.books)
        ledger = self._running[node.name] = _room("ledger.service").Ledger(node, database)
        await ledger.run()

    def end(self, name: str) -> None:
        """A process has ended: its lock and its connections are gone."""
        ledger = self._running.pop(name, None)
        if ledger is not None:
            ledger.release()
            ledger.database.close()

    def violations(self, bus: MemoryBus, ends: dict[int, int]) -> list[str]:
        """Compare the books with a second computation from the topics.

        Args:
            bus: A started bus with all records.
            ends: Shard -> the end of its log.
        """
        for name in list(self._running):
            self.end(name)
        location = _location(self._path)
        database = _room("ledger.database").Database(location)
        try:
            booked = _room("ledger.writer").Writer(database).booked_offsets()
        finally:
            database.close()
        at = {n: row.next_offset for (topic, n), row in booked.items() if topic == EVENTS}
        behind = _room("ledger.compare").events_behind(ends, at)
        if behind:
            return [f"books: at rest they are {behind} events behind the log"]
        settings = Settings(home=self._path.parent, log_level="ERROR")
        try:
            rebuilt = _run(bus, lambda: _room("ledger.rebuild").rebuild(bus, settings, location))
        except ArenaError as error:
            return [f"books: {type(error).__name__}: {error}"]
        if not rebuilt.same:
            return [f"books: kept {rebuilt.old_digest}, rebuilt {rebuilt.digest}"]
        return []


EVENTS = topics.EVENTS.name


@contextmanager
def kept_books(wanted: int) -> Iterator[KeptBooks | None]:
    """Books in a temporary folder; None if no process keeps them."""
    if not wanted:
        yield None
        return
    memory = Path("/dev/shm")
    where = memory if memory.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="arena-simulate-", dir=where) as folder:
        yield KeptBooks(Path(folder))


def judge_violations(bus: MemoryBus, *, compare: bool) -> list[str]:
    """Compute all published evaluations again from the topics, and compare their bytes.

    Args:
        bus: A bus with all records.
        compare: False in real time: there an order can be decided after its turn has timed out, and
            an evaluation that was published in between lacks it. Then only checks that the newest
            snapshot was judged.
    """
    builder, published = _run(bus, lambda: _season(bus))
    options, found = judge_options(), []
    stated: set[str] = set()
    for record in published:
        message = record.message_or_none()
        if not isinstance(message, Evaluation):
            continue
        stated.add(message.evaluation_id)
        if compare:
            index = builder.folds.market.index.get(message.snapshot_id)
            again = None if index is None else options.evaluate(builder, index)
            if again is None or encode(again).value != record.value:
                found.append(f"judge: the leaderboard of {message.snapshot_id} differs")
    due = _room("judge.schedule").newest_due(builder)
    if due is not None:
        snapshot_id = builder.folds.market.snapshots[due].snapshot_id
        if options.id_of(snapshot_id) not in stated:
            found.append(f"judge: at rest {snapshot_id} is due and not judged")
    if not compare:
        return found
    verified = _run(bus, lambda: _room("judge.evaluations.verify").verify_evaluations(bus))
    found += [f"judge: evaluation of {one} differs" for one in verified.differences]
    return found[:NAMED_MAX]


# Any: a `judge.season.SeasonBuilder` and the records of `judge.evaluations`.
async def _season(bus: MemoryBus) -> tuple[Any, list[Any]]:
    season, read = _room("judge.season"), _room("arena.read_topic")
    builder, published = season.SeasonBuilder(), list[Any]()
    for name in season.SEASON_TOPICS:
        await read.for_each_record(bus, topics.spec_of(name), builder.apply)
    await read.for_each_record(bus, topics.EVALUATIONS, published.append)
    return builder, published


def _run(bus: MemoryBus, work: Callable[[], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        await bus.start()
        return await work()

    return asyncio.run(run())


def memory_of(cluster: SimulatedCluster) -> MemoryBus:
    """A bus with the committed records of a simulation, at rest."""
    memory = MemoryCluster()
    memory.partitions = dict(cluster.counts)
    memory.logs = {pair: list(log) for pair, log in cluster.logs.items()}
    return MemoryBus(memory, threads=InlineThreads())


def violations_of(
    cluster: SimulatedCluster, *, judge: bool, lock_step: bool, books: KeptBooks | None
) -> list[str]:
    """What does not hold of judge and books.

    Args:
        cluster: The brokers, at rest.
        judge: A judge ran.
        lock_step: The market waited for the agents.
        books: The books; None if none were kept.
    """
    bus, found = memory_of(cluster), list[str]()
    if judge:
        found += judge_violations(bus, compare=lock_step)
    if books is not None:
        pairs = {pair: part for pair, part in cluster.partitions.items() if pair[0] == EVENTS}
        found += books.violations(bus, {number: part.end for (_, number), part in pairs.items()})
    return found
