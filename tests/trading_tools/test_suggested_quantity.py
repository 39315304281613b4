"""The suggestions in rejections: they are accepted, and never more than is held."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.account_state import Account, Position
from arena.messages import RejectReason, Side
from arena.money import to_units
from tests.trading_tools.helpers import product, ticker, tool_call
from trading_tools.context import Order
from trading_tools.decide import Fill, Rejection, decide
from trading_tools.quotes import MarketState
from trading_tools.rules import TradingRules

NOW = datetime(2026, 11, 21, 9, 12, 3, tzinfo=UTC)
BTC = "BTC-USD"
SUGGESTED = re.compile(r"(?:try|at most|of which) ([0-9.]+)")


def decided(
    quantity: str,
    action: Side = "sell",
    *,
    held: str = "0",
    cash: str = "1000",
    step: str = "0.00000001",
    price: str = "100",
    least: str = "1",
) -> Fill | Rejection:
    """Decide an order in one product."""
    market = MarketState()
    terms = {"base_increment": Decimal(step), "min_market_funds": Decimal(least)}
    market.note(product().model_copy(update=terms), 0, 0)
    market.note(ticker(price, price).model_copy(update={"received_at": NOW}), 0, 1)
    holder = Account(cash=to_units(Decimal(cash)))
    if Decimal(held):
        holder.positions[BTC] = Position(to_units(Decimal(held)), 0, 0)
    asked = Order(BTC, Decimal(quantity), action)
    call = tool_call("momentum", "execute_trade", "{}", deadline_at=NOW, issued_at=NOW)
    rules = replace(TradingRules(), slippage_bps=Decimal(0))
    outcome = decide(holder, call, asked, market, rules, NOW).outcome
    assert isinstance(outcome, Fill | Rejection)
    return outcome


def dust(quantity: str) -> Fill | Rejection:
    """A sale from a position whose step has become coarser."""
    return decided(quantity, held="0.12345678", step="0.01")


@pytest.mark.parametrize(
    ("outcome", "reason", "detail"),
    [
        # All of a position whose step has become coarser: the part that can be sold is named.
        (dust("0.12345678"), "bad_increment", "multiple of 0.01 BTC; try 0.12"),
        (dust("0.5"), "insufficient_position", "0.12345678, of which 0.12 can be sold"),
        # The rest is less than one step.
        (
            decided("0.00345678", held="0.00345678", step="0.01"),
            "bad_increment",
            "and the 0.00345678 held is less than that: it cannot be sold",
        ),
        (
            decided("0.01", held="0.00345678", step="0.01"),
            "insufficient_position",
            "has 0.00345678, too little to be sold in steps of 0.01",
        ),
        # Whole steps that are worth less than the smallest order.
        (
            decided("0.01", held="0.01", step="0.01", least="5"),
            "below_minimum",
            "; all of the 0.01 held is too little to be sold",
        ),
        # A suggestion never exceeds the position or the cash.
        (decided("1.005", held="0.5", step="0.01"), "bad_increment", "try 0.5"),
        (
            decided("2000", "buy", held="999999999999999000", price="0.01"),
            "invalid_quantity",
            "at most 999.99999999 can be bought now",
        ),
        (decided("20.005", "buy", step="0.01"), "bad_increment", "try 9.94"),
        (decided("0.005", "buy", step="0.01", cash="0"), "bad_increment", "multiple of 0.01 BTC"),
    ],
)
def test_rejection_says_what_is_possible(
    outcome: Fill | Rejection, reason: str, detail: str
) -> None:
    """The quantity that can be sold or bought, or that there is none."""
    assert isinstance(outcome, Rejection)
    assert reason == outcome.reason
    assert detail in outcome.detail


@pytest.mark.parametrize("price", ["0", "99"])
def test_nothing_is_suggested_without_a_price(price: str) -> None:
    """No quantity would be filled, so none is named."""
    outcome = decided("0.005", "buy", step="0.01", cash="0.5", price=price)

    assert isinstance(outcome, Rejection)
    assert RejectReason.BAD_INCREMENT == outcome.reason
    assert outcome.detail.endswith("is no multiple of 0.01 BTC")


AMOUNTS = st.decimals(min_value="0", max_value="50", places=8).map(str)
STEPS = st.sampled_from(["0.00000001", "0.0001", "0.01", "0.3", "1", "25"])
PRICES = st.sampled_from(["0.01", "0.37", "99.99", "67000"])


@given(
    quantity=st.one_of(AMOUNTS, st.sampled_from(["1e17", "0.000000000001", "7.123456789"])),
    action=st.sampled_from(["buy", "sell"]),
    held=AMOUNTS,
    cash=AMOUNTS,
    step=STEPS,
    price=PRICES,
    least=st.sampled_from(["0", "0.01", "1", "10"]),
)
def test_every_suggestion_is_accepted(
    quantity: str, action: Side, held: str, cash: str, step: str, price: str, least: str
) -> None:
    """An order of the suggested quantity is filled, and is not more than is held."""
    terms = {"held": held, "cash": cash, "step": step, "price": price, "least": least}
    outcome = decided(quantity, action, **terms)
    suggested = SUGGESTED.search(outcome.detail) if isinstance(outcome, Rejection) else None
    if suggested is None:
        return

    fill = decided(suggested[1], action, **terms)
    assert isinstance(fill, Fill), (outcome, fill)
    assert action == "buy" or Decimal(suggested[1]) <= Decimal(held)
