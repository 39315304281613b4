"""`arena backtest lookahead`: strategies that are shipped pass, and planted leaks are named."""

import json
import random
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer

from arena.context.visible import ContextBook
from arena.messages import ContextItem, MarketSnapshot
from connectors.market.lockstep.snapshot_replay import SnapshotReplay
from operations.backtest.lookahead import differing, sampled
from operations.commands.backtest_lookahead import Checked, backtest_lookahead
from routers import snapshot_cache
from routers.prompt import render_market
from tests.operations.backtest.test_backtest import DEADLINE_S, environment
from tests.warm_commands import run_arena

FIRST = datetime(2025, 3, 1, tzinfo=UTC)
SPEC = """\
[arena]
name = "small"
products = ["BTC-USD"]

[market]
source = "replay"
prices = ["BTC-USD.csv"]
context = ["news.jsonl"]

[features]
preset = "standard"

[[chat_nodes]]
name = "rules"
model_id = "scripted"

[competition]
snapshots = 30
strategies = ["momentum"]
models = ["rules"]
baselines = ["buy_and_hold"]
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """A contest on two hours of made prices, with an item of news every ten minutes."""
    rng, price = random.Random(5), 60_000.0
    rows = ["timestamp,open,high,low,close,volume"]
    for minute in range(150):
        close = price * (1 + rng.gauss(0, 0.001))
        high, low = max(price, close) + 5, min(price, close) - 5
        at = int(FIRST.timestamp()) + 60 * minute
        rows.append(f"{at},{price:.2f},{high:.2f},{low:.2f},{close:.2f},{rng.random():.4f}")
        price = close
    (tmp_path / "BTC-USD.csv").write_text("\n".join(rows) + "\n")
    items = [
        {
            "id": f"item-{n}",
            "product_id": "BTC-USD",
            "kind": "news",
            "published_at": f"{FIRST + timedelta(minutes=10 * n):%Y-%m-%dT%H:%M:%SZ}",
            "title": f"Headline {n}",
        }
        for n in range(15)
    ]
    (tmp_path / "news.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    path = tmp_path / "contest.toml"
    path.write_text(SPEC)
    return path


def checked(spec: Path, capsys: pytest.CaptureFixture[str], *, code: int) -> str:
    """Run the command in this process, so that a planted leak counts; its output."""
    ended = 0
    try:
        backtest_lookahead(spec, samples=2, snapshots=None, prices=None, sets=None, seed=1)
    except typer.Exit as exited:
        ended = exited.exit_code
    output = capsys.readouterr().out
    assert ended == code, output
    return output


def test_a_contest_without_leaks_passes(spec: Path) -> None:
    """Indicators, context, prompts and decisions follow from what is known."""
    file = spec.parent / "out.json"
    words = ("backtest", "lookahead", str(spec), "--samples", "2", "--json", str(file))
    env = environment(spec.parent)
    ended = run_arena(*words, env=env, cwd=spec.parent, timeout_s=DEADLINE_S)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Nothing looks ahead: 30 snapshots of 2 agents, data cut at 2 times" in ended.stdout
    assert json.loads(file.read_text())["leaks"] == []


def test_an_indicator_that_peeks_is_named(
    spec: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its value has the price of five minutes later."""
    honest = SnapshotReplay.snapshot

    def peeking(self: SnapshotReplay, *args: Any, **kwargs: Any) -> MarketSnapshot:
        snapshot = honest(self, *args, **kwargs)
        (view,) = snapshot.products
        path = self._market.products[view.product_id].price_path
        later = path.step(self.start_s + self.index * self.interval_s + 300)
        window = view.indicators["1m"]
        values = {**window.values, "rsi_14": float(later.bid) if later is not None else None}
        indicators = {**view.indicators, "1m": window.model_copy(update={"values": values})}
        changed = view.model_copy(update={"indicators": indicators})
        return snapshot.model_copy(update={"products": (changed,)})

    monkeypatch.setattr(SnapshotReplay, "snapshot", peeking)
    output = checked(spec, capsys, code=1)
    assert "Looks ahead: snapshot of 2025-03-01T" in output
    assert "products.BTC-USD.indicators.1m.values.rsi_14 is " in output
    assert "2 cuts of 2 changed the past" in output


def test_an_item_that_is_shown_too_early_is_named(
    spec: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in a snapshot before its publication."""
    honest = ContextBook.visible

    def early(
        self: ContextBook, as_of: datetime, product_ids: Collection[str]
    ) -> tuple[ContextItem, ...]:
        return honest(self, as_of + timedelta(minutes=10), product_ids)

    monkeypatch.setattr(ContextBook, "visible", early)
    output = checked(spec, capsys, code=1)
    assert "Looks ahead: snapshot of 2025-03-01T" in output
    assert "context.item-" in output


def test_a_leak_in_a_prompt_is_named(
    spec: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The snapshot is honest; what the agent was shown is not."""
    replays: list[SnapshotReplay] = []
    honest_init, honest = SnapshotReplay.__init__, render_market

    def kept(self: SnapshotReplay, *args: Any, **kwargs: Any) -> None:
        honest_init(self, *args, **kwargs)
        replays.append(self)

    def telling(*args: Any, **kwargs: Any) -> Any:
        text, replay = honest(*args, **kwargs), replays[-1]
        later_s = replay.start_s + replay.index * replay.interval_s + 600
        known = replay._market.products["BTC-USD"].price_path.has_bar(later_s)
        return replace(text, body=f"{text.body}\n## Outlook\nMore prices follow: {known}")

    monkeypatch.setattr(SnapshotReplay, "__init__", kept)
    monkeypatch.setattr(snapshot_cache, "render_market", telling)
    output = checked(spec, capsys, code=1)
    assert "Looks ahead: prompt of " in output
    assert "(Outlook) More prices follow: True with all data" in output


def test_times_are_sampled_from_the_whole_run() -> None:
    """One from each part, never the last snapshot, the same for one seed."""
    found = sampled(100, 5, 1)
    assert found == sampled(100, 5, 1) != sampled(100, 5, 2)
    assert [n * 5 // 99 for n in found] == [0, 1, 2, 3, 4]
    assert sampled(3, 5, 1) == [0, 1]
    assert sampled(1, 5, 1) == []


def test_differences_are_named_by_their_path() -> None:
    """Products and items by name; a prompt by its first line that differs, and its section."""
    whole = {"products": [{"product_id": "A", "x": 1}], "source": "rows 1", "agent": "one"}
    cut = {"products": [{"product_id": "A", "x": 2}], "source": "rows 2", "agent": "one"}
    assert differing(cut, whole) == [("products.A.x", "2", "1")]
    text = "# Market\n## Tickers\na,1\n## Indicators\nrsi,50"
    found = differing({"t": text.replace("50", "60")}, {"t": text})
    assert found == [("t", "(Indicators) rsi,60", "(Indicators) rsi,50")]


@pytest.mark.parametrize(
    ("snapshots", "planned", "text"),
    [(30, 30, "30 snapshots"), (300, 8_760, "the first 300 of 8,760 snapshots")],
)
def test_the_checked_snapshots_are_named(snapshots: int, planned: int, text: str) -> None:
    """A contest that is longer than what was checked is not called checked."""
    assert Checked(snapshots, planned, agents=2).range_text == text
