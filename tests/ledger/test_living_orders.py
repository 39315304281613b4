"""Books of limit orders and exits: one journal row per step, one row per fill."""

from collections import Counter

import pytest
from sqlalchemy import select

from ledger import schema
from ledger.compare import COUNT, FigureKey, compare, fold_figures
from ledger.database import Database
from ledger.digest import books_digest
from ledger.posting import Poster
from ledger.projector import Projector
from ledger.reconcile import book_figures
from ledger.render import cells
from ledger.statements import journal_sheet, trial_balance
from ledger.writer import Writer
from tests.ledger.audit.contest_log import EVENTS, body_of
from tests.ledger.living_log import AGENT, LivingArena, living_arena


@pytest.fixture(scope="module")
def arena() -> LivingArena:
    """The records of agents with limit orders and exits."""
    return living_arena()


def test_books_have_every_step(database: Database, arena: LivingArena) -> None:
    """Each figure equals the fold; every event has a row, with its step, type and cause."""
    Writer(database).write(Projector(Poster(), {}).batch(arena.records[EVENTS]))
    with database.reading() as connection:
        found, balanced = book_figures(connection), trial_balance(connection)[1]
        rows = connection.execute(select(schema.journal)).all()
        fills = connection.execute(select(schema.fills.c.order_id)).scalars().all()
        sheet, digest = journal_sheet(connection), books_digest(connection)
    fold = fold_figures({0: arena.shard})
    events = [body_of(record) for record in arena.records[EVENTS]]
    steps = Counter((e["outcome"], e.get("step", 0)) for e in events if "outcome" in e)

    assert balanced
    assert [] == [line for line in compare(fold, found, {}, {}) if line.drifts]
    assert arena.shard.accounts[AGENT].fills == found[FigureKey(AGENT, "fills", COUNT)]
    assert len(events) == len(rows)
    assert {"checked", "limits_set", "tripped"} <= {row.kind for row in rows}
    kept = Counter((row.kind, row.step) for row in rows if (row.kind, row.step) in steps)
    assert steps == kept
    assert len(fills) > len({*fills}), "an order that filled in parts has several rows"
    causes = {row.cause for row in rows}
    assert {"", "armed", "triggered", "sibling_filled", "position_closed", "expired"} <= causes
    assert ["step", "type", "cause"] == [name for name, _ in sheet.columns[-3:]]
    assert any("take_profit" in row for row in cells(sheet))
    assert 64 == len(digest)
