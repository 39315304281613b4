"""That this process still owns its shard, by the end of the log; and what it confirms by that.

Reads the end of `account.events[shard]`. While the log ends where this owner left it, no other
executor has written since. A log that ends later is another's now; one that ends earlier lost its
end, or has a new leader that does not know it yet, so that is waited for.
"""

import asyncio

from arena import topics
from arena.errors import BrokenLog, BrokerUnavailable, Fenced
from arena.node import Node
from arena.switch import CONFIRMED
from trading_tools.desk import Desk
from trading_tools.recovery import SHORT_LOOK_S, START_AGAIN, EventLog
from trading_tools.switch import SwitchFeed

CONFIRM_AGAIN_S = 0.02
EVENTS = topics.EVENTS.name


class Ownership:
    """Holds the log of a shard against what its owner has written.

    Attributes:
        in_log: The offset before which everything is in the log, as acks say.

    Args:
        node: Its heartbeat says what is confirmed.
        log: Of the shard.
        desk: Its shard runs ahead of the log by what was not acked yet.
        control: The kill switch.
    """

    def __init__(self, node: Node, log: EventLog, desk: Desk, control: SwitchFeed) -> None:
        """Start where the epoch of the owner ends."""
        self.in_log = desk.shard.next_offset
        self._node = node
        self._log = log
        self._desk = desk
        self._control = control
        self._confirmed: dict[str, int] = {}

    async def prove(self) -> None:
        """See that no other executor has written; everything in the shard must be acked.

        Raises:
            Fenced: Another owner has written.
            BrokenLog: The log has ended too early for too long.
        """
        while True:
            if self._is_mine(await self._log.end(), self._desk.shard.next_offset):
                return
            await asyncio.sleep(SHORT_LOOK_S)

    async def confirm(self) -> bool:
        """Say in the heartbeat how far `arena.control` was read, if that can be said now.

        Returns:
            False if it has to be tried again.

        Raises:
            Fenced: Another owner has written.
            BrokenLog: The log has ended too early for too long.
        """
        read_to, shard = self._control.read_to(), self._desk.shard
        if read_to == self._confirmed:
            return True
        if self.in_log != shard.next_offset:
            return False
        epoch, mine = shard.epoch, shard.next_offset
        try:
            end = await self._log.end()
        except BrokerUnavailable:
            return False
        still = mine == self.in_log == shard.next_offset
        if not (still and self._is_mine(end, mine)):
            return False
        self._confirmed = read_to
        said = self._node.details.get(CONFIRMED)
        shards = dict(said) if isinstance(said, dict) else {}
        shards[str(self._desk.partition)] = {"epoch": epoch, "read_to": {**read_to}}
        self._node.details[CONFIRMED] = shards
        await self._node.beat()
        return True

    async def confirm_always(self) -> None:
        """Confirm also while no command comes, or one is waited with."""
        while True:
            if await self.confirm():
                await self._control.changed()
            else:
                await asyncio.sleep(CONFIRM_AGAIN_S)

    def _is_mine(self, end: int, mine: int) -> bool:
        """False if the log is too short, and it is too early to say why."""
        short = self._log.is_short(end)
        if end > mine or short:
            raise self.not_mine(f"the log ends at {end}, not at {mine}", short)
        return end == mine

    def not_mine(self, what: str, shorter: bool) -> Fenced | BrokenLog:
        """The error that another executor has written, or that the log lost its end."""
        where = f"{EVENTS}[{self._desk.partition}]"
        if shorter:
            return BrokenLog(f"{where}: {what}: it lost its end", remedy=START_AGAIN)
        return Fenced(f"{where}: {what}", remedy="another executor owns this shard now")
