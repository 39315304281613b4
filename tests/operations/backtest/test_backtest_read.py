"""Commands that read runs read that of a backtest: there is an export, and never was a broker."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.operations.backtest.test_backtest import DEADLINE_S, SPEC, document, environment
from tests.warm_commands import run_arena

Command = Callable[..., "subprocess.CompletedProcess[str]"]
MATRIX = "[competition]"
JUDGED = f"""[judge]
evaluate_after = "5m"

{MATRIX}"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one backtest, with a judge and books."""
    home = tmp_path_factory.mktemp("backtest")
    document(home, SPEC.replace(MATRIX, JUDGED), "--books")
    return home


@pytest.fixture
def arena(home: Path) -> Command:
    """Runs a command in that home, in which no broker answers."""
    env = environment(home)
    del env["KAFKA_BOOTSTRAP_SERVERS"]
    return lambda *words: run_arena(*words, env=env, cwd=home, timeout_s=DEADLINE_S)


def test_it_has_ended_and_had_no_broker(arena: Command) -> None:
    """Lists of runs say so; commands about running arenas say that it does not run."""
    listed, shown = arena("runs", "list"), arena("runs", "show", "last")
    assert "backtest   ended" in listed.stdout
    assert "none: all processes ran in one, on virtual time" in shown.stdout
    for words in (("status", "--run", "last"), ("halt", "--run", "last")):
        refused = arena(*words)
        assert refused.returncode == 1
        assert "none of its processes is running" in refused.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("tail", "agent.turns", "--run", "last"), "completed in unmeasured time"),
        (("audit", "trace", "--random", "last"), "same  id from turn, round and index"),
        (("judge", "evaluations", "scalper-rules", "--run", "last"), "first"),
        (("ledger", "trial-balance", "--run", "last"), "house/fees"),
        (("dashboard", "--run", "last", "--once"), "buy-and-hold"),
        (("compete", "verify", "last"), "all match"),
    ],
)
def test_what_reads_records_reads_it(arena: Command, words: tuple[str, ...], expected: str) -> None:
    """From its export, without a word about a broker that does not answer."""
    ended = arena(*words)
    assert ended.returncode == 0, ended.stderr
    assert expected in ended.stdout
    assert "no broker" not in ended.stderr


def test_times_are_not_measured_and_orders_have_market_time(arena: Command, home: Path) -> None:
    """No latency is shown as 0 ms; the terminal shows when in the market an order was decided."""
    (run,) = (home / "runs").iterdir()
    report = (run / "report" / "report.md").read_text()
    assert "Latencies of turns were not measured" in report
    assert "not measured" in (run / "report" / "index.html").read_text()
    assert " 0 ms" not in report
    screen = arena("dashboard", "--run", "last", "--once", "--json")
    assert screen.returncode == 0, screen.stderr
    printed = arena("dashboard", "--run", "last", "--once").stdout
    trades = printed[printed.index("trades (") :]
    assert "00:00:01" not in trades
    assert " ago" not in trades
