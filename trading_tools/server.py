"""The tool server: runs the tools that touch no account.

Reads `tools.calls` as a member of the group `node:tools`, replies to `agent.inbox.*`. The calls of
a batch run concurrently; its offsets are committed after its results were acked, so a crash repeats
at most one batch, and a repeated result has the same call id.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime

from arena import topics
from arena.bus.base import Record
from arena.errors import Malformed
from arena.messages import ToolCall, ToolResult
from arena.node import Node
from arena.unknown_names import NODE_GROUP
from trading_tools import envelope
from trading_tools.arguments import quoted
from trading_tools.candle_follower import CandleFollower
from trading_tools.context import Answer, MarketContext, ToolContext
from trading_tools.outbox import Outbox
from trading_tools.registry import BUSY, THREADS_MAX, PluginCalls, Tool
from trading_tools.replies import answer_result, failed_result
from trading_tools.schema import InvalidArguments

GROUP = f"{NODE_GROUP}tools"
OLD_GROUP = "tools"
"""Until 0.2.0; an agent may have this name."""
BATCH_MAX = 64
STILL_RUNNING = "tools_still_running"
"""Heartbeat detail: calls of plugin tools that did not end in time and keep their threads."""
CALL_TIMEOUT_S = 10.0
"""How long a tool, and so a batch, may take."""


class ToolServer:
    """Serves the stateless tools.

    Args:
        node: Bus, clock, counters.
        tools: The tools that touch no account, by name.
        candles: The candles, for the tools that use them; it must be run beside the server.
    """

    def __init__(
        self, node: Node, tools: Mapping[str, Tool], candles: CandleFollower | None = None
    ) -> None:
        """Take what `run` needs."""
        self._candles = candles
        self._node = node
        self._tools = tools
        self._outbox = Outbox(node.bus)
        self._running = PluginCalls(node.threads, self._show_running)
        self._all_taken = False

    async def run(self) -> None:
        """Serve until cancelled."""
        reader = await self._node.bus.group_reader(
            GROUP, topics.TOOL_CALLS.name, old_group=OLD_GROUP
        )
        try:
            while True:
                records = await reader.read(max_records=BATCH_MAX)
                if not records:
                    continue
                results = await asyncio.gather(*(self._answer(record) for record in records))
                await self._outbox.send(result for result in results if result is not None)
                await self._outbox.settle()
                await reader.commit({(r.topic, r.partition): r.offset + 1 for r in records})
        finally:
            await reader.close()

    async def _answer(self, record: Record) -> ToolResult | None:
        began = self._node.clock.monotonic()
        try:
            call = record.message()
            if not isinstance(call, ToolCall):
                raise Malformed(f"tools.calls holds a {call.type_name()}")
            if (why_invalid := envelope.why_invalid(call)) is not None:
                raise Malformed(why_invalid)
        except Malformed as error:
            await self._node.dead_letter(record, str(error))
            return None
        result = await self.result(call)
        self._node.counters["calls"] += 1
        if result.error:
            self._node.counters[f"failed_{result.error}"] += 1
        self._node.log.debug(
            "call",
            tool=quoted(call.tool),
            agent=call.agent,
            call_id=call.call_id,
            outcome=result.error or "ok",
            duration_ms=round((self._node.clock.monotonic() - began) * 1000, 3),
        )
        return result

    async def result(self, call: ToolCall) -> ToolResult:
        """Run a call; every failure becomes a result too."""
        now = self._node.clock.now()
        tool = self._tools.get(call.tool)
        if tool is None:
            names = ", ".join(self._tools)
            text = f"There is no tool {quoted(call.tool)}; there are {names}."
            return failed_result(call, "unknown_tool", text)
        left_s = (call.deadline_at - now).total_seconds()
        if left_s < 0:
            return failed_result(
                call, "expired", f"{call.tool} was not run: its deadline had passed."
            )
        arguments = tool.signature.read(call.arguments)
        if isinstance(arguments, InvalidArguments):
            text = f"{call.tool} was not run: {arguments.reason}."
            return failed_result(call, "malformed_arguments", text)
        timeout_s = min(left_s, CALL_TIMEOUT_S)
        try:
            async with self._node.clock.timeout(timeout_s):
                ctx = await self._context(call, tool, now)
                answer = await tool.call_async(ctx, arguments, self._running)
            self._note_no_thread(answer)
            return answer_result(call, answer)
        except TimeoutError:
            if tool.source and not tool.is_async:
                self._node.log.warning(
                    "a tool still runs after its time-out and keeps its thread until it ends",
                    tool=tool.name,
                    source=tool.source,
                    timeout_s=round(timeout_s, 1),
                    threads=THREADS_MAX,
                )
            return failed_result(
                call, "expired", f"{call.tool} did not answer in {timeout_s:.1f} s."
            )

    async def _context(self, call: ToolCall, tool: Tool, now: datetime) -> ToolContext:
        """The context of a call; one with candles once they were read up to its snapshot."""
        fields = (call.agent, call.turn_id, call.call_id, call.snapshot_id, now)
        if not tool.uses_candles:
            return ToolContext(*fields)
        assert self._candles is not None, f"the server of {tool.name} has no candles"
        view = await self._candles.view(call.candle_offsets)
        return MarketContext(*fields, candles=view, shown=await self._candles.shown())

    def _show_running(self, calls: dict[str, int]) -> None:
        """Name the tools that keep threads, in the heartbeat."""
        if not calls:
            self._node.details.pop(STILL_RUNNING, None)
            return
        names = ", ".join(f"{name} ({count})" for name, count in sorted(calls.items()))
        self._node.details[STILL_RUNNING] = (
            f"{sum(calls.values())} of {THREADS_MAX} threads of plugin tools are kept by calls"
            f" that timed out: {names}"
        )

    def _note_no_thread(self, answer: Answer) -> None:
        """Log once that calls of plugin tools are refused because no thread is free."""
        taken = answer.error == BUSY
        if taken and not self._all_taken:
            kept = self._node.details.get(STILL_RUNNING, "")
            self._node.log.warning(
                "calls of plugin tools are refused: all their threads are taken; start the tool"
                " server again if the tools named here never end",
                threads=THREADS_MAX,
                kept=kept,
            )
        self._all_taken = taken
