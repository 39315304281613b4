"""Holds the books and the dashboard's read model against the fold of the log.

Reads `account.events` from its first record, the database, and what the dashboard prints; as a
service it writes `ledger.drift`. Fold and books are compared at the offset where the books stand;
the dashboard is compared at the offset where its digest says it stands.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from sqlalchemy import Connection, func, select

from arena import topics
from arena.account_state import accounts_digest
from arena.accounts import Shard
from arena.bus.base import Bus, LogReader, Start
from arena.errors import BrokenLog
from arena.messages import Drift
from arena.money import from_units
from arena.node import Node
from arena.passed_over import PassedOver, read_passed_over
from arena.settings import Settings
from ledger.amounts import sum_columns, total
from ledger.compare import (
    COUNT,
    FigureComparison,
    FigureKey,
    accounts_currency,
    compare,
    events_behind,
    figure_key,
    fold_figures,
)
from ledger.dashboard_figures import ReadModel, ask_dashboard
from ledger.database import Database
from ledger.posting import EVENTS
from ledger.resume import fold, fold_to
from ledger.schema import fills, journal
from ledger.statements import balances
from ledger.writer import booked_offsets_of

READ_TIMEOUT_S = 0.5
SUMMED = {"fees": "fee", "realised": "realised", "slippage": "slippage"}
"""Figures that are sums over the fills of an agent, and the amount that is summed."""


@dataclass(slots=True)
class Reconciliation:
    """One comparison.

    Attributes:
        lines: Every figure.
        offsets: Shard -> where the books stand.
        remarks: What a reader must know besides.
        behind: Events in the log that the books do not hold yet.
    """

    lines: list[FigureComparison]
    offsets: dict[int, int]
    remarks: list[str] = field(default_factory=list)
    behind: int = 0

    @property
    def drifts(self) -> list[FigureComparison]:
        """The figures that differ."""
        return [line for line in self.lines if line.drifts]


class Reconciler:
    """Keeps a fold of its own beside the books.

    Attributes:
        shards: Folded up to where the books stood last.
    """

    def __init__(
        self, bus: Bus, settings: Settings, database: Database, run: Path | None = None
    ) -> None:
        """Take what is to be compared.

        Args:
            bus: Started.
            settings: For the dashboard.
            database: The books; only read.
            run: The run whose exported records the bus reads; None for a broker.
        """
        self._run = run
        self.shards: dict[int, Shard] = {}
        self._bus = bus
        self._settings = settings
        self._database = database
        self._passed_over: PassedOver | None = None

    async def compare(self, *, threshold: int = 0, dashboard: bool = True) -> Reconciliation:
        """Compare once.

        Args:
            threshold: In whole units of 10^-8; a difference up to it is none.
            dashboard: Ask the dashboard, too.

        Raises:
            BrokenLog: The log is damaged, or ends before the books do.
        """
        with self._database.reading() as connection:
            books = book_figures(connection)
            booked_offsets = booked_offsets_of(connection)
        offsets = {
            number: booked.next_offset
            for (t, number), booked in booked_offsets.items()
            if t == EVENTS
        }
        await self._fold_to(offsets)
        remarks = []
        for number, shard in self.shards.items():
            if shard.head != booked_offsets[EVENTS, number].head:
                remarks.append(
                    f"the books of shard {number} note another digest than the log gives"
                )
        fold_now = fold_figures(self.shards)
        asked, there = ReadModel(""), dict[FigureKey, int]()
        if dashboard:
            asked, there = await self._ask(remarks)
        lines = compare(fold_now, books, asked.with_missing_positions(there), there, threshold)
        return Reconciliation(lines, offsets, remarks, events_behind(await self._ends(), offsets))

    async def _ends(self) -> dict[int, int]:
        """Shard -> where its log ends now."""
        reader = await self._bus.log_reader(EVENTS)
        try:
            return {number: end for (_, number), end in (await reader.end_offsets()).items()}
        finally:
            await reader.close()

    async def _fold_to(self, offsets: Mapping[int, int]) -> None:
        for number, offset in offsets.items():
            shard = self.shards.setdefault(number, await self._new_shard(number))
            if shard.next_offset >= offset:
                continue
            start = Start(offsets={(EVENTS, number): shard.next_offset})
            reader = await self._bus.partition_reader(EVENTS, number, start)
            try:
                end = (await reader.end_offsets())[EVENTS, number]
                if end < offset:
                    raise BrokenLog(
                        f"{EVENTS}[{number}] ends at {end}, the books stand at {offset}",
                        remedy="the log lost its tail; compare it with an export",
                    )
                await fold_to(reader, number, shard, offset)
            finally:
                await reader.close()

    async def _new_shard(self, number: int) -> Shard:
        if self._passed_over is None:
            self._passed_over = await read_passed_over(self._bus)
        return Shard(passed_over=self._passed_over.get(number, {}))

    async def _ask(self, remarks: list[str]) -> tuple[ReadModel, dict[FigureKey, int]]:
        """The read model, and the fold at the offset where it stands."""
        asked = await ask_dashboard(self._settings, self._run)
        shards = copy.deepcopy(self.shards)
        for number in range(await self._bus.partitions(EVENTS)):
            shards.setdefault(number, await self._new_shard(number))
        if _digest(shards) != asked.digest:
            begin = {(EVENTS, number): shard.next_offset for number, shard in shards.items()}
            reader = await self._bus.log_reader(EVENTS, start=Start(offsets=begin))
            try:
                found = await _follow_to(reader, shards, asked.digest)
            finally:
                await reader.close()
            if not found:
                remarks.append("the dashboard's digest is that of no offset behind the books")
        return asked, fold_figures(shards)


def book_figures(connection: Connection) -> dict[FigureKey, int]:
    """The figures that the books hold: balances, and what their fills and journal count."""
    found: dict[FigureKey, int] = {}
    held = balances(connection)
    currency = accounts_currency(held)
    for (name, unit), units in held.items():
        key = figure_key(name, unit)
        found[key] = found.get(key, 0) + units
    parts = [part for name in SUMMED.values() for part in sum_columns(fills, name)]
    counted = connection.execute(
        select(fills.c.agent, func.count(), *parts).group_by(fills.c.agent)
    )
    for agent, count, *of_all in counted:
        found[FigureKey(agent, "fills", COUNT)] = count
        for what, of_one in zip(SUMMED, _in_parts(of_all), strict=True):
            found[FigureKey(agent, what, currency)] = total(*of_one)
    rejected = connection.execute(
        select(journal.c.agent, func.count())
        .where(journal.c.kind == "rejected")
        .group_by(journal.c.agent)
    )
    for agent, count in rejected:
        found[FigureKey(agent, "rejections", COUNT)] = count
    return found


def _in_parts(sums_of_all: Sequence[int | None]) -> Iterator[Sequence[int | None]]:
    """The parts of each of several sums."""
    size = len(sums_of_all) // len(SUMMED)
    return (sums_of_all[at : at + size] for at in range(0, len(sums_of_all), size))


async def watch(
    node: Node, database: Database, *, threshold: int, every_s: float, dashboard: bool = True
) -> None:
    """Compare for ever, and publish every drift that was found.

    Args:
        node: Connected.
        database: The books.
        threshold: See `Reconciler.compare`.
        every_s: Seconds from one comparison to the next.
        dashboard: Ask the dashboard, too.
    """
    await node.bus.ensure_topics([topics.EVENTS, topics.DRIFTS])
    reconciler = Reconciler(node.bus, node.settings, database)
    node.status = "running"
    while True:
        began = node.clock.monotonic()
        found = await reconciler.compare(threshold=threshold, dashboard=dashboard)
        for line in found.drifts:
            drift = drift_of(line, found.offsets, node)
            await node.bus.append(topics.DRIFTS.name, drift, key=line.key.owner)
            node.log.error("drift", figure=" ".join(line.key), differs=line.words())
        node.counters["comparisons"] += 1
        node.counters["drifts"] += len(found.drifts)
        node.gauges["drifting"] = len(found.drifts)
        took_ms = (node.clock.monotonic() - began) * 1000
        node.log.info(
            "compared",
            figures=len(found.lines),
            drifting=len(found.drifts),
            offsets=found.offsets,
            remarks=found.remarks,
            duration_ms=round(took_ms, 1),
        )
        await node.clock.sleep(every_s)


def drift_of(line: FigureComparison, offsets: dict[int, int], node: Node) -> Drift:
    """The message about a figure that differs."""
    scale = from_units if line.key.unit != COUNT else _counted
    shown, there = line.dashboard, line.dashboard_fold
    return Drift(
        owner=line.key.owner,
        what=line.key.what,
        unit=line.key.unit,
        fold=scale(line.fold),
        books=scale(line.books),
        dashboard=None if shown is None else scale(shown),
        dashboard_fold=None if there is None else scale(there),
        next_offsets=offsets,
        at=node.clock.now(),
    )


def _counted(count: int) -> Decimal:
    return Decimal(count)


def _digest(shards: Mapping[int, Shard]) -> str:
    return accounts_digest({n: a for shard in shards.values() for n, a in shard.accounts.items()})


async def _follow_to(reader: LogReader, shards: dict[int, Shard], digest: str) -> bool:
    """Fold on, record by record, until the accounts have a digest; False at the log's end."""
    ends = await reader.end_offsets()
    while any(shards[n].next_offset < end for (_, n), end in ends.items()):
        for record in await reader.read(timeout_s=READ_TIMEOUT_S):
            fold(shards[record.partition], record)
            if _digest(shards) == digest:
                return True
    return False
