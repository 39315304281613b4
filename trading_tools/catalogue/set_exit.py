"""The tool that protects a position that is held; the executor decides what it returns."""

from typing import Annotated

from pydantic import Field

from trading_tools.context import AccountContext, ExitRequest, SetExits
from trading_tools.order_arguments import Percent, Price, Seconds
from trading_tools.registry import tool


@tool(touches_account=True)
def set_exit(
    ctx: AccountContext,
    product_id: Annotated[str, Field(max_length=64)],
    stop_loss_pct: Percent = None,
    take_profit_pct: Percent = None,
    trailing_pct: Percent = None,
    stop_loss_price: Price = None,
    take_profit_price: Price = None,
    exit_after: Seconds = None,
) -> SetExits:
    """Set exits of a position you hold: each sells all of it without asking you.

    A new exit replaces the one of the same type. The first to fire cancels the others. Percentages
    count from the current bid.

    Args:
        ctx: Who calls; models never see it.
        product_id: The product you hold.
        stop_loss_pct: Sell if the bid falls 3 % (3).
        take_profit_pct: Sell if it rises so many percent.
        trailing_pct: Sell if it falls so many percent from its high.
        stop_loss_price: Instead of the percentage.
        take_profit_price: Instead of the percentage.
        exit_after: Sell after this time: "30m".
    """
    exits = ExitRequest(
        stop_loss_pct=stop_loss_pct,
        take_profit_pct=take_profit_pct,
        trailing_pct=trailing_pct,
        stop_loss_price=stop_loss_price,
        take_profit_price=take_profit_price,
        exit_after_s=exit_after,
    )
    return SetExits(product_id, exits)
