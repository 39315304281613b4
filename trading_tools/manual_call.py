"""Calls one tool for a person: `arena tools call`.

A tool that touches no account runs in this process; one that uses candles reads them to the end of
their topic. The others take the same path as an agent's: a `ToolCall` to `account.commands`, and
its result from the agent's inbox. They use the operator's own account, which is never ranked. An
agent's account can be read; trading in it needs `--force`, because its result then includes an
order that the agent did not decide.
"""

from collections.abc import Mapping
from datetime import timedelta
from uuid import uuid4

from arena import ids, logs, topics
from arena.bus.base import LATEST, Bus, LogReader
from arena.bus.kafka import KafkaBus
from arena.clock import Clock
from arena.errors import DependencyMissing, Malformed, UsageError
from arena.messages import AgentSpec, ToolCall, ToolResult
from arena.node import Node
from arena.output import print_note
from arena.plugins import NO_PLUGINS, Plugins
from arena.roster import read_agents
from arena.settings import Settings
from arena.topics import partition_of
from arena.unknown_names import OPERATOR, unknown_name
from trading_tools.candle_follower import CandleFollower
from trading_tools.plugin_tools import load_tools
from trading_tools.registry import Tool
from trading_tools.server import ToolServer


async def call_manually(
    settings: Settings,
    tool: str,
    arguments: str,
    agent: str,
    timeout_s: float,
    *,
    force: bool = False,
    plugins: Plugins = NO_PLUGINS,
) -> ToolResult:
    """Call a tool and wait for its result.

    Args:
        settings: Broker and prefix.
        tool: Name of the tool.
        arguments: A JSON object.
        agent: The agent whose account the call uses.
        timeout_s: How long to wait for the executor.
        force: Trade even if the account is an agent's.
        plugins: Plugins whose tools can be called, too.

    Raises:
        DependencyMissing: No broker, or no executor answered in time.
        UsageError: No agent has this name, or the call would trade in an agent's account.
    """
    logs.configure(settings.override(log_level="WARNING"))
    bus = KafkaBus(settings, client_id="arena-tools-call")
    call = new_call(tool, arguments, agent, bus.clock, timeout_s)
    tools, faults = load_tools(plugins)
    for fault in faults:
        print_note(f"left out: {fault}")
    found = tools.get(tool)
    if found is None or not found.touches_account:
        node = Node("tools", "call", settings, bus, bus.clock)
        if found is None or not found.uses_candles:
            return await ToolServer(node, tools).result(call)
        return await _call_with_candles(node, tools, call)
    await bus.start()
    try:
        check_account(await read_agents(bus), agent, trades=found.places_order, force=force)
        return await call_through(bus, call, timeout_s)
    finally:
        await bus.close()


async def _call_with_candles(node: Node, tools: Mapping[str, Tool], call: ToolCall) -> ToolResult:
    """Run a tool that uses candles, on those that are in the log now.

    Raises:
        BrokerUnavailable: No broker answers, or the log cannot be read.
        DependencyMissing: The topic does not exist: no connector has run.
    """
    await node.bus.start()
    try:
        wanted = (topics.CANDLES.name, topics.SNAPSHOTS.name)
        existing = await node.bus.existing_topics(wanted)
        if missing := [name for name in wanted if name not in existing]:
            raise DependencyMissing(
                f"no candles: the topic {node.settings.prefix}{missing[0]} does not exist",
                remedy="start `arena connector`, or `arena up`, and call again",
            )
        candles = CandleFollower(node.bus)
        await candles.load()
        return await ToolServer(node, tools, candles).result(call)
    finally:
        await node.bus.close()


def check_account(agents: Mapping[str, AgentSpec], name: str, *, trades: bool, force: bool) -> None:
    """Check that a person may use an account. Every name is valid before any agent was started.

    Args:
        agents: Agent -> its spec on the roster.
        name: The agent whose account is used.
        trades: True for an order.
        force: Trade even if the account is an agent's.

    Raises:
        UsageError: No agent has this name, or an order needs `force`.
    """
    if name == OPERATOR or not agents:
        return
    if name not in agents:
        raise unknown_name(
            "agent", name, agents, remedy=f"without --agent it is {OPERATOR}'s own account"
        )
    if trades and not force:
        spec = agents[name]
        raise UsageError(
            f"{name} is an agent ({spec.strategy}@{spec.node}): an order by hand would be in its "
            "account without being its decision",
            remedy="leave out --agent to trade in the operator's account; --force trades here, and "
            f"{name} is then listed without a rank",
        )


def new_call(tool: str, arguments: str, agent: str, clock: Clock, timeout_s: float) -> ToolCall:
    """Create a call with a turn of its own: it has no snapshot, so no collar applies."""
    now = clock.now()
    turn_id = ids.turn_id(agent, f"by-hand/{uuid4()}")
    return ToolCall(
        call_id=ids.tool_call_id(turn_id, 0, 0),
        agent=agent,
        turn_id=turn_id,
        round=0,
        index=0,
        tool=tool,
        arguments=arguments,
        snapshot_id="",
        issued_at=now,
        deadline_at=now + timedelta(seconds=timeout_s),
        reply_to=topics.inbox(agent),
    )


async def call_through(bus: Bus, call: ToolCall, timeout_s: float) -> ToolResult:
    """Send a call to the executor and read the agent's inbox until its result comes.

    Raises:
        DependencyMissing: It did not come in time.
    """
    await bus.ensure_topics([topics.INBOX.member(call.agent), topics.COMMANDS])
    reader = await bus.log_reader(topics.inbox(call.agent), start=LATEST)
    try:
        shards = await bus.partitions(topics.COMMANDS.name)
        shard = partition_of(call.agent, shards)
        await bus.append(topics.COMMANDS.name, call, key=call.agent, partition=shard)
        async with bus.clock.timeout(timeout_s):
            return await _result(reader, call.call_id)
    except TimeoutError:
        raise DependencyMissing(
            f"no result in {timeout_s:g} s", remedy="is an executor running? `arena tools` is one"
        ) from None
    finally:
        await reader.close()


async def _result(reader: LogReader, call_id: str) -> ToolResult:
    while True:
        for record in await reader.read():
            try:
                message = record.message()
            except Malformed:
                continue
            if isinstance(message, ToolResult) and message.call_id == call_id:
                return message
