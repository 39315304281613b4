"""The verdict about one order: what passes, what is cut, what is said."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest
from pydantic import JsonValue

from arena.messages.orders import RiskVerdict, ValueAtRiskBasis
from arena.risk_limits import OFF, RiskLimits
from arena.risk_state import RiskState
from trading_tools.risk.assess import Assessment, assess, verdict_dict
from trading_tools.risk.checks import Check
from trading_tools.risk.inputs import RiskInputs
from trading_tools.risk.value_at_risk import ValueAtRisk

from .helpers import BTC, DAY, NOON_MS, SOL, buy, price, units

BASIS = ValueAtRiskBasis(
    method="historical",
    level_pct=Decimal(95),
    window_hours=72,
    hours_used=70,
    candle_offsets={0: 17},
)


def limits_of(**values: JsonValue) -> RiskLimits:
    """Limits by name."""
    return RiskLimits.from_json(values)


def state(**values: Any) -> RiskState:  # Any: fields of `RiskState`
    """An account that started the day with 10,000."""
    return replace(RiskState(day=DAY, day_equity=units("10000")), **values)


def only(found: Assessment) -> Check:
    """The one check of an assessment."""
    (check,) = found.checks
    return check


def test_an_account_without_limits_may_buy_anything() -> None:
    """Without limits an order is approved, and there is nothing to check."""
    found = assess(buy("1000000"), OFF)

    assert ("approved", ()) == (found.decision, found.checks)


CASES: list[tuple[dict[str, JsonValue], RiskInputs, str]] = [
    (
        {"max_symbol_exposure_pct": 25},
        buy("30"),
        "max_symbol_exposure_pct: SOL-USD would be 30.01 % of equity (now 0 %), at most 25 % is"
        " allowed; try 24.99",
    ),
    (
        {"max_portfolio_exposure_pct": 25},
        buy("10", positions={BTC: units("2000")}),
        "max_portfolio_exposure_pct: all positions would be 30.01 % of equity (now 20 %), at most"
        " 25 % is allowed; try 4.99",
    ),
    (
        {"max_portfolio_exposure_pct": 25},
        buy("10", positions={BTC: units("2600")}),
        "max_portfolio_exposure_pct: all positions would be 36.01 % of equity (now 26 %), at most"
        " 25 % is allowed; no smaller buy passes now",
    ),
    (
        {"max_position_risk_pct": 1},
        buy("20", stop_price=price("90")),
        "max_position_risk_pct: if its stop fires, SOL-USD would lose 2.01 % of equity (now 0 %),"
        " at most 1 % is allowed; try 9.99",
    ),
    (
        {"max_order_notional": 500},
        buy("6"),
        "max_order_notional: the order is worth 600, at most 500 is allowed; try 5",
    ),
    (
        {"min_cash_pct": 40},
        buy("70"),
        "min_cash_pct: cash would be 29.99 % of equity (now 100 %), at least 40 % must remain;"
        " try 59.99",
    ),
    (
        {"max_trades_per_day": 2},
        buy("1", state=state(entries_today=2)),
        "max_trades_per_day: it would be buy 3 of this UTC day, at most 2 are allowed; sells are"
        " not limited",
    ),
    (
        {"cooldown_after_loss_s": 60},
        buy("1", state=state(last_loss_ms=NOON_MS - 17_000)),
        "cooldown_after_loss_s: the newest loss was 17 s ago, 60 s without buys follow a loss;"
        f" buys are possible again from {datetime.fromtimestamp(NOON_MS / 1000 + 43, UTC):%F %T}"
        " UTC",
    ),
    (
        {"loss_streak_max": 3, "loss_streak_cooldown_s": 60},
        buy("1", state=state(losses_in_a_row=3, last_loss_ms=NOON_MS)),
        "loss_streak_max: 3 sells in a row lost, at most 3 may; buys are possible again from"
        f" {datetime.fromtimestamp(NOON_MS / 1000 + 60, UTC):%F %T} UTC",
    ),
    (
        {"max_daily_loss_pct": 5},
        buy("1", equity=units("9400"), state=state()),
        "max_daily_loss_pct: the loss of this UTC day would be 6.01 % (now 6 %), at most 5 % is"
        " allowed",
    ),
    (
        {"max_drawdown_pct": 20},
        buy("1", state=state(peak_equity=units("20000"))),
        "max_drawdown_pct: the loss since the highest equity would be 50.01 % (now 50 %), at most"
        " 20 % is allowed",
    ),
    (
        {"max_price_jump_pct": 2},
        buy("1", last_minute_close=price("110")),
        "max_price_jump_pct: SOL-USD is 9.1 % from the close of its newest minute, at most 2 % is"
        " allowed; wait until the price settles",
    ),
    (
        {"require_stop": True},
        buy("1"),
        "require_stop: a buy must bring a stop: set stop_loss_pct or trailing_pct",
    ),
    (
        {"veto_products": [SOL]},
        buy("1"),
        "veto_products: SOL-USD may not be bought here; choose another product",
    ),
    ({"veto_actions": ["buy"]}, buy("1"), "veto_actions: only sells are allowed"),
    (
        {"max_var_pct": 2},
        buy("30", value_at_risk=ValueAtRisk(BASIS, lambda quantity: quantity // 10**7)),
        "max_var_pct: value at risk of a day would be 3 % of equity (now 0 %), at most 2 % is"
        " allowed; try 20.09",
    ),
]


@pytest.mark.parametrize(("values", "inputs", "words"), CASES)
def test_each_limit_rejects_with_its_values(
    values: dict[str, JsonValue], inputs: RiskInputs, words: str
) -> None:
    """A rejection has the limit, the values before and after, and what would pass."""
    found = assess(inputs, RiskLimits.from_json(values))

    assert ("rejected", 0, next(iter(values))) == (found.decision, found.quantity, found.limit)
    assert words == found.detail


@pytest.mark.parametrize(("values", "inputs", "words"), CASES)
def test_no_limit_blocks_a_sell(
    values: dict[str, JsonValue], inputs: RiskInputs, words: str
) -> None:
    """The same order as a sell is approved; each limit is listed as exempt."""
    found = assess(replace(inputs, action="sell"), RiskLimits.from_json(values))

    assert ("approved", inputs.quantity, "exempt") == (
        found.decision,
        found.quantity,
        only(found).state,
    )


def test_adjust_cuts_to_the_tightest_of_several_limits() -> None:
    """An order that breaches two limits is cut to what passes both, and names the tighter one."""
    limits = limits_of(max_symbol_exposure_pct=50, max_order_notional=1000, on_breach="adjust")

    found = assess(buy("60"), limits)

    assert ("adjusted", units("10"), "max_order_notional") == (
        found.decision,
        found.quantity,
        found.limit,
    )
    assert found.detail == (
        "cut from 60 to 10: max_order_notional: the order is worth 6000, at most 1000 is allowed"
    )


def test_a_suggestion_can_be_paid_for() -> None:
    """If the cash pays for less than the limit allows, the suggestion is what it pays for."""
    found = assess(buy("60", cash=units("1000")), limits_of(max_symbol_exposure_pct=50))

    assert found.detail.endswith("; try 9.99")


def test_a_cut_below_the_smallest_order_is_a_rejection() -> None:
    """A product's smallest order bounds what an order is cut to."""
    limits = limits_of(max_symbol_exposure_pct=1, on_breach="adjust")

    found = assess(buy("5", min_funds=units("200")), limits)

    assert ("rejected", "no smaller buy passes now") == (
        found.decision,
        found.detail.rpartition("; ")[2],
    )


