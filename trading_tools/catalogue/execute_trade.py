"""The tool that trades; `trading_tools.decide` decides the order that it returns."""

from typing import Annotated, Literal

from pydantic import Field

from trading_tools.context import NO_EXITS, AccountContext, ExitRequest, Order
from trading_tools.order_arguments import Percent, Price, Quantity, Seconds
from trading_tools.registry import tool


@tool(touches_account=True)
def execute_trade(
    ctx: AccountContext,
    product_id: Annotated[str, Field(max_length=64)],
    quantity: Quantity,
    action: Literal["buy", "sell"],
    limit_price: Price = None,
    stop_loss_pct: Percent = None,
    take_profit_pct: Percent = None,
    trailing_pct: Percent = None,
    exit_after: Seconds = None,
    expires_after: Seconds = None,
) -> Order:
    """Buy or sell a product at the current market price.

    A buy fills at the best ask and a sell at the best bid, moved against you by slippage, and
    both pay a fee. An order fills whole or is rejected with the reason. You cannot sell more
    than you hold or spend more than your cash.

    Args:
        ctx: Who calls; models never see it.
        product_id: The product, as in the market data: "BTC-USD".
        quantity: Base currency, as decimal text: "0.05" of BTC-USD is 0.05 BTC; "all" or "50%" of
            what you hold, for a buy of your cash.
        action: "buy" or "sell".
        limit_price: Worst price; what cannot fill at once waits.
        stop_loss_pct: After a buy, sell all if the bid falls 3 % (3).
        take_profit_pct: Sell all if it rises so many percent.
        trailing_pct: Sell all if it falls so many percent from its high.
        exit_after: Sell all after this time: "30m".
        expires_after: Cancel what waits after this time.
    """
    exits = ExitRequest(
        stop_loss_pct=stop_loss_pct,
        take_profit_pct=take_profit_pct,
        trailing_pct=trailing_pct,
        exit_after_s=exit_after,
    )
    return Order(
        product_id,
        quantity,
        action,
        limit_price,
        None if exits == NO_EXITS else exits,
        expires_after,
    )
