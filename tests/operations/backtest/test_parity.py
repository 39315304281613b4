"""A backtest is what trades over Kafka: the same records, but for wall time and places.

The same specification is run by `arena compete run` over a real Kafka and by `arena backtest`. It
has everything that can be turned on; on two real days of prices, where they are there.
"""

import contextlib
import csv
import json
import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from arena import topics
from arena.exports import read_manifest, read_records
from arena.messages import (
    MarketSnapshot,
    OrderDecided,
    PromptDecided,
    SkippedSnapshots,
    Turn,
    TurnJudgement,
)
from arena.messages.base import Message
from arena.runs import RECORDS, read_run
from arena.settings import Settings
from ledger.audit.compare_text import remarks
from ledger.audit.same_records import TopicComparison, compare_records
from ledger.audit.sources import RecordSource, reader_of
from tests.conftest import SHARED
from tests.operations.backtest.test_backtest import document
from tests.operations.commands.cli import ROOT
from tests.operations.commands.contests import Contests, is_started, wait_for

DAYS = SHARED / "candles" / "normalized"
REAL = ("BTC-USD", "ETH-USD", "LTC-USD")
SYNTHETIC = ("BTC-USD", "SOL-USD", "ETH-BTC")
SPEC = """\
[arena]
name = "parity"
products = {products}
interval_s = {interval_s}

[market]
source = "replay"
context = ["{root}/examples/context.jsonl"]
{prices}

[features]
indicators = ["rsi_7@1m", "ema_21@1h"]

[rules]
{wallets}

[risk]
preset = "standard"
max_symbol_exposure_pct = 30
on_breach = "adjust"

[[chat_nodes]]
name = "rules"
model_id = "scripted"

[[chat_nodes]]
name = "compact"
model_id = "scripted"
prompt = "compact"

[competition]
snapshots = 30
strategies = ["scalper", "momentum"]
models = ["rules"]
repeats = 2
baselines = ["buy_and_hold", "random"]
prompts = "coached"

[judge]
chat_node = "rules"
share = 0.5
evaluate_after = "{short}"

[coach]
auto = true
cooldown = "{short}"
expires = "{long}"
scale_risk = "{long}"

[[agents]]
name = "gated"
strategy = "scalper"
chat_node = "compact"
every = "{every}"
on_move_pct = 0.1
quiet_max = "{quiet_max}"
calls_per_hour_max = 8
calls_per_day_max = 20
wake_on = ["exit"]

[[agents]]
name = "reckless"
strategy = "{root}/examples/strategies/reckless.toml"
chat_node = "compact"
risk = "cautious"
"""
DURATIONS = {"decision_ms", "model_ms"}
"""Columns of the leaderboard that are measured, and 0 in a backtest."""


def spec_on_real_days() -> str:
    """Two days of prices of an exchange, an interval of an hour."""
    files = ", ".join(f'"{DAYS}/{product}_2018-04-04_05_1m.csv.gz"' for product in REAL)
    return SPEC.format(
        products=json.dumps(REAL),
        interval_s=3_600,
        root=ROOT,
        prices=f"prices = [{files}]",
        wallets="",
        every="2h",
        quiet_max="6h",
        short="3h",
        long="9h",
    )


def spec_on_synthetic_prices() -> str:
    """Accounts in two currencies, an interval of a minute."""
    return SPEC.format(
        products=json.dumps(SYNTHETIC),
        interval_s=60,
        root=ROOT,
        prices="seed = 7",
        wallets="wallets = { BTC = 0.5 }",
        every="2m",
        quiet_max="6m",
        short="5m",
        long="15m",
    )


def compared(before: Path, after: Path) -> dict[str, TopicComparison]:
    """All topics of two runs."""
    first, second = (RecordSource(run.name, run / RECORDS) for run in (before, after))
    names = list(dict.fromkeys((*first.topics(), *second.topics())))
    return compare_records(names, reader_of(first), reader_of(second))


def messages_of(run: Path, topic: str) -> list[Message]:
    """The messages of a topic of a run."""
    return [record.message() for record in read_records(run / RECORDS, [topic])]


