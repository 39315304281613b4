"""`arena backtest` with its real command: the same records as a contest, without Kafka."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from arena import topics
from arena.exports import read_records
from arena.messages import AgentEvaluation, TurnJudgement
from arena.runs import RECORDS, RUN_FILE, SPEC_FILE
from arena.toml_files import parse_toml
from tests.operations.commands.cli import ROOT
from tests.warm_commands import run_arena

SPEC = """\
[arena]
name = "small"
products = ["BTC-USD", "SOL-USD"]

[market]
source = "replay"

[[chat_nodes]]
name = "rules"
model_id = "scripted"

[competition]
snapshots = 20
strategies = ["scalper"]
models = ["rules"]
baselines = ["buy_and_hold", "random"]
"""
LIVELY = """\
[arena]
name = "lively"
products = ["BTC-USD"]

[market]
source = "exchange"
speed = 60

[[chat_nodes]]
name = "rules"
model_id = "scripted"

[[agents]]
name = "scalper"
strategy = "scalper"
chat_node = "rules"
"""
DEADLINE_S = 90


def environment(home: Path) -> dict[str, str]:
    """An environment without a broker: its address answers nothing."""
    return os.environ | {
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "ARENA_HOME": str(home),
        "PYTHONPATH": str(ROOT),
    }


def backtest(home: Path, text: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a specification."""
    spec = home / "contest.toml"
    spec.write_text(text)
    return run_arena(
        "backtest", str(spec), *words, env=environment(home), cwd=home, timeout_s=DEADLINE_S
    )


def document(home: Path, text: str, *words: str) -> dict[str, Any]:
    """Run a specification; what `--json` says of it."""
    file = home / "out.json"
    ended = backtest(home, text, *words, "--json", str(file))
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(file.read_text())  # Any: JSON
    return found


def values_of(directory: Path) -> dict[str, list[tuple[int, bytes | None]]]:
    """Topic -> partition and value of each record, in order."""
    names = [topics.SNAPSHOTS.name, topics.TURNS.name, topics.EVENTS.name, topics.COMMANDS.name]
    records = directory / RECORDS
    return {n: [(r.partition, r.value) for r in read_records(records, [n])] for n in names}


def test_a_backtest_is_a_whole_contest(tmp_path: Path) -> None:
    """Report, records and digest, without a broker; the run is one like others."""
    found = document(tmp_path, SPEC)
    assert found["turns"] == 3 * 20
    assert found["snapshots"] == found["snapshots_wanted"] == 20
    assert found["bars"] > 20
    assert found["jobs"] == 1
    assert 20 < found["peak_memory_mib"] < 2_000
    assert found["broker"] == {"kind": "memory", "version": None}
    assert Path(found["report"]).is_file()
    env = environment(tmp_path)
    for words in (("compete", "verify", "last"), ("audit", "verify", "--run", "last")):
        ended = run_arena(*words, env=env, cwd=tmp_path, timeout_s=DEADLINE_S)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    run = json.loads((Path(found["directory"]) / RUN_FILE).read_text())
    assert run["command"] == "backtest"
    assert run["ended_at"] is not None


def test_decisions_are_capped(tmp_path: Path) -> None:
    """The entrant decides so often and no more, baselines always; the audit agrees."""
    found = document(tmp_path, SPEC, "--max-decisions", "3", "--set", "competition.every=2m")
    assert found["turns"] == 2 * 20 + 3
    assert found["gates"]["scalper-rules"]["skipped"] == {"every": 3, "decisions_max": 14}
    words = ("audit", "verify", "--run", "last")
    ended = run_arena(*words, env=environment(tmp_path), cwd=tmp_path, timeout_s=DEADLINE_S)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_market_waits_for_a_judge_without_a_coach(tmp_path: Path) -> None:
    """Evaluations and calls of the judge follow from the records: each snapshot has its round."""
    judged = SPEC.replace("= 20", "= 10") + '[judge]\nchat_node = "rules"\nshare = 1\n'
    found = document(tmp_path, judged + 'evaluate_after = "2m"\n')
    records = Path(found["directory"]) / RECORDS
    evaluations = [r.message() for r in read_records(records, [topics.EVALUATIONS.name])]
    turns = [one for one in evaluations if isinstance(one, TurnJudgement)]
    agents = [one for one in evaluations if isinstance(one, AgentEvaluation)]
    assert len(turns) == 10
    assert agents


