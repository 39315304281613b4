"""The process `arena tools`: the executor, the stateless tools, or both."""

from dataclasses import dataclass

from arena.node import Node
from arena.plugins import NO_PLUGINS, Plugins
from trading_tools.rules import TradingRules
from trading_tools.service import serve_tools


@dataclass(frozen=True, slots=True)
class ToolsOptions:
    """Options of a tools process.

    Attributes:
        rules: The rules that orders are decided by.
        executor: Run the tools that touch accounts.
        stateless: Run the other tools.
        plugins: Further tools; none of them touches an account.
    """

    rules: TradingRules
    executor: bool = True
    stateless: bool = True
    plugins: Plugins = NO_PLUGINS


async def serve(node: Node, options: ToolsOptions) -> None:
    """Execute orders and serve tools until cancelled."""
    await serve_tools(
        node,
        options.rules,
        executor=options.executor,
        stateless=options.stateless,
        plugins=options.plugins,
    )
