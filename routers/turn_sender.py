"""Sends what a turn asks for: its start, requests, tool calls, and its record at the end.

Writes `ai_prompted.<node>`, `tools.calls`, `account.commands` and `agent.turns`.
"""

import asyncio

from arena import topics
from arena.bus.base import AppendAck
from arena.messages import ChatRequest, ToolCall, Turn, TurnStarted
from arena.node import Node
from routers.reply_buffer import ReplyBuffer
from routers.turn_types import SendRequest, SendToolCalls


class TurnSender:
    """Sends the messages of one agent's turns.

    Args:
        node: The process.
        agent: The agent, the key of all messages.
        chat_node: Its chat node.
        replies: The replies that are here: a call that has one is not sent again.
    """

    def __init__(self, node: Node, agent: str, chat_node: str, replies: ReplyBuffer) -> None:
        """Send nothing yet."""
        self._node = node
        self._agent = agent
        self._prompted = topics.prompted(chat_node)
        self._replies = replies
        self._record_ack: asyncio.Future[AppendAck] | None = None

    async def flush(self) -> None:
        """Wait until the newest record of a turn is in the log.

        Raises:
            ArenaError: It could not be appended.
        """
        if self._record_ack is not None:
            await self._record_ack

    async def send_request(self, effect: SendRequest) -> None:
        """Send a request to the model, with the start of the turn if it is the first one."""
        if effect.started is not None:
            await self.send_record(effect.started)
        await self.send_call(self._prompted, effect.request)

    async def send_record(self, record: TurnStarted | Turn) -> "asyncio.Future[AppendAck]":
        """Send the start or the end of a turn, and return its future ack."""
        ack = await self._node.bus.send(topics.TURNS.name, record, key=self._agent)
        self._record_ack = ack
        return ack

    async def send_tool_calls(self, effect: SendToolCalls) -> None:
        """Send the calls once the start of the turn is in the log: orders need that evidence."""
        if self._record_ack is not None and not self._record_ack.done():
            await self._record_ack
        for call in effect.account:
            await self.send_call(topics.COMMANDS.name, call)
        for call in effect.stateless:
            await self.send_call(topics.TOOL_CALLS.name, call)
        self._node.counters["tool_calls"] += len(effect.account) + len(effect.stateless)

    async def send_call(self, topic: str, call: ChatRequest | ToolCall) -> None:
        """Send a call unless its reply is here already, from before a crash."""
        if not self._replies.has(call.call_id):
            await self._node.bus.send(topic, call, key=self._agent)
