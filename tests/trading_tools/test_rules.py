"""Fee schedules and the rules an arena is started with."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from arena.errors import UsageError
from arena.money import fee_units, to_units
from trading_tools.rules import DEFAULT_FEES, TradingRules, schedules


def test_defaults_match_the_flags() -> None:
    """Rules without flags, flags without values and the published message agree."""
    message = TradingRules().message(datetime(2026, 11, 21, tzinfo=UTC))

    assert TradingRules() == TradingRules.from_flags()
    assert (Decimal(100_000), "coinbase-advanced-1") == (
        message.starting_cash_usd,
        message.fee_schedule,
    )
    assert schedules()[DEFAULT_FEES].taker_bps == message.fee_bps == Decimal(60)


def test_every_schedule_has_a_source() -> None:
    """Every fee schedule has a source and a date."""
    for schedule in schedules().values():
        assert 0 <= schedule.maker_bps <= schedule.taker_bps <= 120
        assert schedule.source.endswith(".")
        assert schedule.name == "none" or datetime.fromisoformat(schedule.as_of)


@pytest.mark.parametrize(
    ("fees", "name", "bps"),
    [("none", "none", "0"), ("coinbase-intro", "coinbase-intro", "90"), ("12.5", "custom", "12.5")],
)
def test_fees_by_name_or_number(fees: str, name: str, bps: str) -> None:
    """A schedule's name, or basis points."""
    rules = TradingRules.from_flags(fees=fees)

    assert (name, Decimal(bps)) == (rules.fee_schedule, rules.fee_bps)


@pytest.mark.parametrize(
    "flags",
    [
        {"fees": "coinbase"},
        {"fees": "-1"},
        {"fees": "1001"},
        {"fees": "0.00001"},
        {"slippage_bps": "x"},
        {"slippage_bps": "-2"},
        {"collar_bps": "NaN"},
        {"starting_cash": "0"},
        {"starting_cash": "1e-7"},
        {"starting_cash": "0.000000001"},
        {"price_age_s": 0.0},
        {"price_age_s": float("inf")},
        {"price_age_s": float("nan")},
        {"planned_snapshots": 0},
        {"planned_snapshots": -864},
        {"planned_snapshots": 1_000_001},
    ],
)
def test_impossible_values_are_refused(flags: dict[str, str]) -> None:
    """A typing error must not become a rule."""
    with pytest.raises(UsageError) as refused:
        TradingRules.from_flags(**flags)  # type: ignore[arg-type]

    assert refused.value.remedy


def test_rules_survive_an_epoch() -> None:
    """Nothing is lost in an epoch, including the planned length."""
    rules = TradingRules.from_flags(
        fees="12.5", pacing="lock-step", price_age_s=9.0, planned_snapshots=864
    )
    message = rules.message(datetime(2026, 11, 21, tzinfo=UTC))

    assert 864 == message.planned_snapshots
    assert rules == TradingRules.of(message)


def test_fee_never_exceeds_the_notional() -> None:
    """At the highest allowed fee, the smallest notional still covers it."""
    assert fee_units(100, Decimal(1000)) <= 100
    assert to_units(Decimal("0.006")) == fee_units(to_units(Decimal(1)), Decimal(60))
