"""What the database itself refuses, no matter which process writes to it."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, insert, text
from sqlalchemy.exc import DBAPIError

from ledger import schema
from ledger.amounts import split_amount
from ledger.database import Database
from ledger.errors import BrokenBooks
from ledger.posting import Poster
from ledger.projector import Projector
from ledger.schema import APPEND_ONLY
from ledger.statements import trial_balance
from ledger.writer import Writer
from tests.ledger.helpers import records_of, written_log

HEAD = bytes(32)


@pytest.fixture
def filled(database: Database) -> Database:
    """Books with rows in every table of the log."""
    batch = Projector(Poster(), {}).batch(records_of(written_log(20)))
    Writer(database).write(batch)
    return database


def journal_row(offset: int, legs: int) -> dict[str, object]:
    """A row of the journal."""
    return {
        "shard": 0,
        "log_offset": offset,
        "kind": "opened",
        "epoch": 1,
        "seq": offset,
        "legs": legs,
        "at_us": 0,
        "head": HEAD,
        "step": 0,
        "order_type": "",
        "cause": "",
    }


def entry(offset: int, leg: int, legs: int, account: int, amount: int) -> dict[str, int]:
    """A row of the entries; the amount in units of 10^-8."""
    whole, rest = split_amount(amount)
    names = ("shard", "log_offset", "leg", "legs", "account_id", "amount_whole", "amount_e8")
    return dict(zip(names, (0, offset, leg, legs, account, whole, rest), strict=True))


def add(connection: Connection, offset: int, amounts: list[int], legs: int | None = None) -> None:
    """Add one entry per amount to one account, then their journal row."""
    count = len(amounts) if legs is None else legs
    for leg, amount in enumerate(amounts):
        connection.execute(insert(schema.entries).values(entry(offset, leg, count, 1, amount)))
    connection.execute(insert(schema.journal).values(**journal_row(offset, count)))


@pytest.mark.parametrize("table", [t for t in APPEND_ONLY if t.name in ("journal", "entries")])
@pytest.mark.parametrize("change", ["UPDATE {} SET log_offset = log_offset", "DELETE FROM {}"])
def test_row_cannot_be_changed(filled: Database, table: object, change: str) -> None:
    """Not even to the same values, and not by the owner of the books."""
    with pytest.raises(DBAPIError, match="never changed"), filled.engine.begin() as connection:
        connection.execute(text(change.format(table)))


@pytest.mark.parametrize("table", APPEND_ONLY, ids=lambda table: table.name)
def test_every_table_has_its_triggers(filled: Database, table: object) -> None:
    """Each table refuses UPDATE and DELETE; on PostgreSQL TRUNCATE too."""
    if filled.is_sqlite:
        query = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :name"
        wanted = 3
    else:
        query = (
            "SELECT count(*) FROM pg_trigger"
            " WHERE NOT tgisinternal AND tgrelid = to_regclass(:name)"
        )
        wanted = 2
    with filled.reading() as connection:
        found = connection.execute(text(query), {"name": str(table)}).scalar_one()

    assert found >= wanted


def test_insert_or_replace_is_refused(filled: Database) -> None:
    """SQLite's INSERT OR REPLACE deletes without firing the DELETE trigger."""
    if not filled.is_sqlite:
        pytest.skip("PostgreSQL has no INSERT OR REPLACE")
    for table in ("entries", "journal", "accounts", "fills"):
        with pytest.raises(DBAPIError, match="is there"), filled.engine.begin() as connection:
            connection.exec_driver_sql("PRAGMA recursive_triggers = OFF")
            connection.exec_driver_sql(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")


def test_truncate_is_refused(filled: Database) -> None:
    """PostgreSQL can delete with TRUNCATE without firing row triggers."""
    if filled.is_sqlite:
        pytest.skip("SQLite has no TRUNCATE")
    with pytest.raises(DBAPIError, match="never changed"), filled.engine.begin() as connection:
        connection.exec_driver_sql("TRUNCATE entries")


@pytest.mark.parametrize(
    ("amounts", "legs", "match"),
    [
        ([5, -4], 2, "do not sum to zero"),
        ([5], 1, "do not sum to zero"),
        ([10**26, -(10**26) + 1], 2, "do not sum to zero"),
        ([10**26 + 10**8, -(10**26)], 2, "do not sum to zero"),
        ([5, -5], 3, "not exactly its entries"),
        ([], 1, "not exactly its entries"),
    ],
)
def test_unbalanced_journal_is_not_committed(
    filled: Database, amounts: list[int], legs: int, match: str
) -> None:
    """An entry is missing, or the sum is not zero."""
    with pytest.raises(BrokenBooks, match=match), filled.writing() as connection:
        add(connection, 1_000, amounts, legs)


@pytest.mark.parametrize("amounts", [[10**26, -(10**26)], [-1, 1], [1, 10**21, -(10**21) - 1]])
def test_amounts_of_any_size_balance(filled: Database, amounts: list[int]) -> None:
    """Amounts in two columns sum to zero, whatever the remainder and the sign."""
    with filled.writing() as connection:
        add(connection, 1_000, amounts)
    with filled.reading() as connection:
        assert trial_balance(connection)[1]


def test_remainder_is_below_one_unit(filled: Database) -> None:
    """An amount has only one representation."""
    for rest in (-1, 10**8):
        row = entry(1_000, 0, 1, 1, 0) | {"amount_e8": rest}
        with pytest.raises(BrokenBooks), filled.writing() as connection:
            connection.execute(insert(schema.entries).values(row))


def test_units_balance_separately(filled: Database) -> None:
    """Five dollars do not balance five bitcoin."""
    with filled.reading() as connection:
        rows = connection.execute(text("SELECT unit, max(account_id) FROM accounts GROUP BY 1"))
        units: dict[str, int] = {row[0]: row[1] for row in rows}
    assert len(units) > 1
    with pytest.raises(BrokenBooks, match="do not sum to zero"), filled.writing() as connection:
        for leg, (account, amount) in enumerate(zip(units.values(), (5, -5), strict=True)):
            connection.execute(insert(schema.entries).values(entry(1_000, leg, 2, account, amount)))
        connection.execute(insert(schema.journal).values(**journal_row(1_000, 2)))


def late_entry(offset: int, leg: int, legs: int) -> Callable[[Connection], None]:
    """Return a write of an entry for an earlier journal row, or for none."""

    def write(connection: Connection) -> None:
        connection.execute(insert(schema.entries).values(entry(offset, leg, legs, 1, 0)))

    return write


@pytest.mark.parametrize(
    "attempt",
    [late_entry(1, 2, 2), late_entry(1, 2, 3), late_entry(1, 0, 2), late_entry(9_999, 0, 1)],
)
def test_late_or_orphan_entry_is_refused(
    filled: Database, attempt: Callable[[Connection], None]
) -> None:
    """A complete journal row accepts no more entries, and an entry needs a journal row."""
    with pytest.raises(BrokenBooks), filled.writing() as connection:
        attempt(connection)


def test_progress_only_increases(filled: Database) -> None:
    """It cannot go back or be deleted."""
    for change in ("UPDATE progress SET next_offset = next_offset - 1", "DELETE FROM progress"):
        with pytest.raises(DBAPIError, match="never"), filled.engine.begin() as connection:
            connection.exec_driver_sql(change)


def test_runtime_role_can_only_add_rows(filled: Database) -> None:
    """PostgreSQL's grants refuse what the triggers refuse, and refuse to drop the triggers."""
    if filled.is_sqlite:
        pytest.skip("SQLite has no roles")
    attempts = (
        "UPDATE entries SET amount_e8 = 0",
        "DELETE FROM journal",
        "TRUNCATE fills",
        "DROP TRIGGER no_change ON entries",
        "DELETE FROM progress",
    )
    for attempt in attempts:
        refused = pytest.raises(BrokenBooks, match=r"permission denied|must be owner")
        with refused, filled.writing() as connection:
            connection.exec_driver_sql(attempt)
