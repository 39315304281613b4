"""A report is verified from the records alone; one changed byte is found and named."""

import asyncio
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arena.errors import UsageError
from judge.report import files
from judge.report.facts import ReportOptions, read_facts
from judge.report.verify import Verification, verify_report
from judge.report.write import write_report
from tests.judge.seasons import export_run

SNAPSHOTS = 65
EVENTS = "records/account.events.parquet"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with its report."""
    directory = asyncio.run(
        export_run(tmp_path_factory.mktemp("runs") / "one", snapshots=SNAPSHOTS)
    )
    write_report(
        read_facts(directory, ReportOptions(pacing="lock-step", seed=5)), directory / "report"
    )
    return directory


@pytest.fixture
def run(written: Path, tmp_path: Path) -> Path:
    """A copy of it under another name, to be damaged."""
    return Path(shutil.copytree(written, tmp_path / "moved"))


def check(run: Path) -> Verification:
    """Verify the run's report."""
    return verify_report(run, run / "report")


def rewrite(path: Path, column: str, row: int, change: Callable[[Any], Any]) -> None:
    """Change one value of a Parquet file, of whatever type, and leave everything else as it is."""
    table = pq.read_table(path)
    place = table.schema.get_field_index(column)
    values = table.column(column).to_pylist()
    values[row] = change(values[row])
    field = table.schema.field(column)
    pq.write_table(table.set_column(place, field, pa.array(values, field.type)), path)


def a_fill(path: Path) -> int:
    """The row of a filled order in the middle of the log."""
    values = pq.read_table(path).column("value").to_pylist()
    rows = [n for n, value in enumerate(values) if b'"outcome":"filled"' in value]
    return rows[len(rows) // 2]


def flip_fee(value: bytes) -> bytes:
    """Change one byte: the first digit of the fee."""
    at = value.index(b'"fee":"') + len(b'"fee":"')
    return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]


def test_an_honest_report_is_verified(run: Path) -> None:
    """Every figure is recomputed and the same, wherever the folder lies."""
    found = check(run)

    assert () == found.differences
    assert () == found.notes
    assert found.compared > 5_000


def test_one_changed_byte_of_a_fill_is_named(run: Path) -> None:
    """The file, the accounts' digest and the figures that follow from the fill are named."""
    rewrite(run / EVENTS, "value", a_fill(run / EVENTS), flip_fee)
    said = "\n".join(check(run).differences)

    assert "account.events.parquet has SHA-256" in said
    assert "figures.json account_digest: the report says" in said
    assert "fills.csv" in said
    assert "leaderboard.csv" in said


def test_a_forged_manifest_does_not_help(run: Path) -> None:
    """Who changes a fill and the manifest's hash with it is still found out."""
    rewrite(run / EVENTS, "value", a_fill(run / EVENTS), flip_fee)
    manifest = json.loads((run / "records/manifest.json").read_text())
    digest = hashlib.sha256((run / EVENTS).read_bytes()).hexdigest()
    manifest["topics"]["account.events"]["sha256"] = digest
    (run / "records/manifest.json").write_text(json.dumps(manifest))
    said = "\n".join(check(run).differences)

    assert "has SHA-256" not in said
    assert "figures.json records account.events: the report says" in said
    assert "figures.json account_digest" in said


def test_a_flipped_bit_in_the_file_is_named(run: Path) -> None:
    """A damaged file is named whether or not it can still be read."""
    path = run / EVENTS
    whole = path.read_bytes()
    path.write_bytes(whole[:900] + bytes([whole[900] ^ 1]) + whole[901:])

    assert "account.events.parquet has SHA-256" in check(run).differences[0]


@pytest.mark.parametrize(
    ("name", "old", "new", "named"),
    [
        ("leaderboard.csv", ",scalper,", ",scalpel,", "leaderboard.csv row"),
        ("fills.csv", ",buy,", ",sell,", "side: the report says 'sell', the records give 'buy'"),
        ("report.md", "## Verdict", "## Triumph", "report.md differs from the recomputed one"),
        ("index.html", "<h1>", "<h1>not ", "index.html differs from the recomputed one"),
        (
            "figures.json",
            '"snapshots": 65',
            '"snapshots": 66',
            "snapshots: the report says 66",
        ),
    ],
)
def test_a_changed_report_is_named(run: Path, name: str, old: str, new: str, named: str) -> None:
    """A word changed in any file of the report is found."""
    path = run / "report" / name
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    said = "\n".join(check(run).differences)

    assert text != path.read_text(encoding="utf-8")
    assert named in said


def test_the_smallest_unit_of_a_fill_counts(run: Path) -> None:
    """A fill's amounts are exact: one unit of 10^-8 more is a difference."""
    path = run / "report" / files.FILLS_PARQUET
    rewrite(path, "notional", 0, lambda text: text[:-1] + str((int(text[-1]) + 1) % 10))

    assert ["fills.parquet row 1"] == [d.split(" (")[0] for d in check(run).differences]


def test_a_changed_equity_is_named(run: Path) -> None:
    """A cent more of equity at one mark is named with its row and agent."""
    path = run / "report" / files.EQUITY
    rewrite(path, "equity_usd", 7, lambda usd: usd + 0.01)
    (said,) = check(run).differences

    assert said.startswith("equity.parquet row 8 (")
    assert "equity_usd" in said


def test_the_last_digits_of_a_float_may_differ(run: Path) -> None:
    """Another machine's rounding is no difference."""
    path = run / "report" / files.EQUITY
    rewrite(path, "equity_usd", 7, lambda usd: usd * (1 + 1e-13))

    assert () == check(run).differences


@pytest.mark.parametrize("name", ["leaderboard.csv", "equity.parquet", "index.html"])
def test_a_missing_file_is_named(run: Path, name: str) -> None:
    """A report that lost a file is not verified."""
    (run / "report" / name).unlink()

    assert [f"{name} cannot be read"] == [d.split(":")[0] for d in check(run).differences]


def test_without_a_report_there_is_nothing_to_verify(run: Path) -> None:
    """No figures, and figures that are no JSON, are told with a remedy."""
    (run / "report/figures.json").write_text("{")
    with pytest.raises(UsageError, match="is not JSON"):
        check(run)
    (run / "report/figures.json").unlink()
    with pytest.raises(UsageError, match="compete report"):
        check(run)


def test_a_report_of_another_version_is_not_called_wrong(run: Path) -> None:
    """Other figures are said to be that version's; a fill that is not the records' is named."""
    path = run / "report" / "figures.json"
    told = json.loads(path.read_text())
    told["arena"] = "0.1.0"
    told["options"]["confidence"], told["extra"] = 0.9, 1
    path.write_text(json.dumps(told))
    older = check(run)
    rewrite(run / "report" / files.FILLS_PARQUET, "fee", 0, lambda fee: f"1{fee}")

    assert () == older.differences
    assert "written by arena 0.1.0" in older.notes[0]
    assert "figures differ because" in older.notes[-1]
    assert [files.FILLS_PARQUET in line for line in check(run).differences] == [True]
