"""Proves by the end of the log that this process still owns its shard, and confirms halts by it.

Reads the end of `account.events[shard]`. While the log ends with this owner's last record, no other
executor has written since. If it ends later, another executor owns the shard. If it ends earlier,
it lost its end, or a new leader does not know the end yet, so that is waited for.
"""

from arena import topics
from arena.errors import BrokenLog, BrokerUnavailable, Fenced
from arena.kill_switch import CONFIRMED
from arena.node import Node
from trading_tools.command_handler import CommandHandler
from trading_tools.kill_switch import KillSwitchFeed
from trading_tools.recovery import SHORT_POLL_S, START_AGAIN, EventLog

CONFIRM_AGAIN_S = 0.02
EVENTS = topics.EVENTS.name


class Ownership:
    """Compares the end of a shard's log with what its owner has written.

    Attributes:
        in_log: The offset before which everything is in the log, according to acks.

    Args:
        node: Its heartbeat says what is confirmed.
        log: The log of the shard.
        handler: Its shard is ahead of the log by the events that are not acked yet.
        control: The kill switch.
    """

    def __init__(
        self, node: Node, log: EventLog, handler: CommandHandler, control: KillSwitchFeed
    ) -> None:
        """Start after the owner's epoch."""
        self.in_log = handler.shard.next_offset
        self._node = node
        self._log = log
        self._handler = handler
        self._control = control
        self._confirmed: dict[str, int] = {}

    async def prove(self) -> None:
        """Check that no other executor has written; everything in the shard must be acked.

        Raises:
            Fenced: Another owner has written.
            BrokenLog: The log has ended too early for too long.
        """
        while True:
            if self._ends_as_expected(await self._log.end(), self._handler.shard.next_offset):
                return
            await self._node.clock.sleep(SHORT_POLL_S)

    async def confirm(self) -> bool:
        """Confirm in the heartbeat how far `arena.control` was read, if possible now.

        Returns:
            False if it has to be tried again.

        Raises:
            Fenced: Another owner has written.
            BrokenLog: The log has ended too early for too long.
        """
        read_to, shard = self._control.read_to(), self._handler.shard
        if read_to == self._confirmed:
            return True
        if self.in_log != shard.next_offset:
            return False
        epoch, own_end = shard.epoch, shard.next_offset
        try:
            end = await self._log.end()
        except BrokerUnavailable:
            return False
        still = own_end == self.in_log == shard.next_offset
        if not (still and self._ends_as_expected(end, own_end)):
            return False
        self._confirmed = read_to
        confirmed = self._node.details.get(CONFIRMED)
        shards = dict(confirmed) if isinstance(confirmed, dict) else {}
        shards[str(self._handler.partition)] = {"epoch": epoch, "read_to": {**read_to}}
        self._node.details[CONFIRMED] = shards
        await self._node.beat()
        return True

    async def keep_confirming(self) -> None:
        """Keep confirming, also while no command comes or one is waiting."""
        while True:
            if await self.confirm():
                await self._control.changed()
            else:
                await self._node.clock.sleep(CONFIRM_AGAIN_S)

    def _ends_as_expected(self, end: int, own_end: int) -> bool:
        """True if the log ends at this owner's last record; False if it is too short so far.

        Raises:
            Fenced: Another owner has written.
            BrokenLog: The log has ended too early for too long.
        """
        short = self._log.is_short(end)
        if end > own_end or short:
            raise self.ownership_error(f"the log ends at {end}, not at {own_end}", short)
        return end == own_end

    def ownership_error(self, what: str, shorter: bool) -> Fenced | BrokenLog:
        """The error for a log that another executor has written to, or that lost its end."""
        where = f"{EVENTS}[{self._handler.partition}]"
        if shorter:
            return BrokenLog(f"{where}: {what}: it lost its end", remedy=START_AGAIN)
        return Fenced(f"{where}: {what}", remedy="another executor owns this shard now")
