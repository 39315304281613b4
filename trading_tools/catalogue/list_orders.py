"""The tool that shows an agent its open orders."""

from trading_tools.context import AccountContext, Answer
from trading_tools.registry import tool


@tool(touches_account=True)
def list_orders(ctx: AccountContext) -> Answer:
    """List your open limit orders and exits with their ids and levels, and those closed last.

    Args:
        ctx: Who calls; models never see it.
    """
    orders = ctx.portfolio().orders
    lines = orders.lines(len(orders.open)) or ["No open orders."]
    if not orders.open and orders.closed:
        lines.insert(0, "No open orders.")
    value = {**orders.value(), "orders": [order.value() for order in orders.open]}
    return Answer("\n".join(lines), value)
