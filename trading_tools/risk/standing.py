"""How far an account is from each of its limits, without an order. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from arena.account_state import Account
from arena.money import PriceUnits, notional_units
from arena.open_orders import AgentOrders, OpenOrder
from arena.risk_limits import RiskLimits
from arena.risk_state import RiskState
from trading_tools.risk.checks import Check, checks_of, var_check
from trading_tools.risk.inputs import RiskInputs
from trading_tools.risk.value_at_risk import ValueAtRisk

NO_FEE = Decimal(0)
ONE = PriceUnits(10**18)
LEAST = ("min_cash_pct",)
"""Limits that are a least value, not a largest one."""


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


def limits_now(
    account: Account,
    state: RiskState,
    limits: RiskLimits,
    *,
    bids: Mapping[str, PriceUnits],
    day: str,
    now_ms: int,
    open_buys: Iterable[OpenOrder] = (),
    stops: Mapping[str, PriceUnits] | None = None,
    value_at_risk: ValueAtRisk | None = None,
) -> list[LimitNow]:
    """Measure an account by each of its limits that has a value without an order.

    Args:
        account: The account.
        state: Its limits and losses so far.
        limits: The limits.
        bids: Product -> newest bid; a position without one counts at its cost.
        day: UTC day in venue time, "2026-11-30".
        now_ms: Venue time, Unix milliseconds.
        open_buys: Its open limit buys, which count as exposure.
        stops: Product -> level of its highest stop.
        value_at_risk: Value at risk of its positions; None if it is not known.
    """
    values = {
        product: position.cost
        if (bid := bids.get(product)) is None
        else notional_units(position.quantity, bid)
        for product, position in account.positions.items()
    }
    reserved: dict[str, int] = {}
    for order in open_buys:
        worth = notional_units(order.remaining, order.limit)
        reserved[order.product_id] = reserved.get(order.product_id, 0) + worth
    held = {product: values.get(product, 0) + reserved.get(product, 0) for product in values}
    held |= {product: worth for product, worth in reserved.items() if product not in held}
    largest = max(held, key=lambda product: held[product], default="")
    inputs = RiskInputs(
        action="buy",
        product_id=largest,
        quantity=0,
        price=bids.get(largest, ONE),
        fee_bps=NO_FEE,
        base_step=1,
        cash=account.cash,
        equity=account.cash + account.scraped + sum(values.values()),
        positions=values,
        state=state,
        day=day,
        now_ms=now_ms,
        reserved=sum(reserved.values()),
        reserved_by_product=reserved,
        bids=bids,
        stop_price=(stops or {}).get(largest),
        value_at_risk=value_at_risk,
    )
    found = [*checks_of(inputs, limits)]
    if (var := var_check(inputs, limits)) is not None:
        found.append(var)
    return [_now(check) for check in found if check.before or check.detail]


def standing_stops(orders: AgentOrders) -> dict[str, PriceUnits]:
    """Product -> the highest level at which an exit of its position sells at a loss."""
    found: dict[str, PriceUnits] = {}
    for order in orders.open.values():
        if order.order_type in ("stop_loss", "trailing_stop"):
            found[order.product_id] = max(order.level, found.get(order.product_id, order.level))
    return found


def _now(check: Check) -> LimitNow:
    left = ""
    if check.threshold and check.before:
        threshold, now = Decimal(check.threshold), Decimal(check.before)
        room = now - threshold if check.limit in LEAST else threshold - now
        left = f"{max(room, Decimal(0)):f}"
    return LimitNow(check.limit, check.state, check.threshold, check.before, left, check.detail)
