"""Candles of the cache in the books: added once, digit by digit, on both engines."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from arena.candle_cache.series import DAY_S, Series
from arena.candle_cache.store import CandleStore, NewDay
from arena.errors import UsageError
from ledger import schema
from ledger.cached_candles import import_candles
from ledger.cli import app
from ledger.database import Database
from ledger.location import BooksLocation

DAY = 1_767_225_600
"""2026-01-01."""
BTC, USDT = Series("coinbase", "BTC-USD"), Series("binance", "BTCUSDT", "1h")
PRICE = "100.123456789012345678"


def fill(home: Path) -> CandleStore:
    """A cache with two days of minutes and one of hours; a minute has quotes only."""
    store, now = CandleStore(home), datetime(2026, 2, 1, tzinfo=UTC)
    for series, days in ((BTC, 2), (USDT, 1)):
        for day in range(DAY, DAY + days * DAY_S, DAY_S):
            starts = range(day, day + DAY_S, series.step_s)
            lines = dict.fromkeys(starts, f"{PRICE},101,99,100,2.5,,")
            if series == BTC:
                lines[day] = ",,,,,99,101"
            store.replace(series, {day: NewDay(lines, ((day, day + DAY_S),), "test")}, now)
    return store


def test_candles_are_added_once(database: Database, tmp_path: Path) -> None:
    """A second import adds nothing, and a candle that the books have stays."""
    store = fill(tmp_path)
    first = import_candles(database, store, store.all_series())
    again = import_candles(database, store, store.all_series())
    with database.reading() as connection:
        rows = connection.execute(select(schema.candles)).all()

    assert (2, 2 * 1_439 + 24, 2 * 1_439 + 24) == (first.series, first.rows, first.added)
    assert (first.rows, 0) == (again.rows, again.added)
    assert {("coinbase", "BTC-USD", 60), ("binance", "binance:BTCUSDT", 3_600)} == {
        (row.venue, row.product_id, row.granularity_s) for row in rows
    }
    assert {Decimal(PRICE)} == {Decimal(row.open) for row in rows}
    assert (DAY + 60) * 1_000_000 == min(row.start_us for row in rows if row.venue == "coinbase")


def test_changed_file_is_not_booked(database: Database, tmp_path: Path) -> None:
    """The error names the file."""
    store = fill(tmp_path)
    path = store.file(BTC, DAY)
    path.write_bytes(path.read_bytes()[:-4])

    with pytest.raises(UsageError, match=r"2026-01-01\.parquet is not the file"):
        import_candles(database, store, [BTC])


def test_command_chooses_series(
    location: BooksLocation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By venue, product and length; without a match it says what to do."""
    fill(tmp_path / "home")
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATABASE_URL", location.url.render_as_string(hide_password=False))
    words = ["candles", "import", "--venue", "binance", "--products", "BTCUSDT"]
    done = CliRunner().invoke(app, [*words, "--granularity", "1h", "--json"])
    none = CliRunner().invoke(app, [*words, "--granularity", "1m"])

    assert 0 == done.exit_code, done.output
    assert {"series": 1, "rows": 24, "added": 24}.items() <= json.loads(done.output).items()
    assert isinstance(none.exception, UsageError)
    assert "has no such candles" in str(none.exception)
