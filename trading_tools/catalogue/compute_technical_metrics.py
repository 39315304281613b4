"""The tool that computes a technical metric from the candles up to the agent's snapshot."""

from trading_tools.context import Answer, MarketContext
from trading_tools.registry import tool
from trading_tools.technical_metrics import computed


@tool(touches_account=False)
def compute_technical_metrics(
    ctx: MarketContext,
    product_id: str,
    metric: str,
    granularity: str = "",
    length: int | None = None,
) -> Answer:
    """Compute a technical metric of a product from closed candles, up to your snapshot.

    For example RSI, EMA, MACD, ATR, Bollinger bands or ADX; list_technical_metrics has them all.

    Args:
        ctx: Who calls, and the candles; models never see it.
        product_id: Such as "BTC-USD".
        metric: Such as "rsi", or with its numbers: "macd_5_35_5".
        granularity: Length of a bar: "1m", "5m", "15m", "1h" or "1d"; by default the market's
            shortest.
        length: Number of bars, such as 14; not for macd, which has three. For bollinger the bands
            are then two deviations wide.
    """
    return computed(ctx.candles, product_id, metric, granularity, length)
