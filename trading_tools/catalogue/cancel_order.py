"""The tool that cancels open orders; the executor decides what it returns."""

from typing import Annotated

from pydantic import Field

from trading_tools.context import ALL_ORDERS, AccountContext, CancelOrder
from trading_tools.registry import tool


@tool(touches_account=True)
def cancel_order(
    ctx: AccountContext, order_id: Annotated[str, Field(max_length=64)]
) -> CancelOrder:
    """Cancel an open order or exit: it will not fill any more.

    Args:
        ctx: Who calls; models never see it.
        order_id: As list_orders shows it, or "all".
    """
    text = order_id.strip()
    return CancelOrder(ALL_ORDERS if text.lower() == ALL_ORDERS else text)
