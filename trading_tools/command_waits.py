"""Waits for what a command's decision needs: prices, candles, its snapshot, the kill switch."""

import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime

from arena.messages import Message, ToolCall
from arena.node import Node
from trading_tools.command_handler import CommandHandler
from trading_tools.kill_switch import KillSwitchFeed
from trading_tools.market_watch import MarketWatch
from trading_tools.prices import PriceFeed
from trading_tools.risk.candles import CandleFigures, RiskCandles

PRICE_WAIT_S = 2.0
"""How long to wait for prices outside lock-step."""
PRICE_POLL_S = 0.1
"""How long to wait for prices before checking whether to wait longer."""
SHORT_WAIT_S = 60.0
"""How long in lock-step `market.tickers` may end before the prices that an order waits for: a
connector that restarts appends what the topic lost. Counted in polls, so that the time for which a
process was suspended does not count."""
CONTROL_WAIT_S = 0.1
"""How long to wait for a proof before checking the command's deadline again."""


class ShardReleased(Exception):
    """The shard is given up while an order still waits: the next owner decides it."""


class CommandWaits:
    """Waits for one shard's commands.

    Args:
        node: Its clock.
        handler: Handles the commands of the shard.
        prices: The market.
        control: The kill switch.
        watch: Checks the market for the shard's orders.
        candles: Candles, for limits that are computed from them.
        since: When this owner's epoch counted, by `Clock.boot_s`.
        settle: Sends the replies to earlier commands, which need not wait.
        should_serve: False once the shard is to be given up.
    """

    def __init__(
        self,
        node: Node,
        handler: CommandHandler,
        prices: PriceFeed,
        control: KillSwitchFeed,
        watch: MarketWatch,
        candles: RiskCandles,
        since: float,
        settle: Callable[[], Awaitable[None]],
        should_serve: Callable[[], bool],
    ) -> None:
        """Take what is waited for."""
        self._node = node
        self._handler = handler
        self._prices = prices
        self._control = control
        self._watch = watch
        self._candles = candles
        self._since = since
        self._settle = settle
        self._should_serve = should_serve

    async def catch_up(self, message: Message) -> bool:
        """Wait for the prices that a command needs; in lock-step until its deadline.

        Returns:
            False if they did not come.

        Raises:
            ShardReleased: The shard is given up meanwhile.
        """
        needed = self._handler.prices_needed(message)
        if self._prices.covers(needed):
            return True
        # Earlier commands need not wait for the prices that this command waits for.
        await self._settle()
        if await self._prices.cannot_catch_up(needed):
            return False
        lock_step = self._handler.rules.lock_step
        waited_s = short_s = 0.0
        while not await self._prices.catch_up(needed, PRICE_POLL_S):
            if not self._should_serve():
                raise ShardReleased
            waited_s += PRICE_POLL_S
            is_over = waited_s >= PRICE_WAIT_S
            if is_over and lock_step and isinstance(message, ToolCall):
                short_s += PRICE_POLL_S if await self._prices.is_too_short(needed) else 0.0
                is_late = self._node.clock.now() > message.deadline_at
                is_over = is_late or short_s >= SHORT_WAIT_S
            if is_over:
                self._prices.note_timeout(needed)
                return False
        return True

    async def know_control(
        self, message: Message, fetched_at: datetime
    ) -> tuple[datetime | None, datetime | None]:
        """Wait until `arena.control` is known to be read to its end, or the deadline has passed.

        In lock-step the wait is unlimited and takes no time, so that every run decides alike.

        Returns:
            The time of the decision, or None for now; and since when the proof is missing, or None
            if it is there or the message needs none.

        Raises:
            ShardReleased: The shard is given up meanwhile.
        """
        if not isinstance(message, ToolCall) or not self._handler.needs_decision(message):
            return None, None
        if fetched_at > message.deadline_at:
            return fetched_at, None  # It was too late then, even if the clock is set back since.
        if self._control.is_proven(self._since):
            return None, None
        came_at = self._node.clock.now()
        # Earlier commands need not wait for this command's proof.
        await self._settle()
        since, lock_step = self._control.proven_wall or fetched_at, self._handler.rules.lock_step
        while not self._control.is_proven(self._since):
            if not self._should_serve():
                raise ShardReleased
            now = self._node.clock.now()
            if not lock_step and now > message.deadline_at:
                return now, since
            await self._control.wait_proven(self._since, CONTROL_WAIT_S)
        if lock_step:
            return came_at, None
        return None, since if self._node.clock.now() > message.deadline_at else None

    async def candles(self, message: Message) -> CandleFigures | None:
        """Wait for the candles of an order's snapshot, if a limit of its agent needs them.

        Returns:
            None if no limit needs them, or they did not come: in lock-step until the deadline.

        Raises:
            ShardReleased: The shard is given up meanwhile.
        """
        limits = self._handler.limits
        if limits is None or not isinstance(message, ToolCall) or not message.candle_offsets:
            return None
        if not limits.limits_for(message.agent).limits.needs_candles:
            return None
        if not self._handler.needs_decision(message):
            return None
        waited_s = 0.0
        while True:
            found = await self._candles.figures(message.candle_offsets, PRICE_POLL_S)
            waited_s += PRICE_POLL_S
            is_late = self._node.clock.now() > message.deadline_at
            if found is not None or is_late:
                return found
            if not self._handler.rules.lock_step and waited_s >= PRICE_WAIT_S:
                return None
            # Earlier commands need not wait for the candles that this command waits for.
            await self._settle()
            if not self._should_serve():
                raise ShardReleased

    async def snapshot(self) -> None:
        """In lock-step, wait until there may be something to check in the market.

        Raises:
            ShardReleased: The shard is given up meanwhile.
        """
        if self._watch.is_due:
            return
        await self._settle()
        if not self._should_serve():
            raise ShardReleased
        with contextlib.suppress(TimeoutError):
            async with self._node.clock.timeout(PRICE_POLL_S):
                await self._watch.arrived()
