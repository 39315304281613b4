"""The work of `arena tools`: publish what is offered, then serve it.

Writes `arena.roster`: each tool as `ToolOffered` under "tool/<name>". The money rules are published
by the executor that owns a shard.
"""

from arena import topics
from arena.node import Node
from trading_tools.executor import Executor
from trading_tools.registry import Tool, load_catalogue
from trading_tools.rules import TradingRules
from trading_tools.seats import Seats
from trading_tools.server import ToolServer
from trading_tools.together import run_together

TOPICS = (
    topics.TICKERS,
    topics.COMMANDS,
    topics.EVENTS,
    topics.TOOL_CALLS,
    topics.ROSTER,
    topics.CONTROL,
)


async def serve_tools(
    node: Node, rules: TradingRules, *, executor: bool = True, stateless: bool = True
) -> None:
    """Serve until cancelled; the two halves may be processes of their own.

    Args:
        node: Connected.
        rules: What orders are decided by.
        executor: Run the tools that touch accounts.
        stateless: Run the others.
    """
    await node.bus.ensure_topics(TOPICS)
    tools = load_catalogue()
    account = {name: tool for name, tool in tools.items() if tool.touches_account}
    others = {name: tool for name, tool in tools.items() if not tool.touches_account}
    node.status = "running"
    work = []
    if executor:
        node.details["fees"] = rules.fee_schedule
        await _publish(node, account)
        work.append(Executor(node, rules, account, Seats(node)).run())
    if stateless:
        await _publish(node, others)
        work.append(ToolServer(node, others).run())
    await run_together(*work)


async def _publish(node: Node, tools: dict[str, Tool]) -> None:
    now = node.clock.now()
    for name, tool in tools.items():
        await node.bus.append(topics.ROSTER.name, tool.offered(now), key=f"tool/{name}")
