"""Limits by name: what is read, what is refused and with which remedy."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from arena.errors import UsageError
from arena.risk_limit_values import limit_names, share_note
from arena.risk_limits import OFF, PRESETS, RiskLimits


def fault(values: dict[str, JsonValue]) -> str:
    """The error for limits by name, with its remedy."""
    with pytest.raises(UsageError) as caught:
        RiskLimits.from_json(values, "[risk]")
    return str(caught.value)


def test_cautious_has_the_limits_of_its_source() -> None:
    """The preset `cautious` allows 10 % in a product and 80 % in all."""
    found = RiskLimits.of_preset("cautious")

    assert (Decimal(10), Decimal(80)) == (
        found.max_symbol_exposure_pct,
        found.max_portfolio_exposure_pct,
    )


def test_a_limit_replaces_that_of_the_preset() -> None:
    """A table starts from its preset; "off" removes a limit."""
    found = RiskLimits.from_json(
        {
            "preset": "standard",
            "max_symbol_exposure_pct": 25,
            "max_drawdown_pct": "off",
            "loss_streak_max": "off",
        }
    )

    assert (Decimal(25), None, None, None, Decimal(10), "standard") == (
        found.max_symbol_exposure_pct,
        found.max_drawdown_pct,
        found.loss_streak_max,
        found.loss_streak_cooldown_s,
        found.max_daily_loss_pct,
        found.preset,
    )


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_survive_the_log(preset: str) -> None:
    """A preset's limits are the same after they were written as text and read again."""
    limits = RiskLimits.of_preset(preset)

    assert RiskLimits.from_text(limits.text) == limits
    assert limits.active == (preset != "off")
    assert RiskLimits.from_text(limits.text) is RiskLimits.from_text(limits.text)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "max_symbol_exposure_pct": st.decimals("0.01", 100, places=2),
            "max_order_notional": st.decimals("0.01", 10**9, places=8),
            "max_trades_per_day": st.integers(1, 1_000),
            "require_stop": st.booleans(),
            "veto_products": st.lists(st.sampled_from(["BTC-USD", "binance:SOLUSDT"])),
            "on_breach": st.sampled_from(["reject", "adjust"]),
        },
    )
)
def test_limits_survive_the_log(values: dict[str, Any]) -> None:
    """Any limits are the same after they were written as JSON and read again."""
    limits = RiskLimits.from_json(values)

    assert RiskLimits.from_json(json.loads(json.dumps(limits.as_json()))) == limits


def test_the_share_of_older_settings_is_converted() -> None:
    """`MAX_POSITION_SIZE_PCT` is a share; the conversion is told."""
    values: dict[str, JsonValue] = {"MAX_POSITION_SIZE_PCT": "0.10"}

    assert RiskLimits.from_json(values).max_symbol_exposure_pct == Decimal(10)
    assert share_note(values) == (
        "MAX_POSITION_SIZE_PCT = 0.10 is a share of equity: taken as max_symbol_exposure_pct = 10"
        " (percent)"
    )
    assert share_note({}) == ""


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"max_symbol_exposure_pct": 0},
            "max_symbol_exposure_pct = 0; give a percent",
        ),
        (
            {"max_daily_loss_pct": -3},
            "max_daily_loss_pct = -3; give a percentage",
        ),
        ({"max_daily_loss_pct": 101}, "above 0, up to 100, such as max_daily_loss_pct = 10"),
        ({"max_daily_loss_pct": "nan"}, "'nan' is not a number"),
        ({"max_daily_loss_pct": True}, "'True' is not a number"),
        ({"max_daily_loss_pct": [1]}, "'[1]' is not a number"),
        ({"max_daily_loss_pct": 0.001}, "percentages are percent, so 10 is 10 % and 0.001 is"),
        ({"max_dayly_loss_pct": 3}, "the limits are max_daily_loss_pct, "),
        ({"preset": "caution"}, "unknown preset 'caution'; the presets are cautious"),
        ({"preset": 3}, "unknown preset '3'"),
        ({"max_order_notional": 0}, "max_order_notional = 0; give an amount above 0"),
        ({"max_trades_per_day": 1.5}, "give whole trades from 1 to 1000000"),
        ({"cooldown_after_loss_s": 0}, "give whole seconds from 1 to"),
        ({"require_stop": "yes"}, "write true or false"),
        ({"on_breach": "warn"}, "write reject or adjust"),
        ({"var_method": "montecarlo", "max_var_pct": 3}, "write historical or parametric"),
        ({"var_level_pct": 20, "max_var_pct": 3}, "give one from 50.01 to 99.99"),
        ({"var_window_hours": 500, "max_var_pct": 3}, "give whole hours from 24 to 72"),
        ({"var_level_pct": 99}, "has no effect without max_var_pct"),
        ({"veto_actions": ["sell"]}, "no limit ever blocks them"),
        ({"veto_products": [""]}, 'such as ["DOGE-USD"]'),
        ({"veto_products": 7}, 'such as ["DOGE-USD"]'),
        ({"loss_streak_max": 3}, "loss_streak_max = 3 without loss_streak_cooldown_s"),
        ({"loss_streak_cooldown_s": 3}, "loss_streak_cooldown_s = 3 without loss_streak_max"),
        ({"flatten_on_breach": True}, "also set max_daily_loss_pct or max_drawdown_pct"),
        (
            {"preset": "cautious", "max_symbol_exposure_pct": 90},
            "max_symbol_exposure_pct = 90 is above max_portfolio_exposure_pct = 80",
        ),
        ({"max_daily_loss_pct": 9, "max_drawdown_pct": 8}, "so it never applies; lower max_daily"),
        ({"MAX_POSITION_SIZE_PCT": 10}, "0.10 is 10 %; or max_symbol_exposure_pct = 10"),
        ({"MAX_POSITION_SIZE_PCT": "x"}, "give a share above 0, up to 1"),
        (
            {"MAX_POSITION_SIZE_PCT": "0.1", "max_symbol_exposure_pct": 12},
            "keep max_symbol_exposure_pct only",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(values: dict[str, JsonValue], words: str) -> None:
    """Each error begins with the place, and names the value and the remedy."""
    assert fault(values).startswith("[risk]: ")
    assert words in fault(values)


def test_every_limit_can_be_read() -> None:
    """The readers and the fields of the limits have the same names."""
    fields = set(RiskLimits.__dataclass_fields__) - {"preset"}

    assert fields == set(limit_names())


def test_no_limits_are_an_empty_text() -> None:
    """Without limits the account state has an empty text."""
    assert OFF.text == ""
    assert RiskLimits.from_text("") == OFF
    with pytest.raises(UsageError, match="an object of limits"):
        RiskLimits.from_text("[1]")
