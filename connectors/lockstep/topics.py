"""What stands in the topics: who takes part, what was answered, where a killed run left off.

Reads `arena.roster`, `account.events`, `agent.turns`, and the tail of `market.tickers`. Bodies are
decoded only where the header names a type that matters here.
"""

from typing import Final

from arena import topics
from arena.bus.base import EARLIEST, LogReader, Record, Start
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

    async def follow_turns(self, since_ms: int) -> None:
        """Hear of turns from now on, no more of accounts.

        Args:
            since_ms: Unix milliseconds from which turns are read first.
        """
        if (accounts := self._readers.pop(topics.EVENTS.name, None)) is not None:
            await accounts.close()
        start = Start.since(max(0, since_ms - SKEW_MS))
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


async def tickers_behind(
    node: Node, offsets: dict[int, int]
) -> tuple[dict[int, list[bytes]], dict[int, int]]:
    """What is in `market.tickers` behind a snapshot's batch.

    Args:
        node: Its bus is read.
        offsets: Partition -> the offset behind the batch; 0 where none is given.

    Returns:
        Partition -> values at and behind its offset, and partition -> the next offset to read: that
        offset, or the end of a log that does not reach it.
    """
    name = topics.TICKERS.name
    reader = await node.bus.log_reader(name)
    try:
        ends = {partition: end for (_, partition), end in (await reader.end_offsets()).items()}
        places = {p: min(offsets.get(p, 0), end) for p, end in ends.items()}
        for partition, place in places.items():
            reader.seek(name, partition, max(place, reader.position(name, partition)))
        found: dict[int, list[bytes]] = {p: [] for p in ends}
        for record in await read_to_end(reader):
            found[record.partition].append(record.value or b"")
        return found, places
    finally:
        await reader.close()
