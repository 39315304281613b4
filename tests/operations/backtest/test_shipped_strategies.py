"""Every shipped strategy, on bars of each kind: it trades, and nothing in it looks ahead."""

import contextlib
from pathlib import Path

import pytest

from arena import logs, topics
from arena.messages import OrderDecided
from arena.settings import Settings
from arena.strategy_files import shipped_strategies
from arena.toml_files import parse_toml
from operations.backtest.counts import records_of
from operations.backtest.cut_data import CutRun, play_cut
from operations.backtest.lookahead import find_leak
from operations.backtest.point import Point
from tests.operations.commands.cli import ROOT

RECKLESS = ROOT / "examples" / "strategies" / "reckless.toml"
BASELINES = ("buy_and_hold", "cash", "random")
TRADERS = ("brainrot", "momentum", "scalper", str(RECKLESS))
SPEC = f"""\
[arena]
name = "shipped"
products = ["BTC-USD", "SOL-USD"]
interval_s = %d

[market]
source = "replay"
seed = 20
granularity = "%s"

[[chat_nodes]]
name = "rules"
model_id = "scripted"

[competition]
snapshots = 36
strategies = {list(TRADERS)}
models = ["rules"]
baselines = {list(BASELINES)}
"""
CUT_AT = 20
"""The number of the snapshot at which the data of the second run end."""


def test_no_shipped_strategy_is_left_out() -> None:
    """Those of the examples are among them, too."""
    assert shipped_strategies() == {*BASELINES, *TRADERS[:-1]}
    named: set[str] = set()
    for path in (ROOT / "examples").glob("*.toml"):
        document = parse_toml(path.read_text(), path.name)
        contest = document.get("competition", {})
        named |= {*contest.get("strategies", ()), *contest.get("baselines", ())}
        named |= {agent["strategy"] for agent in document.get("agents", ())}
    assert named <= {*BASELINES, *TRADERS[:-1], "strategies/reckless.toml"}


@pytest.mark.parametrize(("granularity", "bar_s"), [("1m", 60), ("1h", 3_600), ("1d", 86_400)])
def test_strategies_trade_and_do_not_look_ahead(
    granularity: str, bar_s: int, tmp_path: Path
) -> None:
    """The records up to a time are the same if the data end there; every style buys something."""
    spec = tmp_path / "shipped.toml"
    spec.write_text(SPEC % (bar_s, granularity))
    settings = Settings().override(log_level="ERROR")
    logs.configure(settings, node="lookahead")
    point = Point(0, spec, {}, (), None)
    with contextlib.closing(play_cut(point, settings, tmp_path, CutRun(most=36))) as whole:
        with contextlib.closing(play_cut(point, settings, tmp_path, CutRun(36, CUT_AT))) as cut:
            assert find_leak(whole.cluster, cut.cluster, whole.as_of(CUT_AT)) is None
        events = [one.message_or_none() for one in records_of(whole.cluster, topics.EVENTS.name)]
    decided = [one for one in events if isinstance(one, OrderDecided)]
    traded = {one.agent.removesuffix("-rules") for one in decided if one.outcome == "filled"}
    assert traded == {"brainrot", "momentum", "scalper", "reckless", "buy-and-hold", "random"}
