"""`arena candles list`, `check` and `import`: the cache of candles as a person uses it."""

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arena.candle_cache.series import DAY_S, Series
from arena.candle_cache.store import CandleStore, NewDay
from arena.errors import UsageError
from operations.commands.candles_cache import check_cache, import_files, print_list
from tests.warm_commands import run_arena

DAY = 1_767_225_600
"""2026-01-01."""
HEADER = "ts,open,high,low,close,volume"


def csv(path: Path, minutes: range, *, close: str = "100.5", quotes: bool = False) -> Path:
    """A file of minutes of 2026."""
    more = ",100.4,100.6" if quotes else ""
    rows = [f"{DAY + 60 * n},100,101,99,{close},2.50{more}" for n in minutes]
    path.write_text("\n".join([HEADER + (",bid,ask" if quotes else ""), *rows]))
    return path


def imported(home: Path, *files: Path, venue: str | None = "coinbase") -> None:
    """Import files."""
    import_files(home, files, venue=venue, product=None, as_json=True)


def document(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:  # Any: JSON
    """What a command printed."""
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def arena(home: Path, *words: str) -> "CompletedProcess[str]":
    """Run a command."""
    return run_arena(*words, env={**os.environ, "ARENA_HOME": str(home)}, cwd=home, timeout_s=60)


def test_commands_by_hand(tmp_path: Path) -> None:
    """Import, list, check and a changed file, with exit codes."""
    file = csv(tmp_path / "BTC-USD.csv", range(3 * 1_440 - 5))
    empty = arena(tmp_path, "candles", "list")
    added = arena(tmp_path, "candles", "import", "--venue", "coinbase", str(file))
    listed = arena(tmp_path, "candles", "list")
    fine = arena(tmp_path, "candles", "check")
    day = tmp_path / "candles" / "coinbase" / "BTC-USD" / "1m" / "2026-01-02.parquet"
    readable = arena(tmp_path, "candles", "check", str(day), "--product", "BTC-USD")
    pq.write_table(pq.read_table(day).slice(1), day)
    broken = arena(tmp_path, "candles", "check")

    assert [0, 0, 0, 0, 0, 1] == [
        one.returncode for one in (empty, added, listed, fine, readable, broken)
    ]
    assert "fetch some with `arena candles fetch`" in empty.stdout
    assert "coinbase BTC-USD 1m: 4,315 candles of 3 days, 4,315 new" in added.stdout
    assert "have only a part of 2026-01-03" in added.stdout
    assert re.search(r"coinbase +BTC-USD +1m +2026-01-01 00:00 +2026-01-03 23:55", listed.stdout)
    assert "coinbase BTC-USD 1m: 3 days, 4,315 candles, no gaps" in fine.stdout
    assert "1,440 minutes 2026-01-02 00:00 UTC to 2026-01-03 00:00 UTC, no gaps" in readable.stdout
    assert "2026-01-02.parquet is not the file that the manifest names" in broken.stderr
    assert "remove it, and fetch or import 2026-01-02 again" in broken.stderr


def test_same_rows_twice_are_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In several files, in another format, and once more; a row may add quotes."""
    first = csv(tmp_path / "BTC-USD_1.csv", range(1_000))
    second = csv(tmp_path / "BTC-USD_2.csv", range(500, 1_440))
    parquet = tmp_path / "BTC-USD_3.parquet"
    starts = [DAY + 60 * n for n in range(300)]
    numbers = {"open": 100.0, "high": 101.0, "low": 99.0, "close": 100.5, "volume": 2.5}
    columns = {name: [value] * 300 for name, value in numbers.items()}
    pq.write_table(pa.table({"ts": starts, **columns}), parquet)
    imported(tmp_path, first, second)
    (one,) = document(capsys)
    imported(tmp_path, parquet, first)
    (two,) = document(capsys)
    imported(tmp_path, csv(tmp_path / "BTC-USD_4.csv", range(10), quotes=True))
    capsys.readouterr()
    print_list(tmp_path, as_json=True)
    (listed,) = document(capsys)

    assert (1_440, 1_440, 0) == (one["rows"], one["new_rows"], one["days_in_part"])
    assert 0 == two["new_rows"]
    assert {
        "venue": "coinbase",
        "product": "BTC-USD",
        "granularity": "1m",
        "days": 1,
        "first": "2026-01-01T00:00:00Z",
        "last": "2026-01-02T00:00:00Z",
        "rows": 1_440,
        "missing": 0,
        "gaps": [],
    }.items() <= listed.items()
    assert listed["bytes"] > 0
    store, series = CandleStore(tmp_path), Series("coinbase", "BTC-USD")
    lines = store.read_day(series, DAY, store.manifest(series).days[DAY])
    assert ("100,101,99,100.5,2.5,100.4,100.6", "100,101,99,100.5,2.5,,") == (
        lines[DAY],
        lines[DAY + 600],
    )


def test_candles_that_have_not_ended_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dump of the present ends with a candle that still changes; the cache has closed ones."""
    now = int(datetime.now(UTC).timestamp() - DAY) // 60
    imported(tmp_path, csv(tmp_path / "BTC-USD.csv", range(now - 10, now + 5)))
    (found,) = document(capsys)
    assert found["rows"] in {10, 11}
    with pytest.raises(UsageError, match="has not ended"):
        imported(tmp_path, csv(tmp_path / "ETH-USD.csv", range(now + 1_440, now + 1_450)))


def test_contradicting_rows_change_nothing(tmp_path: Path) -> None:
    """Of the cache or of another file: the error names the minute, and no file is written."""
    imported(tmp_path, csv(tmp_path / "BTC-USD.csv", range(100)))
    store = CandleStore(tmp_path)
    before = {p: p.read_bytes() for p in store.folder.rglob("*") if p.is_file()}
    other = csv(tmp_path / "BTC-USD_new.csv", range(50, 200), close="100.6")
    third = csv(tmp_path / "ETH-USD.csv", range(10))
    for files in ((third, other), (csv(tmp_path / "BTC-USD_2.csv", range(100, 150)), other)):
        with pytest.raises(UsageError) as caught:
            imported(tmp_path, *files)
        assert "BTC-USD_new.csv contradicts coinbase BTC-USD 1m at 2026-01-01" in str(caught.value)
        assert "close 100.6" in str(caught.value)
    after = {p: p.read_bytes() for p in store.folder.rglob("*") if p.is_file()}

    assert before == after


def test_venue_is_in_the_file_or_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A dump of Binance names it; a venue without a package has products with a dash."""
    rows = [f"{(DAY + 60 * n) * 1_000_000},1,1,1,1,1,0,1,1,1,1,0" for n in range(20)]
    dump = tmp_path / "BTCUSDT-1m-2026-01.csv"
    dump.write_text("\n".join(rows))
    plain = csv(tmp_path / "XBTUSD_1.csv", range(20))
    imported(tmp_path, dump, venue=None)
    imported(tmp_path, plain, venue="kraken")
    capsys.readouterr()
    print_list(tmp_path, as_json=True)

    assert ["binance:BTCUSDT", "kraken:BTC-USD"] == [one["product"] for one in document(capsys)]
    with pytest.raises(UsageError, match="does not name its venue; name it: --venue coinbase"):
        imported(tmp_path, plain, venue=None)
    with pytest.raises(UsageError, match="is not the name of a venue"):
        imported(tmp_path, plain, venue="../x")


def test_check_names_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Missing files, foreign files, damaged manifests and rows that are not candles."""
    store, series = CandleStore(tmp_path), Series("coinbase", "BTC-USD")
    bad = {DAY: "1,2,3,1,1,,", DAY + DAY_S: "1,1,1,1,1,,", DAY + 2 * DAY_S: "1,1,1,1,1,,"}
    for start, line in bad.items():
        day = start - start % DAY_S
        new = NewDay({start: line}, ((day, day + DAY_S),), "test")
        store.replace(series, {day: new}, datetime.now(UTC))
    other = Series("coinbase", "ETH-USD")
    store.replace(other, {}, datetime.now(UTC))
    (store.folder_of(other) / "manifest.json").write_text("{}")
    store.file(series, DAY + DAY_S).unlink()
    foreign = store.file(series, DAY + 7 * DAY_S)
    foreign.write_bytes(store.file(series, DAY).read_bytes())
    code = check_cache(tmp_path, as_json=True)
    btc, eth = document(capsys)

    assert 1 == code
    assert [False, False] == [btc["ok"], eth["ok"]]
    assert 3 == len(btc["problems"])
    assert "2026-01-01 00:00 UTC is not a candle: 1,2,3,1,1,," in btc["problems"][0]
    assert "2026-01-02.parquet is missing; fetch or import 2026-01-02 again" in btc["problems"][1]
    assert f"{foreign} is not in the manifest" in btc["problems"][2]
    assert "manifest.json cannot be read" in eth["problems"][0]


@pytest.mark.parametrize("name", ["x.csv", "AEUR.csv"])
def test_product_is_named_by_a_flag(tmp_path: Path, name: str) -> None:
    """The remedy is the flag, for a name without a product."""
    with pytest.raises(UsageError, match="name it: --product BTC-USD"):
        imported(tmp_path, csv(tmp_path / name, range(20)))


def test_edited_rows_of_a_manifest_are_refused(tmp_path: Path) -> None:
    """Every command that reads it says so, not the check alone."""
    imported(tmp_path, csv(tmp_path / "BTC-USD.csv", range(1_440)))
    (path,) = (tmp_path / "candles").rglob("manifest.json")
    path.write_text(path.read_text().replace('"rows": 1440', '"rows": 1441'))
    with pytest.raises(UsageError, match="has 1,441 rows, but its times and gaps give 1,440"):
        print_list(tmp_path, as_json=True)
