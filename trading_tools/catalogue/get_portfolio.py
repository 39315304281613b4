"""The tool that shows an agent its own account."""

from trading_tools.context import AccountContext, Answer
from trading_tools.registry import tool


@tool(touches_account=True)
def get_portfolio(ctx: AccountContext) -> Answer:
    """Show your cash, equity and positions with cost, current bid, profit and time held.

    It already includes every trade you made before this call.

    Args:
        ctx: Who calls; models never see it.
    """
    portfolio = ctx.portfolio()
    return Answer(portfolio.text(), portfolio.value())
