"""The tool server sends a result for every call, whatever the tool does."""

import asyncio
from datetime import UTC, datetime, timedelta

from arena import topics
from arena.bus.memory import MemoryBus
from arena.clock import SystemClock
from arena.messages import ToolResult
from arena.node import Node
from arena.settings import Settings
from tests.trading_tools.helpers import read_until, tool_call
from trading_tools.context import Answer, ToolContext
from trading_tools.registry import Tool, tool, tool_of
from trading_tools.server import GROUP, ToolServer


@tool(touches_account=False)
async def ponder(ctx: ToolContext) -> Answer:
    """Think forever."""
    await asyncio.sleep(3600)
    return Answer("42")


@tool(touches_account=False)
def whoami(ctx: ToolContext) -> Answer:
    """Return the caller."""
    return Answer(ctx.agent)


TOOLS: dict[str, Tool] = {found.name: found for found in (tool_of(ponder), tool_of(whoami))}


def server(bus: MemoryBus) -> ToolServer:
    """A server of two tools."""
    return ToolServer(Node("tools", "test", Settings(), bus, SystemClock()), TOOLS)


async def test_tool_that_never_answers_ends_at_the_deadline(memory_bus: MemoryBus) -> None:
    """The agent gets an error at its deadline."""
    soon = datetime.now(UTC) + timedelta(seconds=0.05)
    result = await server(memory_bus).result(
        tool_call("momentum", "ponder", "{}", deadline_at=soon)
    )

    assert (False, "expired") == (result.ok, result.error)


async def test_caller_comes_from_the_envelope(memory_bus: MemoryBus) -> None:
    """A model cannot pose as another agent: there is no such argument."""
    found = server(memory_bus)
    honest = await found.result(tool_call("momentum", "whoami", ""))
    forged = await found.result(tool_call("momentum", "whoami", '{"agent": "scalper"}'))
    hidden = await found.result(tool_call("momentum", "whoami", '{"ctx": {"agent": "scalper"}}'))

    assert "momentum" == honest.text
    assert ["malformed_arguments"] * 2 == [forged.error, hidden.error]


async def test_answered_calls_are_committed(memory_bus: MemoryBus) -> None:
    """A new member of the group continues after the last batch whose results were acked."""
    for index in range(3):
        call = tool_call("momentum", "whoami", "", index=index)
        await memory_bus.send(topics.TOOL_CALLS.name, call, key="momentum")
    serving = asyncio.create_task(server(memory_bus).run())
    await read_until(memory_bus, topics.inbox("momentum"), ToolResult, 3)
    committed = memory_bus.cluster.groups[GROUP].committed
    async with asyncio.timeout(5):
        while 3 not in committed.values():
            await asyncio.sleep(0.01)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)

    assert {3} == set(committed.values())
