"""One tool call by a person: `arena tools call`.

A tool that touches no account runs in this process. The others go the way of every agent: a
`ToolCall` to `account.commands`, its result from the agent's inbox. They go to the operator's own
account, which is never ranked; an agent's is looked at, and traded only when that is insisted on,
because its standings then hold what it did not decide.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from uuid import uuid4

from arena import ids, logs, topics
from arena.bus.base import LATEST, Bus, LogReader
from arena.bus.kafka import KafkaBus
from arena.clock import Clock, SystemClock
from arena.errors import DependencyMissing, Malformed, UsageError
from arena.messages import AgentSpec, ToolCall, ToolResult
from arena.node import Node
from arena.plugins import NO_PLUGINS, Plugins
from arena.roster import read_agents
from arena.run_lookup import say
from arena.settings import Settings
from arena.topics import partition_of
from arena.unknown_names import OPERATOR, unknown_name
from trading_tools.plugin_tools import load_tools
from trading_tools.server import ToolServer

TRADE_TOOL = "execute_trade"


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
        tool: Its name.
        arguments: A JSON object.
        agent: Whose account it touches.
        timeout_s: To wait for the executor.
        force: Trade in the account of an agent that plays.
        plugins: Whose tools can be called, too.

    Raises:
        DependencyMissing: No broker, or no executor answered in time.
        UsageError: No agent has this name, or it plays and the call would trade for it.
    """
    logs.configure(settings.override(log_level="WARNING"))
    clock = SystemClock()
    call = new_call(tool, arguments, agent, clock, timeout_s)
    bus = KafkaBus(settings, client_id="arena-tools-call")
    tools, faults = load_tools(plugins)
    for fault in faults:
        say(f"left out: {fault}")
    found = tools.get(tool)
    if found is None or not found.touches_account:
        node = Node("tools", "call", settings, bus, clock)
        return await ToolServer(node, tools).result(call)
    await bus.start()
    try:
        check_account(await read_agents(bus), agent, trades=tool == TRADE_TOOL, force=force)
        return await call_through(bus, call, timeout_s)
    finally:
        await bus.close()


def check_account(agents: Mapping[str, AgentSpec], name: str, *, trades: bool, force: bool) -> None:
    """See that a person may use an account. Before any agent was started every name passes.

    Args:
        agents: Agent -> what the roster says of it.
        name: Whose account.
        trades: True for an order.
        force: Trade for an agent nevertheless.

    Raises:
        UsageError: It is not an agent's, or an agent's that is not to be traded.
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
            f"{name} plays ({spec.strategy}@{spec.node}): an order by hand would count in its "
            "account and not be its decision",
            remedy="leave out --agent to trade in the operator's account; --force trades here, and "
            f"{name} is then listed without a rank",
        )


def new_call(tool: str, arguments: str, agent: str, clock: Clock, timeout_s: float) -> ToolCall:
    """A call of its own turn: no snapshot was seen, so no collar applies."""
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
        async with asyncio.timeout(timeout_s):
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
