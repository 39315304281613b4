"""The process `arena dashboard`: it only reads."""

from arena.node import Node
from dashboard.terminal.app import DashboardOptions, run


async def serve(node: Node, options: DashboardOptions) -> None:
    """Show the arena until the user quits, or as long as the options say."""
    await run(node, options)
