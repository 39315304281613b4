"""What an order is assessed by. Pure.

Amounts are units of 10^-8 of the account's currency, quantities of the base currency; prices are
units of 10^-18; times are Unix milliseconds of venue time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from arena.messages import Side
from arena.money import CASH_STEP, PriceUnits
from arena.risk_state import RiskState
from trading_tools.risk.value_at_risk import ValueAtRisk


# Not frozen: one is made for every order, and a frozen one takes four times as long.
@dataclass(slots=True)
class RiskInputs:
    """An order, the account before it, and the market; it is not changed after it was made.

    Attributes:
        quantity: As asked for, a multiple of `base_step`.
        price: The price that the order would pay, slippage included; the limit of a limit order.
        fee_bps: The taker's fee, at most four decimals.
        base_step, cash_step: Steps of a quantity and of cash.
        min_funds: Smallest notional of an order in the product; a smaller cut is useless.
        cash: Cash of the account.
        reserved: Cash that open limit buys need if they fill, fees included.
        equity: Cash, profit set aside, and positions at the bid.
        positions: Product -> value at the bid; at cost without a bid.
        reserved_by_product: Product -> notional of its open limit buys.
        state: Limits and losses of the account so far.
        day: UTC day in venue time, "2026-11-30".
        now_ms: Venue time.
        bids: Product -> newest bid.
        resting: True for a limit order that is not filled at once: it counts at its limit.
        stop_price: Where the stop of the position would fire; None without a stop.
        best: Best price on the order's side; None without one.
        last_minute_close: Close of the product's newest closed minute; None without candles.
        value_at_risk: None if no limit needs it.
    """

    action: Side
    product_id: str
    quantity: int
    price: PriceUnits
    fee_bps: Decimal
    base_step: int
    cash: int
    equity: int
    positions: Mapping[str, int]
    state: RiskState
    day: str
    now_ms: int
    cash_step: int = CASH_STEP
    min_funds: int = 0
    reserved: int = 0
    reserved_by_product: Mapping[str, int] = field(default_factory=dict)
    bids: Mapping[str, PriceUnits] = field(default_factory=dict)
    resting: bool = False
    stop_price: PriceUnits | None = None
    best: PriceUnits | None = None
    last_minute_close: PriceUnits | None = None
    value_at_risk: ValueAtRisk | None = None

    @property
    def day_equity(self) -> int:
        """Equity at the start of the UTC day: of this moment, if the day is new or was lifted."""
        known = self.state.day == self.day and self.state.day_equity > 0
        return self.state.day_equity if known else self.equity

    @property
    def peak_equity(self) -> int:
        """The highest equity so far."""
        return max(self.state.peak_equity, self.equity)

    @property
    def entries_today(self) -> int:
        """Buys that filled on this day."""
        return self.state.entries_today if self.state.day == self.day else 0

    @property
    def tripped(self) -> str:
        """The limit of loss whose breach still allows sells only; "" if there is none."""
        return self.state.tripped if self.state.is_tripped(self.now_ms) else ""
