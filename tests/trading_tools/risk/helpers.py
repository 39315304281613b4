"""Orders and accounts for the tests of the risk engine."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from arena.money import PriceUnits, fee_units, notional_units, to_price_units, to_units
from arena.money import cash_notional_units as cash_notional
from arena.risk_state import RiskState
from trading_tools.risk.inputs import RiskInputs

DAY = "2026-11-30"
NOON_MS = 1_796_040_000_000
BTC, SOL = "BTC-USD", "SOL-USD"


def price(text: str) -> PriceUnits:
    """A price in units of 10^-18."""
    return to_price_units(Decimal(text))


def units(text: str) -> int:
    """An amount in units of 10^-8."""
    return to_units(Decimal(text))


# Any: fields of `RiskInputs`.
def buy(quantity: str, **changes: Any) -> RiskInputs:
    """A buy of SOL-USD at 100 from 10,000 in cash, without fees."""
    inputs = RiskInputs(
        action="buy",
        product_id=SOL,
        quantity=units(quantity),
        price=price("100"),
        fee_bps=Decimal(0),
        base_step=units("0.01"),
        cash=units("10000"),
        equity=units("10000"),
        positions={},
        state=RiskState(),
        day=DAY,
        now_ms=NOON_MS,
        bids={SOL: price("100")},
        best=price("100"),
    )
    return replace(inputs, **changes)


def equity_after(inputs: RiskInputs, quantity: int) -> int:
    """Equity after a buy that fills as the executor fills it."""
    worth = cash_notional(quantity, inputs.price, inputs.cash_step)
    fee = fee_units(worth, inputs.fee_bps, inputs.cash_step)
    return inputs.equity - worth - fee + notional_units(quantity, inputs.bids[inputs.product_id])