def test_two_backtests_write_the_same_records(tmp_path: Path) -> None:
    """Nothing depends on the machine's clock, when a run was started, or a number of processes."""
    file = tmp_path / "out.json"
    ended = backtest(tmp_path, SPEC, "--jobs", "3", "--json", str(file))
    assert "--jobs 3 does not make it faster" in ended.stdout
    found = [json.loads(file.read_text()), document(tmp_path, SPEC)]
    assert [one["jobs"] for one in found] == [1, 1]
    first, second = (values_of(Path(one["directory"])) for one in found)
    assert first == second
    assert first[topics.EVENTS.name]


def test_an_arena_without_a_contest_needs_a_length(tmp_path: Path) -> None:
    """Its real-time market becomes a replay in lock-step; the length must be said."""
    refused = backtest(tmp_path, LIVELY)
    assert refused.returncode == 2
    assert "no [competition], and so no length; add --snapshots 1000" in refused.stderr
    assert not list((tmp_path / "runs").glob("*"))
    assert document(tmp_path, LIVELY, "--snapshots", "5")["turns"] == 5


def test_the_look_ahead_check_asks_no_model(tmp_path: Path) -> None:
    """It plays a contest many times, and a model would answer otherwise each time."""
    spec = tmp_path / "contest.toml"
    spec.write_text(SPEC.replace('"scripted"', '"gpt-5-nano"\nbase_url = "http://127.0.0.1:1/v1"'))
    words = ("backtest", "lookahead", str(spec))
    refused = run_arena(*words, env=environment(tmp_path), cwd=tmp_path, timeout_s=DEADLINE_S)
    assert refused.returncode == 2
    assert "does not ask rules" in refused.stderr
    assert 'replies = "replay"' in refused.stderr
    assert not list((tmp_path / "runs").glob("*"))


def test_a_live_market_is_refused(tmp_path: Path) -> None:
    """A live market has no past; candle files replace it."""
    live = LIVELY.replace('source = "exchange"\nspeed = 60', 'source = "live"')
    refused = backtest(tmp_path, live, "--snapshots", "5")
    assert refused.returncode == 2
    assert "a live market has no past to test on; give candle files" in refused.stderr


@pytest.mark.parametrize("change", [("snapshots = 20", "snapshots = 0"), ("scalper", "scalpel")])
def test_a_wrong_specification_leaves_no_run(tmp_path: Path, change: tuple[str, str]) -> None:
    """The error is that of a contest, and nothing is left behind."""
    refused = backtest(tmp_path, SPEC.replace(*change))
    assert refused.returncode == 2
    assert refused.stderr.startswith("arena: ")
    assert not list((tmp_path / "runs").glob("*"))


def test_flags_write_the_specification_that_they_mean(tmp_path: Path) -> None:
    """The run keeps it; missing candles are named with the command that fetches them."""
    found = document(
        tmp_path,
        SPEC.replace("snapshots = 20", 'duration = "1h"'),
        "--pair=BTC-USD",
        "--start=2026-02-01",
        "--end=2026-02-01T00:05:00Z",
        "--initial-cash=1000",
        "--fee-rate=0.001",
        "--risk-config=cautious",
    )
    assert found["turns"] == 3 * 5
    kept = parse_toml((Path(found["directory"]) / SPEC_FILE).read_text(), "test")
    assert kept["arena"]["products"] == ["BTC-USD"]
    assert kept["rules"] == {"starting_cash": 1000, "fees": 10}
    assert kept["risk"]
    missing = run_arena(
        *("backtest", "--pair", "BTC-USD", "--start", "2026-01-01", "--end", "2026-01-03"),
        env=environment(tmp_path),
        cwd=tmp_path,
        timeout_s=DEADLINE_S,
    )
    assert missing.returncode == 2
    assert "arena candles fetch --venue coinbase" in missing.stderr
