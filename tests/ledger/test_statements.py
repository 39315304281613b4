"""The commands print what the books hold, in every format."""

import csv
import io
import json
import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from arena.errors import ArenaError, BrokenLog, DependencyMissing
from arena.messages import OrderDecided, Posting
from arena.money import from_units, units_text
from arena.runs import RunRecord, new_run_directory, write_run
from ledger import schema
from ledger.amounts import split_amount
from ledger.batch import RowBatch
from ledger.cli import app
from ledger.database import Database
from ledger.location import BooksLocation
from ledger.posting import Poster, kind_and_agent, price, units
from ledger.projector import Projector
from ledger.records import BookedRead, read_booked
from ledger.render import thousands
from ledger.schema import APPEND_ONLY
from ledger.statements import balances, trial_balance
from ledger.writer import Writer
from tests.arena.test_accounts import Log
from tests.ledger.helpers import fold_balances, records_of, written_log

NEAR_MAX = 9 * 10**26
"""In units of 10^-8; the maximum of a pair of columns is a little larger."""


@pytest.fixture
def log(database: Database, use_books: None) -> Log:
    """A log that is in the books."""
    written = written_log(40)
    Writer(database).write(Projector(Poster(), {}).batch(records_of(written)))
    return written


@pytest.fixture
def use_books(location: BooksLocation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Make the commands use these books."""
    monkeypatch.setenv("DATABASE_URL", location.url.render_as_string(hide_password=False))
    monkeypatch.setenv("ARENA_HOME", str(tmp_path))
    name = location.schema.removeprefix("arena_")
    monkeypatch.setenv("ARENA_PREFIX", f"{name}." if name else "")


def ask(*words: str, code: int = 0) -> str:
    """Run a command of `arena ledger`; return its output."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert code == result.exit_code, result.output
    return result.stdout


def test_balances_in_every_format(log: Log, tmp_path: Path) -> None:
    """Table, JSON, CSV and Parquet have the same balances, to the last digit."""
    expected = {key: from_units(amount) for key, amount in fold_balances(log.shard).items()}
    rows = json.loads(ask("balances", "--json"))["rows"]
    ask("balances", "--csv", str(tmp_path / "b.csv"), "--parquet", str(tmp_path / "b.parquet"))
    written = list(csv.DictReader(io.StringIO((tmp_path / "b.csv").read_text())))
    columns = pq.read_table(tmp_path / "b.parquet").to_pylist()

    for found in (rows, written, columns):
        reported = {(r["account"], r["unit"]): Decimal(r["balance"]) for r in found}
        assert expected == {key: amount for key, amount in reported.items() if amount}
    assert "house/capital" in ask("balances")


def test_trial_balance_sums_to_zero(log: Log) -> None:
    """Debits equal credits in every unit, and the totals show it."""
    document = json.loads(ask("trial-balance", "--json"))
    totals = [row for row in document["rows"] if row["account"] == "TOTAL"]

    assert {"USD", "BTC"} == {row["unit"] for row in totals}
    assert all(row["debit"] == row["credit"] for row in totals)
    assert document["remarks"][-1].endswith("every unit sums to zero")


def test_books_out_of_balance_are_reported(database: Database, log: Log) -> None:
    """After the triggers were dropped, the command names the row and exits with 1."""
    with database.engine.begin() as connection:
        name = "entries_no_update" if database.is_sqlite else "no_change ON entries"
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
        connection.exec_driver_sql(
            "UPDATE entries SET amount_e8 = amount_e8 + 1 WHERE log_offset = 1 AND leg = 0"
        )

    reported = ask("trial-balance", code=1)

    assert "account.events[0]@1: USD sums to 1 of 10^-8" in reported
    assert "OUT OF BALANCE" in reported


def test_statement_ends_with_the_balance(log: Log) -> None:
    """Every line has the balance after it; an unknown agent is an error."""
    rows = json.loads(ask("statement", "a", "--json"))["rows"]
    cash = [row for row in rows if row["account"] == "cash"]

    assert units_text(log.shard.accounts["a"].cash) == cash[-1]["balance"]
    assert "100000" == cash[0]["balance"]
    assert 3 == len(json.loads(ask("statement", "a", "--json", "--limit", "3"))["rows"])
    with pytest.raises(ArenaError, match="no account of 'nobody'") as refused:
        ask("statement", "nobody")
    assert 1 == refused.value.exit_code


def test_journal_and_fills(log: Log) -> None:
    """Every event that counted is in the journal, and every fill is listed."""
    rows = json.loads(ask("journal", "--json"))["rows"]
    fills = json.loads(ask("fills", "--json"))["rows"]
    account = log.shard.accounts["a"]

    assert log.shard.counted == len({row["offset"] for row in rows})
    assert account.rejections == sum(row["kind"] == "rejected" for row in rows)
    assert account.fills == len(fills)
    assert units_text(account.cash) == fills[-1]["cash_after"]
    assert 2 == len(
        {r["offset"] for r in json.loads(ask("journal", "--json", "--limit", "2"))["rows"]}
    )
    assert "buy" in ask("fills", "--agent", "a")


@pytest.mark.parametrize(
    ("command", "has_note"),
    [
        (("journal",), True),
        (("statement", "a"), True),
        (("journal", "--limit", "3"), False),
        (("journal", "--json"), False),
    ],
)
def test_default_limit_is_noted(
    command: tuple[str, ...], has_note: bool, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that has as many rows as are shown by default says that there may be more."""
    monkeypatch.setattr("ledger.cli.ROWS_SHOWN", 5)
    result = CliRunner().invoke(app, command)

    assert has_note is ("note: only the newest 5 rows; --limit N shows more" in result.stderr)


def test_run_of_the_books_is_noted(
    log: Log, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a flag the books may be older than the newest run, so their run is named."""
    now = datetime.now(UTC)
    record = RunRecord(
        command="demo",
        name="n",
        prefix=os.environ["ARENA_PREFIX"],
        bootstrap="x",
        pid=1,
        pid_started_at=0.0,
        started_at=now,
    )
    directory = new_run_directory(tmp_path, now)
    write_run(directory, record)
    monkeypatch.delenv("ARENA_PREFIX")

    assert f"note: the books of run {directory.name}" in CliRunner().invoke(app, "journal").stderr
    named = CliRunner().invoke(app, ["journal", "--run", directory.name])
    assert "the books of run" not in named.stderr


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_export_has_every_table(log: Log, tmp_path: Path, form: str) -> None:
    """One file per table; an empty table has its header."""
    rows = json.loads(ask("export", str(tmp_path / "out"), "--format", form, "--json"))["rows"]

    assert {table.name for table in APPEND_ONLY} == set(rows)
    assert log.shard.counted == rows["journal"]
    for table in APPEND_ONLY:
        path = tmp_path / "out" / f"{table.name}.{form}"
        if form == "csv":
            found = len(list(csv.reader(path.open()))) - 1
        else:
            found = pq.read_table(path).num_rows
        assert rows[table.name] == found, table.name


def test_missing_books_are_an_error(
    location: BooksLocation, use_books: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is DependencyMissing, exit code 3."""
    monkeypatch.setenv("ARENA_PREFIX", "none.")
    if location.path is not None:
        monkeypatch.setenv("DATABASE_URL", f"sqlite:///{location.path}.none")
    with pytest.raises(DependencyMissing):
        ask("balances")


def test_sums_can_exceed_64_bits(database: Database) -> None:
    """Each entry fits its columns; the sum of several does not have to."""
    writer = Writer(database)
    batch = Projector(Poster(), {}).batch(records_of(written_log(0)))
    writer.write(batch)
    more = RowBatch()
    for offset in range(100, 104):
        legs = enumerate(((1, NEAR_MAX), (2, -NEAR_MAX)))
        more.rows[schema.entries] += [
            (0, offset, leg, 2, account, *split_amount(amount)) for leg, (account, amount) in legs
        ]
        no_order = (None, None, None, None)
        row = (0, offset, "opened", 1, offset, *no_order, 2, 0, bytes(32), 0, "", "")
        more.rows[schema.journal].append(row)
    writer.write(more)
    with database.reading() as connection:
        found = balances(connection)
        balanced = trial_balance(connection)[1]

    assert 4 * NEAR_MAX + 10**13 == found["agent/a/cash", "USD"]
    assert balanced


def test_amount_that_does_not_fit_is_an_error() -> None:
    """More than 64 bits of whole units, more than eight decimals, or not a number."""
    for wrong in ("9223372036854775808", "1.123456789", "x", None):
        with pytest.raises(BrokenLog):
            units(wrong, 7)
    assert [(1, 50_000_000), (-1, 99_999_999)] == [units("1.5", 0), units("-0.00000001", 0)]


@pytest.mark.parametrize("wrong", ["0.0000000000000000001", "x", "", None])
def test_malformed_price_is_an_error(wrong: str | None) -> None:
    """Nineteen decimals, not a number, or missing."""
    with pytest.raises(BrokenLog, match="not a price of 18 decimals"):
        price(wrong, 7)
    assert "0.000001123456" == price("0.0000011234560", 0)


def test_booked_fields_are_fields_of_the_message() -> None:
    """Every field that is booked exists in the event with the same name."""
    written = set(OrderDecided.model_fields)
    read = set(BookedRead.__struct_fields__)

    assert read <= written
    assert {"account", "unit", "amount"} == set(Posting.model_fields)
    with pytest.raises(BrokenLog):
        read_booked(b"{}", 0)


def test_kind_and_agent_of_an_account() -> None:
    """The kind is the part after the owner; unknown names are their own kind."""
    assert ("cash", "a/b") == kind_and_agent("agent/a/b/cash")
    assert ("slippage", None) == kind_and_agent("house/slippage")
    assert ("odd", None) == kind_and_agent("odd")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("-1234567.5", "-1,234,567.5"), ("-0.5", "-0.5"), ("0", "0"), ("", "")],
)
def test_thousands(text: str, expected: str) -> None:
    """Commas separate thousands."""
    assert expected == thousands(text)
