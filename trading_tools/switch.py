"""The kill switch: whose orders are halted, from `arena.control`.

Reads the whole topic at a start, before the first order, and follows it: a halt survives every
restart, and takes effect as soon as its record is read.
"""

import asyncio
from collections.abc import Iterable

from arena import topics
from arena.bus.base import EARLIEST, LogReader, Record
from arena.errors import BrokerUnavailable
from arena.messages import Halt, Resume
from arena.node import Node

LOAD_TIMEOUT_S = 30.0
TOPIC = topics.CONTROL.name


class Switch:
    """Who is halted. Pure: fold it with `note`."""

    def __init__(self) -> None:
        """Nobody is."""
        self._halts: dict[str | None, Halt] = {}

    def note(self, message: Halt | Resume) -> None:
        """Take in a record; the newest of a scope counts."""
        if isinstance(message, Halt):
            self._halts[message.agent] = message
        else:
            self._halts.pop(message.agent, None)

    def halt_of(self, agent: str) -> Halt | None:
        """The halt that stops an agent's orders, or None."""
        return self._halts.get(None) or self._halts.get(agent)

    def scopes(self) -> list[str]:
        """What is halted, for people: agents by name, "all" for everybody."""
        return sorted("all" if agent is None else agent for agent in self._halts)


class SwitchFeed:
    """Follows `arena.control` into a `Switch`, and says in the heartbeat what is halted.

    Args:
        node: Its bus is read.
    """

    def __init__(self, node: Node) -> None:
        """Nothing is read before `open`."""
        self.switch = Switch()
        self._node = node
        self._reader: LogReader | None = None

    async def open(self) -> None:
        """Read everything that was ever asked for.

        Raises:
            BrokerUnavailable: It did not come in time; no order may be taken before.
        """
        self._reader = await self._node.bus.log_reader(TOPIC, start=EARLIEST)
        try:
            async with asyncio.timeout(LOAD_TIMEOUT_S):
                while await self._reader.behind():
                    await self._take(await self._reader.read(timeout_s=0.1))
        except TimeoutError:
            raise BrokerUnavailable(f"{TOPIC} was not read in {LOAD_TIMEOUT_S:.0f} s") from None
        self._show()

    async def run(self) -> None:
        """Follow the topic until cancelled."""
        assert self._reader is not None, "the switch is not open"
        while True:
            if records := await self._reader.read(timeout_s=0.5):
                await self._take(records)
                self._show()
                await self._node.beat()

    async def close(self) -> None:
        """Stop reading."""
        if self._reader is not None:
            await self._reader.close()
            self._reader = None

    def _show(self) -> None:
        self._node.details["halted"] = [*self.switch.scopes()]

    async def _take(self, records: Iterable[Record]) -> None:
        for record in records:
            message = await self._node.read_message(record)
            if isinstance(message, Halt | Resume):
                self.switch.note(message)
                what = message.type_name().lower()
                self._node.log.warning(what, agent=message.agent or "all", reason=message.reason)
