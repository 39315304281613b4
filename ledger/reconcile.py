"""Compares the books and the dashboard with the fold of the log.

Reads `account.events` from its first record, the database, and the output of the dashboard; as a
service it writes `ledger.drift`. Fold and books are compared at the booked offset; the dashboard is
compared at the offset that its digest belongs to.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from sqlalchemy import Connection, func, select

from arena import topics
from arena.accounts import Shard
from arena.bus.base import Bus, LogReader, Start
from arena.errors import BrokenLog
from arena.messages import Drift
from arena.money import from_units
from arena.node import Node
from arena.pass_overs import PassedOver, read_passed_over
from arena.products import base_of, quote_of
from arena.settings import Settings
from arena.shards import digest_of
from ledger.amounts import sum_columns, total
from ledger.compare import (
    COUNT,
    FigureComparison,
    FigureKey,
    compare,
    events_behind,
    figure_key,
    fold_figures,
    is_plain,
)
from ledger.dashboard_figures import DashboardFigures, ask_dashboard
from ledger.database import Database
from ledger.posting import EVENTS
from ledger.resume import fold, fold_to
from ledger.schema import fills, journal
from ledger.statements import balances, main_currency, product_balances
from ledger.writer import booked_offsets_of

READ_TIMEOUT_S = 0.5
SUMMED = {"fees": "fee", "realised": "realised", "slippage": "slippage"}
"""Figure -> the amount of the fills that is summed for it."""


@dataclass(slots=True)
class Reconciliation:
    """The result of one comparison.

    Attributes:
        lines: Every figure.
        offsets: Shard -> the booked offset.
        remarks: Differences that do not belong to one figure.
        behind: The number of events in the log that are not in the books yet.
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
    """Folds the log itself, to compare it with the books.

    Attributes:
        shards: The shards, folded up to the booked offsets of the last comparison.
    """

    def __init__(
        self, bus: Bus, settings: Settings, database: Database, run: Path | None = None
    ) -> None:
        """Prepare to compare.

        Args:
            bus: A started bus.
            settings: The settings to start the dashboard with.
            database: The books, only read.
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
            threshold: The largest difference to ignore, in whole units of 10^-8.
            dashboard: Also compare the dashboard.

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
                remarks.append(f"the books of shard {number} have another digest than the log")
        fold_now = fold_figures(self.shards)
        read_model, dashboard_fold = DashboardFigures(""), dict[FigureKey, int]()
        if dashboard:
            read_model, dashboard_fold = await self._ask_dashboard(remarks)
        lines = compare(
            fold_now,
            books,
            read_model.with_missing_positions(dashboard_fold),
            dashboard_fold,
            threshold,
        )
        return Reconciliation(lines, offsets, remarks, events_behind(await self._ends(), offsets))

    async def _ends(self) -> dict[int, int]:
        """Return the end offset of each shard's log."""
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
                        f"{EVENTS}[{number}] ends at {end}, the books are at {offset}",
                        remedy="the log lost its tail; compare it with an export",
                    )
                await fold_to(reader, number, shard, offset)
            finally:
                await reader.close()

    async def _new_shard(self, number: int) -> Shard:
        if self._passed_over is None:
            self._passed_over = await read_passed_over(self._bus)
        return Shard(passed_over=self._passed_over.get(number, {}))

    async def _ask_dashboard(
        self, remarks: list[str]
    ) -> tuple[DashboardFigures, dict[FigureKey, int]]:
        """Return the figures of the dashboard, and those of the fold at its offset."""
        read_model = await ask_dashboard(self._settings, self._run)
        shards = copy.deepcopy(self.shards)
        for number in range(await self._bus.partitions(EVENTS)):
            shards.setdefault(number, await self._new_shard(number))
        if digest_of(shards.values()) != read_model.digest:
            begin = {(EVENTS, number): shard.next_offset for number, shard in shards.items()}
            reader = await self._bus.log_reader(EVENTS, start=Start(offsets=begin))
            try:
                found = await _follow_to(reader, shards, read_model.digest)
            finally:
                await reader.close()
            if not found:
                remarks.append(
                    "the digest of the dashboard matches no offset after that of the books"
                )
        return read_model, fold_figures(shards)


def book_figures(connection: Connection) -> dict[FigureKey, int]:
    """Return the figures of the books: balances, and totals of their fills and journal rows."""
    found: dict[FigureKey, int] = {}

    def add(key: FigureKey, units: int) -> None:
        found[key] = found.get(key, 0) + units

    for (name, unit), units in balances(connection).items():
        add(figure_key(name, unit), units)
    key = (fills.c.agent, fills.c.currency, fills.c.product_id)
    parts = [part for name in SUMMED.values() for part in sum_columns(fills, name)]
    products = set()
    counted = connection.execute(select(*key, func.count(), *parts).group_by(*key))
    for agent, currency, product_id, count, *of_all in counted:
        products.add(product_id)
        add(FigureKey(agent, "fills", COUNT), count)
        for what, of_one in zip(SUMMED, _split_sums(of_all), strict=True):
            add(FigureKey(agent, what, currency), total(*of_one))
    main = main_currency(connection)
    others = {product_id for product_id in products if not is_plain(product_id, main)}
    for (name, unit, product_id), units in product_balances(connection, others).items():
        if quote_of(product_id) and unit != base_of(product_id):
            continue  # An entry in a wrong unit: it stays a figure that the fold does not have.
        whole = figure_key(name, unit)
        add(whole._replace(unit=product_id), units)
        add(whole, -units)
        if not found[whole]:
            del found[whole]
    rejected = connection.execute(
        select(journal.c.agent, func.count())
        .where(journal.c.kind == "rejected")
        .group_by(journal.c.agent)
    )
    for agent, count in rejected:
        found[FigureKey(agent, "rejections", COUNT)] = count
    return found


def _split_sums(sums_of_all: Sequence[int | None]) -> Iterator[Sequence[int | None]]:
    """Split the columns of several sums into those of each."""
    size = len(sums_of_all) // len(SUMMED)
    return (sums_of_all[at : at + size] for at in range(0, len(sums_of_all), size))


async def watch(
    node: Node, database: Database, *, threshold: int, every_s: float, dashboard: bool = True
) -> None:
    """Compare until cancelled, and publish every drift.

    Args:
        node: A connected node.
        database: The books.
        threshold: See `Reconciler.compare`.
        every_s: The pause between two comparisons, in seconds.
        dashboard: Also compare the dashboard.
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
            node.log.error("drift", figure=" ".join(line.key), differs=line.differences())
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
    """Return the message about a figure that differs."""
    scale = from_units if line.key.unit != COUNT else _counted
    shown, dashboard_fold = line.dashboard, line.dashboard_fold
    return Drift(
        owner=line.key.owner,
        what=line.key.what,
        unit=line.key.unit,
        fold=scale(line.fold),
        books=scale(line.books),
        dashboard=None if shown is None else scale(shown),
        dashboard_fold=None if dashboard_fold is None else scale(dashboard_fold),
        next_offsets=offsets,
        at=node.clock.now(),
    )


def _counted(count: int) -> Decimal:
    return Decimal(count)


async def _follow_to(reader: LogReader, shards: dict[int, Shard], digest: str) -> bool:
    """Fold record by record until the accounts have a digest; False if the log ends first."""
    ends = await reader.end_offsets()
    while any(shards[n].next_offset < end for (_, n), end in ends.items()):
        for record in await reader.read(timeout_s=READ_TIMEOUT_S):
            fold(shards[record.partition], record)
            if digest_of(shards.values()) == digest:
                return True
    return False
