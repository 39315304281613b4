"""Shares of the position and of the cash become quantities in whole steps."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.account_state import Account, Position
from arena.messages import RejectReason
from arena.money import PriceUnits, cash_notional_units, fee_units, to_price_units, to_units
from tests.trading_tools.helpers import product
from trading_tools.context import Share
from trading_tools.fill import Rejection
from trading_tools.order_quantity import affordable, resolve_share
from trading_tools.quotes import Listing, MarketState
from trading_tools.rules import TradingRules

BTC = "BTC-USD"
PRICE = to_price_units(Decimal("67216.99"))


def listing(step: str = "0.00000001") -> Listing:
    """The product with a step of quantity."""
    found = MarketState()
    found.note(product().model_copy(update={"base_increment": Decimal(step)}), 0, 0)
    return found.listings[BTC]


def account(cash: str, held: str = "0") -> Account:
    """An account that may hold BTC."""
    found = Account(cash=to_units(Decimal(cash)))
    if held != "0":
        found.positions[BTC] = Position(to_units(Decimal(held)), 1, 0)
    return found


@pytest.mark.parametrize(
    ("part", "held", "step", "expected"),
    [
        ("1", "0.41234567", "0.00000001", "0.41234567"),
        ("1", "0.41234567", "0.001", "0.412"),
        ("0.5", "0.41234567", "0.00000001", "0.20617283"),
        ("0.5", "3", "1", "1"),
    ],
)
def test_share_of_a_position(part: str, held: str, step: str, expected: str) -> None:
    """Rounded down to whole steps."""
    found = resolve_share(
        Share(Decimal(part)), "sell", account("0", held), listing(step), PRICE, TradingRules()
    )

    assert to_units(Decimal(expected)) == found


def test_nothing_to_sell() -> None:
    """Without a position, or with less than a step of it."""
    none = resolve_share(Share(Decimal(1)), "sell", account("9"), listing(), PRICE, TradingRules())
    dust = resolve_share(
        Share(Decimal("0.5")), "sell", account("9", "1"), listing("1"), PRICE, TradingRules()
    )

    assert Rejection(RejectReason.INSUFFICIENT_POSITION, "all of BTC-USD: none is held") == none
    assert isinstance(dust, Rejection)
    assert (RejectReason.BAD_INCREMENT, True) == (
        dust.reason,
        "50% of the 1 BTC-USD" in dust.detail,
    )


def test_no_cash_to_buy_with() -> None:
    """The rejection says what there is, and open limit orders hold cash back."""
    reserved = to_units(Decimal("99.9999"))
    refused = resolve_share(
        Share(Decimal(1)), "buy", account("100"), listing("0.001"), PRICE, TradingRules(), reserved
    )

    assert isinstance(refused, Rejection)
    assert RejectReason.INSUFFICIENT_CASH == refused.reason
    assert "all of the 0.0001 USD of cash is less than 0.001 BTC-USD costs" in refused.detail


@given(
    budget=st.integers(0, 10**14),
    price=st.integers(1, 10**24),
    step=st.sampled_from(["0.00000001", "0.001", "1"]),
    fee=st.decimals(0, 200, places=4),
)
def test_affordable_is_the_largest_quantity(
    budget: int, price: int, step: str, fee: Decimal
) -> None:
    """It is within the budget, and one step more is not."""
    found, rules = listing(step), TradingRules(fee_bps=fee)
    unit_price = PriceUnits(price)

    def cost(quantity: int) -> int:
        notional = cash_notional_units(quantity, unit_price, rules.cash_step)
        return notional + fee_units(notional, rules.fee_bps, rules.cash_step)

    quantity = affordable(budget, found, unit_price, rules)

    assert 0 == quantity % found.base_increment
    assert cost(quantity) <= budget
    assert budget < cost(quantity + found.base_increment)
