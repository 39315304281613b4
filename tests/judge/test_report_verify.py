"""A report is verified from the records; one changed byte is found and named."""

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
    """A copy of the run that a test may damage."""
    return Path(shutil.copytree(written, tmp_path / "moved"))


def check(run: Path) -> Verification:
    """Verify the run's report."""
    return verify_report(run, run / "report")


def rewrite(path: Path, column: str, row: int, change: Callable[[Any], Any]) -> None:
    """Change one value of a Parquet file and keep everything else."""
    table = pq.read_table(path)
    index = table.schema.get_field_index(column)
    values = table.column(column).to_pylist()
    values[row] = change(values[row])
    field = table.schema.field(column)
    pq.write_table(table.set_column(index, field, pa.array(values, field.type)), path)


def a_fill(path: Path) -> int:
    """The row of a filled order in the middle of the log."""
    values = pq.read_table(path).column("value").to_pylist()
    rows = [n for n, value in enumerate(values) if b'"outcome":"filled"' in value]
    return rows[len(rows) // 2]


def flip_fee(value: bytes) -> bytes:
    """Change one byte: the first digit of the fee."""
    at = value.index(b'"fee":"') + len(b'"fee":"')
    return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]


def test_an_unchanged_report_is_verified(run: Path) -> None:
    """Every recomputed figure is equal, wherever the folder is."""
    found = check(run)

    assert () == found.differences
    assert () == found.notes
    assert found.compared > 5_000


def test_one_changed_byte_of_a_fill_is_named(run: Path) -> None:
    """The file, the accounts' digest and the figures that depend on the fill are named."""
    rewrite(run / EVENTS, "value", a_fill(run / EVENTS), flip_fee)
    differences = "\n".join(check(run).differences)

    assert "account.events.parquet has SHA-256" in differences
    assert "figures.json account_digest: the report says" in differences
    assert "fills.csv" in differences
    assert "leaderboard.csv" in differences


def test_a_forged_manifest_is_found(run: Path) -> None:
    """Changing a fill and its hash in the manifest is found by the figures."""
    rewrite(run / EVENTS, "value", a_fill(run / EVENTS), flip_fee)
    manifest = json.loads((run / "records/manifest.json").read_text())
    digest = hashlib.sha256((run / EVENTS).read_bytes()).hexdigest()
    manifest["topics"]["account.events"]["sha256"] = digest
    (run / "records/manifest.json").write_text(json.dumps(manifest))
    differences = "\n".join(check(run).differences)

    assert "has SHA-256" not in differences
    assert "figures.json records account.events: the report says" in differences
    assert "figures.json account_digest" in differences


def test_a_flipped_bit_in_the_file_is_named(run: Path) -> None:
    """A damaged file is named if it can be read and if it cannot."""
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
    """A changed word in any file of the report is found."""
    path = run / "report" / name
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    differences = "\n".join(check(run).differences)

    assert text != path.read_text(encoding="utf-8")
    assert named in differences


def test_the_smallest_unit_of_a_fill_counts(run: Path) -> None:
    """Amounts of a fill are exact: one unit of 10^-8 more is a difference."""
    path = run / "report" / files.FILLS_PARQUET
    rewrite(path, "notional", 0, lambda text: text[:-1] + str((int(text[-1]) + 1) % 10))

    assert ["fills.parquet row 1"] == [d.split(" (")[0] for d in check(run).differences]


def test_a_changed_equity_is_named(run: Path) -> None:
    """One cent more of equity at one mark is named with its row and agent."""
    path = run / "report" / files.EQUITY
    rewrite(path, "equity_usd", 7, lambda usd: usd + 0.01)
    (differences,) = check(run).differences

    assert differences.startswith("equity.parquet row 8 (")
    assert "equity_usd" in differences


def test_the_last_digits_of_a_float_may_differ(run: Path) -> None:
    """Different rounding of another machine is not a difference."""
    path = run / "report" / files.EQUITY
    rewrite(path, "equity_usd", 7, lambda usd: usd * (1 + 1e-13))

    assert () == check(run).differences


@pytest.mark.parametrize("name", ["leaderboard.csv", "equity.parquet", "index.html"])
def test_a_missing_file_is_named(run: Path, name: str) -> None:
    """A report without one of its files is not verified."""
    (run / "report" / name).unlink()

    assert [f"{name} cannot be read"] == [d.split(":")[0] for d in check(run).differences]


def test_a_missing_or_broken_report_is_refused(run: Path) -> None:
    """Missing figures and invalid JSON are errors with a remedy."""
    (run / "report/figures.json").write_text("{")
    with pytest.raises(UsageError, match="is not JSON"):
        check(run)
    (run / "report/figures.json").unlink()
    with pytest.raises(UsageError, match="compete report"):
        check(run)


def test_a_report_of_another_version_names_the_version(run: Path) -> None:
    """Its other figures are attributed to the version; a changed fill is still named."""
    path = run / "report" / "figures.json"
    recorded = json.loads(path.read_text())
    recorded["arena"] = "0.1.0"
    recorded["options"]["confidence"], recorded["extra"] = 0.9, 1
    path.write_text(json.dumps(recorded))
    older = check(run)
    rewrite(run / "report" / files.FILLS_PARQUET, "fee", 0, lambda fee: f"1{fee}")

    assert () == older.differences
    assert "written by arena 0.1.0" in older.notes[0]
    assert "figures differ because" in older.notes[-1]
    assert [files.FILLS_PARQUET in line for line in check(run).differences] == [True]


def earlier_code(run: Path, change: Callable[[dict[str, Any]], None]) -> Verification:
    """Verify the report as if code without some of the chapters had written it."""
    path = run / "report" / "figures.json"
    recorded = json.loads(path.read_text())
    del recorded["code"], recorded["season"]["periods_per_year"], recorded["printed"]["charts"]
    change(recorded)
    recorded["evaluation"]["assumptions"].append("An assumption that this code does not name.")
    path.write_text(json.dumps(recorded))
    (run / "report" / "index.html").write_text("another page")
    board = run / "report" / "leaderboard.csv"
    table = [line.rpartition(",")[0] for line in board.read_text().splitlines()]
    board.write_text("\n".join(table) + "\n")
    return check(run)


def test_a_report_of_other_code_is_compared_in_what_both_have(run: Path) -> None:
    """Chapters and columns that only one of both has are noted, and are not differences."""
    found = earlier_code(run, lambda _: None)
    assert () == found.differences
    assert 1 == len(found.notes)
    assert "other code of arena" in found.notes[0]
    assert "`arena compete report`" in found.notes[0]


def test_a_changed_figure_of_other_code_is_a_difference(run: Path) -> None:
    """The note does not excuse a figure that both have."""

    def change(recorded: dict[str, Any]) -> None:
        recorded["season"]["snapshots"] += 1

    found = earlier_code(run, change)
    assert 1 == len(found.differences)
    assert "season snapshots: the report says 66, the records give 65" in found.differences[0]
    assert "may have computed" in found.notes[-1]


def test_a_lacking_figure_of_the_same_code_is_a_difference(run: Path) -> None:
    """A figure cannot be left out of a report of this code."""
    path = run / "report" / "figures.json"
    recorded = json.loads(path.read_text())
    del recorded["season"]["periods_per_year"]
    path.write_text(json.dumps(recorded))
    assert "the report says 'nothing'" in check(run).differences[0]
