"""Serves the tools of a process: publishes them on the roster, then runs executor and tool server.

A tool file that cannot be used is named in the log and in every heartbeat; the other tools work.

Writes `arena.roster`: each tool as `ToolOffered` under "tool/<name>". The trading rules are
published by the executor that owns a shard.
"""

from arena import topics
from arena.node import Node
from arena.plugin_code import PluginFault
from arena.plugins import NO_PLUGINS, Plugins
from arena.tasks import run_until_first_ends
from trading_tools.candle_follower import CandleFollower
from trading_tools.executor import Executor
from trading_tools.plugin_tools import load_tools
from trading_tools.registry import Tool
from trading_tools.risk.requests import LimitSettings
from trading_tools.rules import TradingRules
from trading_tools.server import ToolServer
from trading_tools.shard_membership import ShardMembership

TOPICS = (
    topics.TICKERS,
    topics.CANDLES,
    topics.SNAPSHOTS,
    topics.COMMANDS,
    topics.EVENTS,
    topics.TOOL_CALLS,
    topics.ROSTER,
    topics.CONTROL,
)

FAULTS = "tools_left_out"
"""The heartbeat detail that names files and functions that cannot be used."""
FAULTS_MAX = 5
FAULT_CHARS_MAX = 300


async def serve_tools(
    node: Node,
    rules: TradingRules,
    *,
    executor: bool = True,
    stateless: bool = True,
    plugins: Plugins = NO_PLUGINS,
    limits: LimitSettings | None = None,
) -> None:
    """Serve until cancelled; executor and tool server may also be separate processes.

    Args:
        node: Connected.
        rules: The rules that orders are decided by.
        executor: Run the tools that touch accounts.
        stateless: Run the other tools.
        plugins: Further tools; none of them touches an account.
        limits: The limits of risk; none by default.
    """
    await node.bus.ensure_topics(TOPICS)
    tools, faults = load_tools(plugins)
    _report_faults(node, faults)
    for tool in tools.values():
        if tool.source:
            place = {"file": tool.source, "sha256": tool.source_sha256}
            node.log.info("tool of a plugin", tool=tool.name, **place)
    account = {name: tool for name, tool in tools.items() if tool.touches_account}
    others = {name: tool for name, tool in tools.items() if not tool.touches_account}
    node.status = "running"
    work = []
    if executor:
        node.details["fees"] = rules.fee_schedule
        await _publish(node, account)
        work.append(Executor(node, rules, account, ShardMembership(node), limits).run())
    if stateless:
        await _publish(node, others)
        candles = CandleFollower(node.bus)
        work.append(ToolServer(node, others, candles).run())
        if any(tool.uses_candles for tool in others.values()):
            work.append(candles.run())
    await run_until_first_ends(*work)


def _report_faults(node: Node, faults: tuple[PluginFault, ...]) -> None:
    for fault in faults:
        node.log.warning("a tool is left out", fault=str(fault))
    if faults:
        node.details[FAULTS] = [str(fault)[:FAULT_CHARS_MAX] for fault in faults[:FAULTS_MAX]]


async def _publish(node: Node, tools: dict[str, Tool]) -> None:
    now = node.clock.now()
    for name, tool in tools.items():
        await node.bus.append(topics.ROSTER.name, tool.offered(now), key=f"tool/{name}")
