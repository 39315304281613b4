"""What stands in the topics: who takes part, what was answered, where a killed run left off.

Reads `arena.roster`, `account.events`, `agent.turns`, and the tail of `market.tickers`. Bodies are
decoded only where the header names a type that matters here.
"""

from typing import Final

from arena import topics
from arena.bus.base import EARLIEST, LATEST, LogReader, Record, Start
from arena.messages import AccountOpened, AgentSpec, Turn
from arena.node import Node
from connectors.lockstep.pacing import Pacer
from connectors.lockstep.reel import Reel
from connectors.tails import read_to_end

SKEW_MS: Final = 600_000
"""Turns are looked for from so long before the snapshot they answer: hosts' clocks differ."""
TYPES: Final = {b"AgentSpec", b"AccountOpened", b"Turn"}


class Hearing:
    """Hears what the agents say and tells the pacer.

    Args:
        node: The process.
        pacer: Gets cadences, accounts and answers.
        reel: Knows the numbers of snapshots.
    """

    def __init__(self, node: Node, pacer: Pacer, reel: Reel) -> None:
        """Nothing is read before `open`."""
        self._node = node
        self._pacer = pacer
        self._reel = reel
        self._readers: dict[str, LogReader] = {}

    async def open(self) -> None:
        """Read the roster as it stands."""
        roster = self._readers[topics.ROSTER.name] = await self._node.bus.log_reader(
            topics.ROSTER.name, start=EARLIEST
        )
        for record in await read_to_end(roster):
            await self._take(record)

    async def follow_accounts(self) -> None:
        """Also hear of accounts, from the first event on."""
        name = topics.EVENTS.name
        self._readers[name] = await self._node.bus.log_reader(name, start=EARLIEST)

    async def follow_turns(self, since_ms: int | None) -> None:
        """Hear of turns from now on, no more of accounts.

        Args:
            since_ms: Unix milliseconds from which turns are read first; None for none.
        """
        if (accounts := self._readers.pop(topics.EVENTS.name, None)) is not None:
            await accounts.close()
        start = LATEST if since_ms is None else Start.since(since_ms - SKEW_MS)
        turns = await self._node.bus.log_reader(topics.TURNS.name, start=start)
        self._readers[topics.TURNS.name] = turns
        for record in await read_to_end(turns):
            await self._take(record)

    async def listen(self, timeout_s: float) -> None:
        """Take over what has come; wait at most `timeout_s` for the first of it."""
        names = list(self._readers)
        for name in names:
            last = name == names[-1]
            for record in await self._readers[name].read(timeout_s=timeout_s if last else 0.0):
                await self._take(record)

    async def close(self) -> None:
        """Stop reading."""
        for reader in self._readers.values():
            await reader.close()

    async def _take(self, record: Record) -> None:
        if record.headers.get("type") not in TYPES:
            return
        message = await self._node.read_message(record)
        if isinstance(message, AgentSpec):
            self._pacer.listed(message.agent, message.cadence)
        elif isinstance(message, AccountOpened):
            self._pacer.opened(message.agent)
        elif isinstance(message, Turn):
            index = self._reel.index_of(message.as_of, message.snapshot_id)
            if index is not None and self._pacer.answered(message.agent, index):
                self._node.counters["turns"] += 1


async def tickers_behind(node: Node, offsets: dict[int, int]) -> dict[int, list[bytes]]:
    """Partition of `market.tickers` -> values at and behind an offset (0 where none is given).

    Those that the topic's retention has deleted are missing: a batch is then appended whole.
    """
    name = topics.TICKERS.name
    reader = await node.bus.log_reader(name, start=EARLIEST)
    try:
        partitions = [partition for _, partition in await reader.end_offsets()]
        found: dict[int, list[bytes]] = {p: [] for p in partitions}
        for p in partitions:
            reader.seek(name, p, max(reader.position(name, p), offsets.get(p, 0)))
        for record in await read_to_end(reader):
            found[record.partition].append(record.value or b"")
        return found
    finally:
        await reader.close()
