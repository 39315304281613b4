"""Backtests on the cache of candles, also those that play in homes of their own."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from arena.candle_cache.series import DAY_S, Series
from arena.candle_cache.store import CandleStore, NewDay
from operations.backtest.point import Point, play_point
from tests.warm_commands import run_arena

DAY = 1_767_225_600
"""2026-01-01."""
SPEC = """\
[arena]
products = ["BTC-USD"]
interval_s = 3600
[market]
source = "replay"
prices = "cache:coinbase"
granularity = "1h"
start = 2026-01-01
end = 2026-01-03
[[chat_nodes]]
name = "rules"
model_id = "scripted"
[competition]
strategies = ["momentum"]
models = ["rules"]
baselines = []
"""


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A contest on two days of hours, in the cache of this home."""
    series, store = Series("coinbase", "BTC-USD", "1h"), CandleStore(tmp_path / "home")
    for day in (DAY, DAY + DAY_S):
        starts = range(day, day + DAY_S, 3_600)
        lines = {ts: f"{100 + n},{103 + n},{98 + n},{101 + n},3,," for n, ts in enumerate(starts)}
        new = NewDay(lines, ((day, day + DAY_S),), "test")
        store.replace(series, {day: new}, datetime(2026, 2, 1, tzinfo=UTC))
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "home"))
    path = tmp_path / "c.toml"
    path.write_text(SPEC)
    return path


def test_points_of_a_sweep_read_the_cache(spec: Path) -> None:
    """Each point has a temporary home, and the cache of the command."""
    played = play_point(Point(0, spec, {}))

    assert "" == played.error
    assert 48 == played.bars


def test_lookahead_reads_the_cache(spec: Path, tmp_path: Path) -> None:
    """It plays the contest on cut data in homes of its own."""
    done = run_arena("backtest", "lookahead", str(spec), env=dict(os.environ), cwd=tmp_path)

    assert 0 == done.returncode, done.stdout + done.stderr
