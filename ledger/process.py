"""The processes `arena ledger run` and `arena reconcile run --watch`."""

from dataclasses import dataclass

from arena.node import Node
from ledger.database import Database
from ledger.locate import open_read_only
from ledger.location import BooksLocation
from ledger.reconcile import watch
from ledger.service import serve_ledger


@dataclass(frozen=True, slots=True)
class LedgerOptions:
    """Options of a ledger.

    Attributes:
        books: Where the books are.
    """

    books: BooksLocation


@dataclass(frozen=True, slots=True)
class ReconcileOptions:
    """Options of a process that compares the books with the log.

    Attributes:
        books: Where the books are.
        threshold: Differences up to this many units are ignored.
        every_s: Seconds between two comparisons.
        dashboard: Also compare the dashboard.
    """

    books: BooksLocation
    threshold: int
    every_s: float
    dashboard: bool


async def serve(node: Node, options: LedgerOptions) -> None:
    """Keep the books until cancelled."""
    await serve_ledger(node, Database(options.books))


async def serve_reconcile(node: Node, options: ReconcileOptions) -> None:
    """Compare until cancelled, and publish every drift."""
    with open_read_only(options.books) as books:
        await watch(
            node,
            books,
            threshold=options.threshold,
            every_s=options.every_s,
            dashboard=options.dashboard,
        )
