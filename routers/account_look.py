"""Asks the executor for an agent's account before its turn, and waits for the answer.

Writes `account.commands`; `routers.account_check` says when it is asked for and what it means.
"""

from collections.abc import Awaitable, Callable

from arena import topics
from arena.messages import MarketSnapshot, ToolResult
from arena.node import Node
from routers.account_check import AccountLook, check_call, look_of, needs_check
from routers.agent_config import AgentConfig
from routers.memory import AgentHistory
from routers.reply_buffer import ReplyBuffer
from routers.turn_sender import TurnSender
from routers.turn_types import Now


class AccountReader:
    """Reads the account of one agent from the executor.

    Args:
        node: The process.
        config: The agent.
        sender: Sends the call.
        replies: Gets the answer.
        sleep: Waits until something changes, at most so many seconds.
        is_current: False once the agent was lost: nothing is waited for then.
    """

    def __init__(
        self,
        node: Node,
        config: AgentConfig,
        sender: TurnSender,
        replies: ReplyBuffer,
        *,
        sleep: Callable[[float], Awaitable[None]],
        is_current: Callable[[], bool],
    ) -> None:
        """Take the agent and its ways to ask; `read` asks."""
        self._node = node
        self._config = config
        self._sender = sender
        self._replies = replies
        self._sleep = sleep
        self._is_current = is_current

    async def read(self, history: AgentHistory, snapshot: MarketSnapshot) -> AccountLook:
        """Ask for the account if it may have open orders, and wait for the answer."""
        clock, tool_s = self._node.clock, self._config.limits.tool_s
        if not needs_check(self._config.strategy, history):
            return AccountLook(None, history.heard_seq)
        self._node.counters["account_checks"] += 1
        now = Now(clock.now(), clock.monotonic())
        call = check_call(self._config.agent, snapshot, now, tool_s)
        await self._sender.send_call(topics.COMMANDS.name, call)
        until_s = clock.monotonic() + tool_s
        while self._is_current() and (left_s := until_s - clock.monotonic()) > 0:
            found = self._replies.take((call.call_id,))
            if isinstance(found, ToolResult):
                return look_of(found, history.heard_seq)
            await self._sleep(left_s)
        return AccountLook(None, history.heard_seq)