@pytest.mark.parametrize(
    ("values", "changes"),
    [
        ({"max_position_risk_pct": 1}, {}),
        ({"max_price_jump_pct": 1}, {}),
        ({"max_price_jump_pct": 1}, {"best": None, "last_minute_close": price("1")}),
        ({"max_var_pct": 1}, {}),
        ({"max_var_pct": 1}, {"value_at_risk": ValueAtRisk(BASIS, None, "too few hours")}),
    ],
)
def test_what_is_unknown_does_not_block(
    values: dict[str, JsonValue], changes: dict[str, Any]
) -> None:
    """A value that cannot be computed is unknown, with the reason, and blocks nothing."""
    found = assess(buy("50", **changes), RiskLimits.from_json(values))

    assert ("approved", "unknown") == (found.decision, only(found).state)
    assert only(found).detail


def test_above_four_fifths_of_a_limit_is_near() -> None:
    """An order at more than 80 % of a limit is approved and counts as near it."""
    limits = limits_of(max_symbol_exposure_pct=50)

    assert ["ok", "near"] == [only(assess(buy(q), limits)).state for q in ("39.99", "40.01")]


def test_a_breach_allows_sells_only_until_it_ends() -> None:
    """After a breach buys are rejected, whatever the equity is, until its end or until lifted."""
    tripped = state(tripped="max_daily_loss_pct", tripped_until_ms=NOON_MS + 1)
    limits = limits_of(max_daily_loss_pct=5)

    found = assess(buy("1", state=tripped), limits)

    assert ("rejected", "max_daily_loss_pct") == (found.decision, found.limit)
    assert "only sells are allowed until " in found.detail
    assert assess(buy("1", state=tripped, now_ms=NOON_MS + 1), limits).decision == "approved"
    assert assess(buy("1", state=tripped), OFF).limit == "max_daily_loss_pct"
    forever = state(tripped="max_drawdown_pct")
    assert assess(buy("1", state=forever), OFF).detail == (
        "max_drawdown_pct: it was breached: only sells are allowed until an operator lifts it"
    )


