"""How far an account is from each of its limits, without an order. Pure.

Limits are measured by the functions that check orders, for a buy of nothing: so the figures are
those that the next order starts from.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from arena.account_state import Account
from arena.money import PriceUnits
from arena.open_orders import AgentOrders
from arena.risk_limits import RiskLimits
from arena.risk_state import RiskState
from trading_tools.risk.checks import Check, checks_of, var_check
from trading_tools.risk.inputs import RiskInputs

NO_FEE = Decimal(0)
ONE = PriceUnits(10**18)
LEAST = ("min_cash_pct",)
"""Limits that are a least value, not a largest one."""


@dataclass(frozen=True, slots=True)
class MeasuredAccount:
    """An account at one moment.

    Attributes:
        account: The account.
        currency: Currency of the wallet; "" for the main account.
        state: Its limits and losses so far.
        orders: The agent's open orders.
        bids: Product -> newest bid; a position without one counts at its cost.
        day: UTC day in venue time, "2026-11-30".
        now_ms: Venue time, Unix milliseconds.
    """

    account: Account
    currency: str
    state: RiskState
    orders: AgentOrders
    bids: Mapping[str, PriceUnits]
    day: str
    now_ms: int

    def exposures(self) -> dict[str, int]:
        """Product -> value of its position and notional of its open limit buys."""
        found = self.account.values(self.bids)
        for product_id, notional in self.orders.buy_notionals(self.currency).items():
            found[product_id] = found.get(product_id, 0) + notional
        return found

    def checks(self, limits: RiskLimits, product_id: str) -> list[Check]:
        """The limits in force, measured for a buy of nothing in a product; "" for none."""
        reserved = self.orders.buy_notionals(self.currency)
        inputs = RiskInputs(
            action="buy",
            product_id=product_id,
            quantity=0,
            price=self.bids.get(product_id, ONE),
            fee_bps=NO_FEE,
            base_step=1,
            cash=self.account.cash,
            equity=self.account.equity(self.bids),
            positions=self.account.values(self.bids),
            state=self.state,
            day=self.day,
            now_ms=self.now_ms,
            reserved=sum(reserved.values()),
            reserved_by_product=reserved,
            bids=self.bids,
            stop_price=self.orders.stop_level(product_id),
        )
        found = [*checks_of(inputs, limits)]
        if (risk_of_day := var_check(inputs, limits)) is not None:
            found.append(risk_of_day)
        return found


@dataclass(frozen=True, slots=True)
class LimitNow:
    """One limit of an account.

    Attributes:
        limit: Its name.
        state: "ok", "near", "breached" or "unknown".
        threshold, now: As text; "" if there is none.
        left: How much may be added until the limit is reached, as text; "" if it is no amount.
        detail: Why it is unknown, or until when it stops buys.
    """

    limit: str
    state: str
    threshold: str
    now: str
    left: str
    detail: str


def limits_now(measured: MeasuredAccount, limits: RiskLimits) -> list[LimitNow]:
    """Measure an account by each of its limits that has a value without an order.

    A limit for one product is measured for the largest.
    """
    exposures = measured.exposures()
    largest = max(exposures, key=lambda product: exposures[product], default="")
    found = measured.checks(limits, largest)
    return [_now(check) for check in found if check.before or check.detail]


def _now(check: Check) -> LimitNow:
    left = ""
    if check.threshold and check.before:
        threshold, now = Decimal(check.threshold), Decimal(check.before)
        room = now - threshold if check.limit in LEAST else threshold - now
        left = f"{max(room, Decimal(0)):f}"
    return LimitNow(check.limit, check.state, check.threshold, check.before, left, check.detail)
