"""The tool that measures an agent's own trading."""

from trading_tools.context import AccountContext, Answer, RefusedArguments, check_seconds
from trading_tools.order_arguments import Seconds
from trading_tools.performance_metrics import performance
from trading_tools.registry import tool


@tool(touches_account=True)
def get_performance_metrics(ctx: AccountContext, window: Seconds = None) -> Answer:
    """Measure your trading: return, win rate, profit factor, Sharpe, Sortino, deepest fall, fees.

    Args:
        ctx: Who calls; models never see it.
        window: How far back to look, such as "4h"; leave out for all remembered fills.
    """
    try:
        check_seconds("window", window)
    except RefusedArguments as error:
        return Answer(f"{error}.", error="bad_window")
    return performance(ctx.records(), window)
