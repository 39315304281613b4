"""The table [features]: indicators in the snapshots, history, and what the processes are told."""

from pathlib import Path

import pytest

from arena.errors import UsageError
from operations.specs.arena_spec import ArenaSpec, parse_spec
from operations.supervisor.plan import LaunchContext, connector_command, exchange_command
from tests.operations.specs.test_arena_spec import SMALLEST

CONTEXT = LaunchContext(launcher=("arena",), environ={}, directory=Path("/spec"))


def spec_of(*lines: str) -> ArenaSpec:
    """A specification with these lines in [features]."""
    return parse_spec("\n".join(["[features]", *lines, SMALLEST]), path="a.toml")


def test_default_is_the_standard_set() -> None:
    """No flag says so, and the exchange has as much history as ever."""
    spec = parse_spec(SMALLEST, path="a.toml")

    assert ("standard", 300) == (spec.features.text, spec.features.chosen.minutes)
    assert "--features" not in connector_command(spec, CONTEXT)
    assert "--historical-minutes" not in connector_command(spec, CONTEXT)
    exchange = exchange_command(spec, CONTEXT)
    assert "314" == exchange[exchange.index("--historical-minutes") + 1]


def test_processes_are_told_what_the_indicators_need() -> None:
    """The connector computes the set; the exchange plays the minutes before the start."""
    spec = spec_of('preset = "none"', 'indicators = ["rsi_7@1m", "ema_200@15m"]')
    connector, exchange = connector_command(spec, CONTEXT), exchange_command(spec, CONTEXT)

    assert ["--features", "none,rsi_7@1m,ema_200@15m"] == connector[-2:]
    assert "3014" == exchange[exchange.index("--historical-minutes") + 1]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ['preset = "standart"'],
            "a.toml, line 2: [features] preset: unknown preset 'standart'; the presets are ",
        ),
        (
            ['indicators = ["rsi_7@1m", "rsl_7"]'],
            "unknown metric 'rsl'; the metrics are rsi",
        ),
        (
            ['indicators = ["macd_26_12_9"]'],
            "the fast length of macd must be less than the slow one, got 26 and 12",
        ),
        (
            ['indicators = ["ema_100@1h"]'],
            "ema_100@1h needs 100 bars of 1h: 6000 minutes of candles; use a shorter length",
        ),
        (
            [f"indicators = {[f'sma_{n}@1m' for n in range(2, 90)]}"],
            "the feature set has 119 indicators; use at most 100",
        ),
        (["history_minutes = 0"], "[features] history_minutes"),
        (["history_minutes = 4321"], "[features] history_minutes"),
        (["history = 60"], "[features] history"),
    ],
)
def test_invalid_table_is_refused_with_line_and_remedy(lines: list[str], message: str) -> None:
    """Before anything starts, the error names the value and what to write instead."""
    with pytest.raises(UsageError) as caught:
        spec_of(*lines)

    assert "a.toml, line 2" in str(caught.value)
    assert message in str(caught.value)
