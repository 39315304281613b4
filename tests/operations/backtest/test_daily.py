"""The daily reports of a run: limits, refused orders, the judge's words, profit and exposure."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.operations.backtest.test_backtest import DEADLINE_S, document, environment
from tests.warm_commands import run_arena

SPEC = """\
[arena]
name = "daily"
products = ["BTC-USD", "ETH-USD"]
interval_s = 3600

[market]
source = "replay"
seed = 3
granularity = "1h"

[features]
preset = "none"

[risk]
preset = "cautious"
max_symbol_exposure_pct = 5

[[chat_nodes]]
name = "rules"
model_id = "scripted"

[judge]
evaluate_after = "4h"

[competition]
snapshots = 60
strategies = ["scalper", "brainrot"]
models = ["rules"]
baselines = ["buy_and_hold"]
prompts = "coached"
"""
AGENTS = {"scalper-rules", "brainrot-rules", "buy-and-hold"}


@pytest.mark.timeout(120)
def test_each_day_of_each_entry_has_a_report(tmp_path: Path) -> None:
    """Its figures add up to those of the run; the page shows them, and verify computes them."""
    found = document(tmp_path, SPEC)
    report = Path(found["report"]).parent
    daily = json.loads((report / "daily.json").read_text())
    days: list[dict[str, Any]] = daily["days"]  # Any: JSON
    assert daily["unit"] == "USD"
    assert len(days) == 3 * 3
    assert {(one["agent"], one["day"]) for one in days} == {
        (agent, f"2026-01-0{day}") for agent in AGENTS for day in (1, 2, 3)
    }
    assert [one["snapshots"] for one in days if one["agent"] == "buy-and-hold"] == [24, 24, 12]
    figures = json.loads((report / "figures.json").read_text())
    rows = {row["agent"]: row for row in figures["evaluation"]["rows"]}
    for agent in AGENTS:
        own = [one for one in days if one["agent"] == agent]
        assert [one["equity_end"] for one in own[:-1]] == [one["equity_begin"] for one in own[1:]]
        profit = sum(float(one["profit"]) for one in own)
        assert profit == pytest.approx(float(rows[agent]["equity_usd"]) - 100_000, abs=0.05)
        assert sum(one["decisions"] for one in own) == rows[agent]["decisions"] == 60
        assert sum(one["fills"] for one in own) == rows[agent]["trades"]
        assert sum(sum(one["refused"].values()) for one in own) == rows[agent]["rejected"]
        blocked, approved = Counter[str](), 0
        for one in own:
            enforced = one["limit_enforcement"]
            blocked.update(
                {
                    name.removeprefix("trades_blocked_by_"): count
                    for name, count in enforced.items()
                    if name.startswith("trades_blocked_by_")
                }
            )
            approved += enforced["approved"]
            assert one["risk_limits"]["limits"]["max_symbol_exposure_pct"] == "5"
            assert one["risk_limits"]["preset"] == "cautious"
        counted = found["risk"][agent]
        assert (dict(blocked), approved) == (counted["rejected"], counted["approved"])
    brain = next(one for one in days if one["agent"] == "brainrot-rules")
    assert brain["refused"]["risk_limit"] == len(brain["refused_details"])
    assert "max_symbol_exposure_pct" in brain["refused_details"][0]["detail"]
    assert brain["limit_enforcement"]["blocked_details"][0]["at"].startswith("2026-01-01")
    assert brain["judge_feedback"][0]["as_of"] == "2026-01-01T04:00:00Z"
    assert 0 < brain["exposure_pct"] <= brain["exposure_max_pct"] < 12
    page = (report / "index.html").read_text()
    assert 'id="days"' in page
    assert "2026-01-03" in page
    words = ("compete", "verify", "last")
    ended = run_arena(*words, env=environment(tmp_path), cwd=tmp_path, timeout_s=DEADLINE_S)
    assert ended.returncode == 0, ended.stdout + ended.stderr
