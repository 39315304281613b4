"""Contests with models that cost money: the budget, and recorded replies."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from arena.settings import Settings
from tests.operations.commands.cli import ROOT, arena
from tests.operations.commands.contests import DEADLINE_S, Contests

SNAPSHOTS = 6
SPEC = """\
[arena]
name = "models"
products = ["BTC-USD"]

[market]
source = "replay"

[[chat_nodes]]
name = "nano"
model_id = "gpt-5-nano"
base_url = "http://127.0.0.1:{port}/v1"
api_key_env = "A_KEY_NOBODY_HAS"

[competition]
snapshots = {snapshots}
strategies = ["momentum"]
models = ["nano"]
repeats = {repeats}
baselines = []
judge = false
"""


@pytest.fixture
def model() -> Iterator["subprocess.Popen[str]"]:
    """An instant model behind HTTP; it prints its port first."""
    process = subprocess.Popen(
        [sys.executable, "-m", "operations.bench.stub_model"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


def port_of(model: "subprocess.Popen[str]") -> str:
    """The port of the model."""
    assert model.stdout is not None
    return model.stdout.readline().strip()


@pytest.mark.timeout(200)
def test_recorded_replies_are_replayed_without_the_model(
    settings: Settings, tmp_path: Path, model: "subprocess.Popen[str]"
) -> None:
    """The contest runs again without the model and its key, also as a backtest: same accounts."""
    spec = tmp_path / "models.toml"
    contests = Contests(settings, spec)
    text = SPEC.format(port=port_of(model), snapshots=SNAPSHOTS, repeats=2)

    spec.write_text(text + 'replies = "record"\n')
    recorded = contests.outcome(str(spec))
    model.kill()
    spec.write_text(text + 'replies = "replay"\n')
    replayed = contests.outcome(str(spec))

    assert (recorded["ended"], recorded["turns"]) == ("done", 2 * SNAPSHOTS)
    assert recorded["tokens"] > 0
    assert float(recorded["cost_usd"]) > 0
    assert (replayed["tokens"], replayed["cost_usd"]) == (0, "0")
    assert replayed["replies_replayed"] >= 2 * SNAPSHOTS
    assert replayed["account_digest"] == recorded["account_digest"]

    file = tmp_path / "backtest.json"
    words = ("backtest", str(spec), "--json", str(file))
    ended = arena(settings, *words)
    assert ended.returncode == 0, ended.stderr
    tested = json.loads(file.read_text())
    assert tested["account_digest"] == recorded["account_digest"]
    assert tested["replies_replayed"] == replayed["replies_replayed"]
    assert (tested["tokens"], tested["cost_usd"]) == (0, "0")


@pytest.mark.timeout(200)
def test_a_backtest_asks_the_model_and_a_contest_replays_it(
    settings: Settings, tmp_path: Path, model: "subprocess.Popen[str]"
) -> None:
    """Replies that a backtest recorded give the same accounts over Kafka, without the model."""
    spec = tmp_path / "models.toml"
    text = SPEC.format(port=port_of(model), snapshots=SNAPSHOTS, repeats=2)
    spec.write_text(text + 'replies = "record"\n')
    file = tmp_path / "backtest.json"
    ended = arena(settings, "backtest", str(spec), "--no-check", "--json", str(file))
    assert ended.returncode == 0, ended.stderr
    recorded = json.loads(file.read_text())
    assert recorded["tokens"] > 0
    model.kill()

    spec.write_text(text + 'replies = "replay"\n')
    replayed = Contests(settings, spec).outcome(str(spec))

    assert (replayed["tokens"], replayed["cost_usd"]) == (0, "0")
    assert replayed["account_digest"] == recorded["account_digest"]


@pytest.mark.timeout(200)
def test_budget_ends_a_contest_with_a_report(
    settings: Settings, tmp_path: Path, model: "subprocess.Popen[str]"
) -> None:
    """Exit code 1, with a report of the snapshots until then."""
    spec = tmp_path / "models.toml"
    text = SPEC.format(port=port_of(model), snapshots=5_000, repeats=1)
    spec.write_text(text + "llm_budget_usd = 0.001\n")
    process = Contests(settings, spec).start(str(spec))

    output, _ = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 1, output
    assert "Cut short: the models have cost $0.00" in output
    assert "the budget was $0.001" in output
    (report,) = (settings.home / "runs").glob("*/report/index.html")
    assert str(report) in output