def leaderboard_of(outcome: dict[str, Any]) -> list[dict[str, str]]:
    """The rows of the leaderboard, without what was measured."""
    with (Path(outcome["report"]).parent / "leaderboard.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert set(rows[0]) > DURATIONS
    return [{name: row[name] for name in row if name not in DURATIONS} for row in rows]


def require_everything_happened(run: Path, snapshots: int) -> None:
    """The features that are on were used: nothing is proved about one that was not."""
    market = [m for m in messages_of(run, topics.SNAPSHOTS.name) if isinstance(m, MarketSnapshot)]
    assert len(market) == snapshots
    assert all(view.indicators for view in market[-1].products)
    assert market[-1].context
    events = messages_of(run, topics.EVENTS.name)
    orders = [event for event in events if isinstance(event, OrderDecided)]
    assert any(order.trigger is not None for order in orders)
    assert any(order.risk is not None and order.risk.decision == "adjusted" for order in orders)
    turns = messages_of(run, topics.TURNS.name)
    assert any(isinstance(turn, SkippedSnapshots) and turn.agent == "gated" for turn in turns)
    assert any(isinstance(m, TurnJudgement) for m in messages_of(run, topics.EVALUATIONS.name))
    prompts = messages_of(run, topics.PROMPTS.name)
    approved = {m.version for m in prompts if isinstance(m, PromptDecided)}
    assert approved & {turn.version for turn in turns if isinstance(turn, Turn)}


COACHED = """\
[arena]
name = "coached"
products = ["BTC-USD", "SOL-USD"]

[market]
source = "replay"

[[chat_nodes]]
name = "rules"
model_id = "scripted"

[competition]
snapshots = 24
baselines = ["random"]
prompts = "coached"

[judge]
chat_node = "rules"
share = 0.5
evaluate_after = "5m"

[coach]
auto = true
cooldown = "5m"

[[agents]]
name = "reckless"
strategy = "{root}/examples/strategies/reckless.toml"
chat_node = "rules"
"""
KILLED_AFTER = ("7/", "13/")
"""Numbers of the snapshots after which every process is killed: the coach has proposed, and then
changed a text."""


@pytest.mark.timeout(240)
def test_kills_change_nothing_in_a_coached_contest(settings: Settings, tmp_path: Path) -> None:
    """The judge too is killed, and continues: the accounts are those of the backtest."""
    text = COACHED.format(root=ROOT)
    spec = tmp_path / "coached.toml"
    spec.write_text(text)
    contests, killed = Contests(settings, spec), list[str]()

    def kill() -> None:
        directory, _ = contests.run_when(is_started)
        for number in KILLED_AFTER:
            wait_for(partial(has_published, directory, number))
            run = read_run(directory)
            assert run is not None
            for process in run.processes:
                assert process.pid is not None
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
                    killed.append(process.name)

    traded = contests.outcome(str(spec), meddle=kill)
    tested = document(tmp_path, text)

    assert killed.count("judge") == len(KILLED_AFTER)
    run = Path(tested["directory"])
    prompts = messages_of(run, topics.PROMPTS.name)
    assert any(isinstance(m, PromptDecided) for m in prompts)
    assert tested["account_digest"] == traded["account_digest"]
    assert versions_of(run) == versions_of(Path(traded["directory"]))


def has_published(directory: Path, number: str) -> bool:
    """True if a contest has published the snapshot with a number, such as "7/"."""
    log = directory / "logs" / "connector.log"
    return log.exists() and f'"number": "{number}' in log.read_text()


def versions_of(run: Path) -> dict[tuple[str, str], str]:
    """Agent and snapshot -> version of the text that the agent played by."""
    turns = messages_of(run, topics.TURNS.name)
    return {(t.agent, t.snapshot_id): t.version for t in turns if isinstance(t, Turn)}


@pytest.mark.timeout(240)
def test_a_backtest_is_what_trades_over_kafka(settings: Settings, tmp_path: Path) -> None:
    """Snapshots, prompts, orders, accounts and leaderboard are the same."""
    text = spec_on_real_days() if DAYS.is_dir() else spec_on_synthetic_prices()
    spec = tmp_path / "contest.toml"
    spec.write_text(text)

    traded = Contests(settings, spec).outcome(str(spec))
    tested = document(tmp_path, text)

    runs = Path(tested["directory"]), Path(traded["directory"])
    found = compared(*runs)
    assert [topic for topic, one in found.items() if one.different] == [], remarks(found)
    assert list(read_manifest(runs[0] / RECORDS).topics) == list(
        read_manifest(runs[1] / RECORDS).topics
    )
    assert tested["account_digest"] == traded["account_digest"]
    assert leaderboard_of(tested) == leaderboard_of(traded)
    require_everything_happened(runs[0], 30)
