"""Computes the cash that open limit buys reserve. Pure."""

from collections.abc import Iterable

from arena.money import PriceUnits, cash_notional_units, fee_units
from arena.open_orders import OpenOrder
from trading_tools.rules import TradingRules


def cost_of(quantity: int, price: PriceUnits, rules: TradingRules) -> int:
    """What a buy takes from the cash: notional and fee."""
    notional = cash_notional_units(quantity, price, rules.cash_step)
    return notional + fee_units(notional, rules.fee_bps, rules.cash_step)


def open_buys(orders: Iterable[OpenOrder], currency: str) -> list[OpenOrder]:
    """The open limit buys of an account; `currency` is "" for the main account."""
    return [
        order
        for order in orders
        if order.order_type == "limit" and order.action == "buy" and order.currency == currency
    ]


def reserved_cash(orders: Iterable[OpenOrder], rules: TradingRules) -> int:
    """Cash that limit buys reserve for what has not filled."""
    return sum(cost_of(order.remaining, order.limit, rules) for order in orders)
