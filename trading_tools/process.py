"""The process `arena tools`: the executor, the stateless tools, or both."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from arena.node import Node
from arena.plugins import NO_PLUGINS, Plugins
from arena.risk_limits import OFF, RiskLimits
from trading_tools.risk.requests import LimitSettings
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
        risk_default: Limits of agents without their own.
        risk_by_agent: Agent -> its own limits.
    """

    rules: TradingRules
    executor: bool = True
    stateless: bool = True
    plugins: Plugins = NO_PLUGINS
    risk_default: RiskLimits = OFF
    risk_by_agent: Mapping[str, RiskLimits] = field(default_factory=dict)


async def serve(node: Node, options: ToolsOptions) -> None:
    """Execute orders and serve tools until cancelled."""
    await serve_tools(
        node,
        options.rules,
        executor=options.executor,
        stateless=options.stateless,
        plugins=options.plugins,
        limits=LimitSettings(options.risk_default, options.risk_by_agent),
    )