def test_figures_of_another_day_do_not_count() -> None:
    """On a new UTC day the loss and the trades of the day start from nothing."""
    old = RiskState(day="2026-11-29", day_equity=units("20000"), entries_today=9)
    limits = limits_of(max_daily_loss_pct=5, max_trades_per_day=3)

    assert assess(buy("1", state=old), limits).decision == "approved"


def test_open_limit_buys_count_as_exposure() -> None:
    """Cash that open limit buys reserve counts as exposure and not as cash."""
    inputs = buy("10", reserved=units("2000"), reserved_by_product={SOL: units("2000")})

    assert only(assess(inputs, limits_of(max_symbol_exposure_pct=25))).before == "20"
    assert only(assess(inputs, limits_of(min_cash_pct=75))).before == "80"


def test_a_resting_order_counts_at_its_limit() -> None:
    """A limit order far above the bid is measured at what it would pay."""
    inputs = buy("10", bids={SOL: price("50")}, price=price("100"))
    resting = assess(replace(inputs, resting=True), limits_of(max_symbol_exposure_pct=50))

    assert only(resting).after == "10.01"


def test_value_at_risk_that_falls_and_rises_is_searched_from_above() -> None:
    """A quantity passes that is neither the asked one nor below the first that fails."""
    limits = limits_of(max_var_pct=2, on_breach="adjust")

    def measure(quantity: int) -> int:
        return 100 if units("30") <= quantity <= units("47.13") else 300

    found = assess(buy("80", value_at_risk=ValueAtRisk(BASIS, measure)), limits)

    assert ("adjusted", units("47.13")) == (found.decision, found.quantity)


VERDICTS: list[tuple[RiskInputs, RiskLimits]] = [
    (buy("1"), OFF),
    (buy("60.5"), RiskLimits.of_preset("cautious")),
    (buy("0.01", stop_price=price("99.5")), RiskLimits.of_preset("standard")),
    (
        buy("30", positions={BTC: units("12.345678")}, bids={SOL: price("99.9"), BTC: price("1")}),
        limits_of(max_symbol_exposure_pct=10, veto_products=[BTC], max_var_pct=3),
    ),
    (
        buy("30", value_at_risk=ValueAtRisk(BASIS, lambda quantity: 123)),
        RiskLimits.of_preset("cautious"),
    ),
    (buy("3", action="sell", bids={}), RiskLimits.of_preset("cautious")),
    (buy("3", state=state(tripped="max_drawdown_pct")), OFF),
]


@pytest.mark.parametrize(("inputs", "limits"), VERDICTS)
def test_the_record_is_written_as_the_message_writes_it(
    inputs: RiskInputs, limits: RiskLimits
) -> None:
    """The verdict's bytes are those of the pydantic model."""
    written = orjson.dumps(verdict_dict(assess(inputs, limits)))

    assert written == RiskVerdict.model_validate_json(written).model_dump_json().encode()
