"""Any specification becomes a contest in lock-step."""

import pytest

from arena.errors import UsageError
from arena.toml_files import parse_toml
from operations.specs.backtest import backtest_toml

MATRIX = '[competition]\nsnapshots = 5\nstrategies = ["scalper"]\nmodels = ["rules"]\n'
REAL_TIME = f'[market]\nsource = "exchange"\nspeed = 60\nseed = 3\n\n{MATRIX}pacing = "real-time"\n'


def test_a_contest_in_lock_step_is_kept_to_the_byte() -> None:
    """Comments and order stay: the run's copy is the file."""
    text = f'# a comment\n[market]\nsource = "replay"\n\n{MATRIX}'
    assert backtest_toml(text) == text


def test_a_contest_in_real_time_gets_the_pacing_of_a_replay() -> None:
    """The seed stays, the speed goes."""
    found = parse_toml(backtest_toml(REAL_TIME), "test")
    assert found["market"] == {"source": "replay", "seed": 3}
    assert found["competition"]["pacing"] == "lock-step"
    assert found["competition"]["strategies"] == ["scalper"]


def test_an_arena_gets_a_contest_of_its_agents() -> None:
    """It has no baselines, and a judge only if the file has one."""
    found = parse_toml(backtest_toml('[market]\nsource = "exchange"\n', snapshots=7), "test")
    assert found["competition"] == {"snapshots": 7, "baselines": [], "judge": False}
    coached = parse_toml(backtest_toml('[coach]\nmode = "auto"\n', snapshots=7), "test")
    assert coached["competition"]["prompts"] == "coached"
    assert coached["competition"]["judge"]


def test_a_live_market_needs_files() -> None:
    """With files the market is theirs."""
    live = f'[market]\nsource = "live"\n\n{MATRIX}pacing = "real-time"\n'
    with pytest.raises(UsageError, match="a live market has no past"):
        backtest_toml(live)
    assert parse_toml(backtest_toml(live, files=True), "test")["market"] == {"source": "replay"}
