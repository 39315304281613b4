"""Any specification becomes a contest in lock-step."""

from decimal import Decimal

import pytest

from arena.errors import UsageError
from arena.toml_files import parse_toml
from operations.specs.arena_spec import parse_spec
from operations.specs.backtest import backtest_toml
from operations.specs.backtest_shortcuts import Shortcuts, shortcut_values

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


def test_seeded_prices_end_where_a_flag_says() -> None:
    """They never end by themselves, so an end is a number of snapshots."""
    text = (
        f'[arena]\ninterval_s = 3600\n\n[market]\nsource = "replay"\nstart = 2025-01-01\n{MATRIX}'
    )
    text = text.replace("start = 2025-01-01\n", 'start = "2025-01-01"\nend = "2025-01-03"\n\n')
    found = parse_toml(backtest_toml(text), "test")
    assert found["competition"]["snapshots"] == 48
    assert "end" not in found["market"]
    with pytest.raises(UsageError, match="has no snapshot"):
        backtest_toml(text.replace("2025-01-03", "2025-01-01"))
    with pytest.raises(UsageError, match="are not two times"):
        backtest_toml(text.replace("2025-01-03", "soon"))


def test_flags_are_keys() -> None:
    """A fee rate is a share; the specification has basis points."""
    flags = Shortcuts(
        ("btc-usd, ETH-USD",), "2026-01-01", None, Decimal(1000), Decimal("0.0015"), 24, 9
    )
    assert shortcut_values(flags) == {
        "arena.products": ["BTC-USD", "ETH-USD"],
        "market.start": "2026-01-01",
        "rules.starting_cash": Decimal(1000),
        "rules.fees": Decimal("15.0000"),
        "competition.calls_per_day_max": 24,
        "competition.decisions_max": 9,
    }
    rates = [Shortcuts(fee_rate=Decimal(rate)) for rate in ("10", "0.2", "-1", "1e-23")]
    for wrong in (Shortcuts(("",)), *rates):
        with pytest.raises(
            UsageError, match="--pair has an empty name|--fee-rate .* is not a share from 0 to 0.1"
        ):
            shortcut_values(wrong)


@pytest.mark.parametrize("key", ["start", "end"])
@pytest.mark.parametrize("day", ["9999-12-30", "0001-01-01", "1999-12-31", "2100-01-01"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_times_that_no_price_has_are_refused(key: str, day: str, quote: str) -> None:
    """The error names the value, the bounds and the remedy, for days and texts."""
    text = f'[market]\nsource = "replay"\nprices = "cache:coinbase"\n{key} = {quote}{day}{quote}\n'
    with pytest.raises(UsageError) as caught:
        parse_spec(f'[arena]\nproducts = ["BTC-USD"]\n{text}{MATRIX}', path="x.toml")
    assert f"line 6: [market] {key}: {day} is not from 2000 to 2100" in str(caught.value)
    assert "choose a day from 2000-01-01 to 2099-12-31" in str(caught.value)


def test_an_end_of_seeded_prices_has_the_same_bounds() -> None:
    """It becomes a number of snapshots before the specification is read."""
    with pytest.raises(UsageError, match="not two times: 9999-12-30 is not from 2000 to 2100"):
        backtest_toml(f'[market]\nsource = "replay"\nend = "9999-12-30"\n{MATRIX}')
