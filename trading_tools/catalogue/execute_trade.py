"""The tool that trades; `trading_tools.decide` decides the order that it returns."""

from typing import Annotated, Literal

from pydantic import Field

from trading_tools.context import AccountContext, Order
from trading_tools.registry import tool
from trading_tools.schema import ExactDecimal


@tool(touches_account=True)
def execute_trade(
    ctx: AccountContext,
    product_id: Annotated[str, Field(max_length=64)],
    quantity: ExactDecimal,
    action: Literal["buy", "sell"],
) -> Order:
    """Buy or sell a product at the current market price.

    A buy fills at the best ask and a sell at the best bid, moved against you by slippage, and
    both pay a fee. An order fills whole or is rejected with the reason. You cannot sell more
    than you hold or spend more than your cash.

    Args:
        ctx: Who calls; models never see it.
        product_id: The product, as in the market data: "BTC-USD".
        quantity: How much of the base currency, as decimal text: "0.05" of BTC-USD is 0.05 BTC.
        action: "buy" or "sell".
    """
    return Order(product_id, quantity, action)
