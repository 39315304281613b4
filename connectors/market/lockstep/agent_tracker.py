"""Follows the agents of a replay in the topics: roster, accounts, and the snapshots they answered.

Reads `arena.roster`, `account.events` and `agent.turns`. Bodies are decoded only if the header
names a type that is used here.
"""

from typing import Final

from arena import topics
from arena.bus.base import EARLIEST, LogReader, Record, Start
from arena.messages import AccountOpened, AgentSpec, SkippedSnapshots, Turn
from arena.node import Node
from arena.read_topic import read_list
from connectors.market.lockstep.pacing import Pacer
from connectors.market.lockstep.snapshot_replay import SnapshotReplay

SKEW_MS: Final = 600_000
"""Turns are read from this long before the snapshot they answer: hosts' clocks differ."""
TYPES: Final = {b"AgentSpec", b"AccountOpened", b"Turn", b"SkippedSnapshots"}


class AgentTracker:
    """Reads records of the agents and passes them to the pacer.

    Args:
        node: The process.
        pacer: Gets cadences, accounts and answers.
        replay: Gives the numbers of snapshots.
    """

    def __init__(self, node: Node, pacer: Pacer, replay: SnapshotReplay) -> None:
        """Create the tracker; call `open` to start reading."""
        self._node = node
        self._pacer = pacer
        self._replay = replay
        self._readers: dict[str, LogReader] = {}

    async def open(self) -> None:
        """Read the roster to its present end."""
        roster = self._readers[topics.ROSTER.name] = await self._node.bus.log_reader(
            topics.ROSTER.name, start=EARLIEST
        )
        for record in await read_list(roster):
            await self._take(record)

    async def follow_accounts(self) -> None:
        """Also follow accounts, from the first event."""
        name = topics.EVENTS.name
        self._readers[name] = await self._node.bus.log_reader(name, start=EARLIEST)

    async def follow_turns(self, since_ms: int) -> None:
        """Follow turns instead of accounts.

        Args:
            since_ms: Unix milliseconds of the oldest turns to read; `SKEW_MS` is subtracted.
        """
        if (accounts := self._readers.pop(topics.EVENTS.name, None)) is not None:
            await accounts.close()
        start = Start.since(max(0, since_ms - SKEW_MS))
        turns = await self._node.bus.log_reader(topics.TURNS.name, start=start)
        self._readers[topics.TURNS.name] = turns
        for record in await read_list(turns):
            await self._take(record)

    async def listen(self, timeout_s: float) -> None:
        """Handle the records that have arrived; wait at most `timeout_s` for the first one."""
        names = list(self._readers)
        for name in names:
            last = name == names[-1]
            for record in await self._readers[name].read(timeout_s=timeout_s if last else 0.0):
                await self._take(record)

    async def close(self) -> None:
        """Close the readers."""
        for reader in self._readers.values():
            await reader.close()

    async def _take(self, record: Record) -> None:
        if record.headers.get("type") not in TYPES:
            return
        message = await self._node.read_message(record)
        if isinstance(message, AgentSpec):
            # A router answers every snapshot of a gated agent: with a turn, or that it is skipped.
            cadence = message.cadence if message.gates is None else 1
            self._pacer.add_listed(message.agent, cadence)
        elif isinstance(message, AccountOpened):
            self._pacer.add_account(message.agent)
        elif isinstance(message, Turn | SkippedSnapshots):
            index = self._replay.index_of(message.as_of, message.snapshot_id)
            if index is not None and self._pacer.add_answer(message.agent, index):
                self._node.counters["turns" if isinstance(message, Turn) else "gated"] += 1
