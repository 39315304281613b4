"""One tool call by a person: `arena tools call`.

A tool that touches no account runs in this process. The others go the way of every agent: a
`ToolCall` to `account.commands`, its result from the agent's inbox.
"""

import asyncio
from datetime import timedelta
from uuid import uuid4

from arena import ids, logs, topics
from arena.bus.base import LATEST, Bus, LogReader
from arena.bus.kafka import KafkaBus
from arena.clock import Clock, SystemClock
from arena.errors import DependencyMissing, Malformed
from arena.messages import ToolCall, ToolResult
from arena.node import Node
from arena.settings import Settings
from arena.topics import partition_of
from trading_tools.registry import load_catalogue
from trading_tools.server import ToolServer


async def call_by_hand(
    settings: Settings, tool: str, arguments: str, agent: str, timeout_s: float
) -> ToolResult:
    """Call a tool and wait for its result.

    Raises:
        DependencyMissing: No broker, or no executor answered in time.
    """
    logs.configure(settings.override(log_level="WARNING"))
    clock = SystemClock()
    call = new_call(tool, arguments, agent, clock, timeout_s)
    bus = KafkaBus(settings, client_id="arena-tools-call")
    tools = load_catalogue()
    found = tools.get(tool)
    if found is None or not found.touches_account:
        node = Node("tools", "call", settings, bus, clock)
        return await ToolServer(node, tools).result(call)
    await bus.start()
    try:
        return await call_through(bus, call, timeout_s)
    finally:
        await bus.close()


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
