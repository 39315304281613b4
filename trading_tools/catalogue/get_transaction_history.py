"""The tool that lists an agent's own fills."""

from trading_tools.context import AccountContext, Answer
from trading_tools.registry import tool
from trading_tools.transaction_history import listed_history


@tool(touches_account=True)
def get_transaction_history(
    ctx: AccountContext, since: str | None = None, limit: int = 20
) -> Answer:
    """List your newest fills with price, fee and realised profit, and which order or exit filled.

    Args:
        ctx: Who calls; models never see it.
        since: How far back, such as "1h", or a venue time such as "2026-11-30T09:00:00Z".
        limit: At most this many of the newest, 1 to 128.
    """
    return listed_history(ctx.records(), since, limit)
