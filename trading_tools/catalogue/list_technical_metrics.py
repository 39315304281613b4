"""The tool that lists the technical metrics."""

from trading_tools.context import Answer, MarketContext
from trading_tools.registry import tool
from trading_tools.technical_metrics import listed_metrics


@tool(touches_account=False)
def list_technical_metrics(ctx: MarketContext, product_id: str = "") -> Answer:
    """List the technical metrics: formula, parameters, bars needed, and which your snapshot has.

    Args:
        ctx: Who calls, and the candles; models never see it.
        product_id: A product, to see how many minutes there are of it; leave out for none.
    """
    return listed_metrics(ctx.candles, ctx.shown, product_id)
