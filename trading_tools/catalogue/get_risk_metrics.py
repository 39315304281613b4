"""The tool that measures what an agent's account risks."""

from trading_tools.context import AccountContext, Answer
from trading_tools.registry import tool
from trading_tools.risk_metrics import risk_metrics


@tool(touches_account=True)
def get_risk_metrics(ctx: AccountContext) -> Answer:
    """Show exposure, leverage, cash share, concentration, and how far you are from each limit.

    Args:
        ctx: Who calls; models never see it.
    """
    return risk_metrics(ctx.records())
