"""`arena compete report`, `verify` and `compare` on the command line."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from arena.errors import UsageError
from judge.cli_report import compare, find_directory, is_contest, report, verify
from tests.judge.seasons import export_run
from tests.warm_commands import run_arena

SPEC = """\
[arena]
name = "Prompt trial"
[competition]
snapshots = 65
confidence = 0.8
seed = 3
pacing = "lock-step"
"""
DEADLINE_S = 110


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with two runs on the same market."""
    home = tmp_path_factory.mktemp("home")
    for name in ("2026-11-21T09-12-03", "2026-11-21T10-00-00"):
        directory = asyncio.run(export_run(home / "runs" / name, snapshots=65))
        (directory / "ARENA.toml").write_text(SPEC)
    return home


def arena(home: Path, *text: str) -> subprocess.CompletedProcess[str]:
    """Run `arena compete ...` in that home folder."""
    environ = os.environ | {"ARENA_HOME": str(home)}
    return run_arena("compete", *text, env=environ, timeout_s=DEADLINE_S)


def test_verify_accepts_a_report_and_refuses_a_changed_one(home: Path) -> None:
    """The report of the newest run is written and verified; one changed byte is refused."""
    written = arena(home, "report", "last")
    verified = arena(home, "verify", "last", "--json")
    run = home / "runs" / "2026-11-21T10-00-00"
    recorded = json.loads((run / "report/figures.json").read_text())

    assert (0, "") == (
        written.returncode,
        written.stderr.replace(f"report: {run}/report/index.html\n", ""),
    )
    assert "Standings; intervals at 80%" in written.stdout
    chosen = {"confidence": 0.8, "seed": 3, "pacing": "lock-step", "title": "Prompt trial"}
    assert chosen == recorded["options"]
    assert "<h1>Prompt trial</h1>" in (run / "report/index.html").read_text()
    assert (0, True, []) == (
        verified.returncode,
        json.loads(verified.stdout)["verified"],
        json.loads(verified.stdout)["differences"],
    )

    fills = run / "report/fills.csv"
    fills.write_text(fills.read_text().replace("buy", "sell", 1))
    refused = arena(home, "verify", run.name)

    assert 1 == refused.returncode
    assert "fills.csv row 1" in refused.stdout
    assert "1 difference among" in refused.stdout


def test_terminal_shows_what_is_computed(home: Path, tmp_path: Path) -> None:
    """A terminal at standard error has the status; the output has the result alone."""
    ours, theirs = os.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "arena", "compete", "report", "last~1", "--out", str(tmp_path)],
        env=os.environ | {"ARENA_HOME": str(home), "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    os.close(theirs)
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)

    assert 0 == done.returncode
    assert "computing the report of 2026-11-21T09-12-03" in shown
    assert "computing" not in done.stdout


def test_report_follows_its_options(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--out and --confidence override the run and its specification; --json prints the figures."""
    done = arena(
        home, "report", "last~1", "--out", str(tmp_path / "r"), "--confidence", "0.95", "--json"
    )

    assert 0 == done.returncode
    assert 0.95 == json.loads(done.stdout)["options"]["confidence"]
    assert (tmp_path / "r/index.html").is_file()
    assert pq.read_table(tmp_path / "r/equity.parquet").num_rows
    monkeypatch.setenv("ARENA_HOME", str(home))
    verify("last~1", out=tmp_path / "r")


def test_runs_of_the_same_market_are_paired(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two equal runs: the comparison is paired and separates no agent."""
    text = arena(home, "compare", "last~1", "last")
    monkeypatch.setenv("ARENA_HOME", str(home))
    compare("last~1", "last", as_json=True)
    document = json.loads(capsys.readouterr().out)

    assert 0 == text.returncode
    assert "Paired: the same 65 snapshots at the same prices." in text.stdout
    assert document["paired"]
    assert {False} == {line["separated"] for line in document["lines"]}


def test_last_counts_contests_only(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A demo after two contests is not the last run of a comparison, but that of a report."""
    monkeypatch.setenv("ARENA_HOME", str(home))
    demo = home / "runs" / "2026-11-22T00-00-00"
    shutil.copytree(home / "runs" / "2026-11-21T10-00-00" / "records", demo / "records")
    (demo / "ARENA.toml").write_text("[arena]\n")
    try:
        assert demo == find_directory("last")
        assert "2026-11-21T10-00-00" == find_directory("last", is_contest).name
        with pytest.raises(UsageError, match="only 2 contests with records in "):
            find_directory("last~2", is_contest)
    finally:
        shutil.rmtree(demo)


def test_an_unknown_run_is_one_line_of_error(home: Path) -> None:
    """It exits with 2 and one line with a remedy."""
    done = arena(home, "report", "nowhere")

    assert 2 == done.returncode
    assert "no run 'nowhere' with records" in done.stderr
    assert 1 == len(done.stderr.strip().splitlines())


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: verify("last~7"), "only 2 runs with records in"),
        (lambda: compare("last", "last", pair=["x"]), "'x' does not name two agents"),
        (lambda: compare("last", "last", pair=["x=y"]), "no such agents"),
    ],
)
def test_wrong_usage_is_named(
    home: Path, call: Callable[[], None], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the wrong value."""
    monkeypatch.setenv("ARENA_HOME", str(home))

    with pytest.raises(UsageError, match=expected):
        call()


@pytest.mark.parametrize("command", [report, verify])
def test_a_run_given_twice_is_refused(command: Callable[..., None]) -> None:
    """An argument and `--run` would name two runs."""
    with pytest.raises(
        UsageError, match="'last' and --run 'last~1' both name the run to read"
    ) as recorded:
        command(run="last", run_name="last~1")

    assert "give one of them" == recorded.value.remedy
