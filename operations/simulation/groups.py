"""Consumer groups of the simulated brokers.

A rebalance goes as in Kafka: every member gives up its partitions when it notices, and gets new
ones when all have noticed. A member that does not answer for the session's time is removed; if it
only was frozen or cut off, it continues to read its old partitions until it notices, and then joins
again as the youngest. Its commits are refused meanwhile. The oldest members get partitions first.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from arena.bus.base import Record, Start
from arena.bus.commit_marks import CommitMark, why_not_resumable
from operations.simulation.cluster import WORLD, Pair, SimulatedCluster

if TYPE_CHECKING:
    from operations.simulation.readers import SimulatedGroupReader

logger = logging.getLogger(__name__)


class Group:
    """One group.

    Attributes:
        members: Its members, oldest first.
        committed: Partition -> committed offset.
        handled: Partition -> the record before it.
    """

    def __init__(self, cluster: SimulatedCluster, name: str) -> None:
        """Start without members."""
        self.name = name
        self.members: list[SimulatedGroupReader] = []
        self.committed: dict[Pair, int] = {}
        self.handled: dict[Pair, Record] = {}
        self._cluster = cluster
        self._generation = 0
        self._ready: set[int] = set()

    def join(self, member: "SimulatedGroupReader") -> None:
        """A process joins, as the youngest member."""
        self.members.append(member)
        self.rebalance()

    def leave(self, member: "SimulatedGroupReader") -> None:
        """A member leaves at once."""
        if member in self.members:
            self.members.remove(member)
            self.rebalance()

    def evict(self, member: "SimulatedGroupReader") -> None:
        """Remove a member that was silent for too long; it does not know."""
        if member not in self.members:
            return
        self.members.remove(member)
        self._cluster.note("evicted", self.name)
        if not member.connection.is_dead:
            member.later(self._cluster.draws.notice(), member.notice_removal)
        self.rebalance()

    def rebalance(self) -> None:
        """Ask all members to give up their partitions; assign them when all have."""
        self._generation += 1
        self._ready.clear()
        self._cluster.note("rebalance", self.name)
        generation = self._generation
        for member in self.members:
            delay = 0.0 if member.gave_up else self._cluster.draws.notice()
            member.later(delay, self._gives_up, member, generation)

    def _gives_up(self, member: "SimulatedGroupReader", generation: int) -> None:
        """Runs in the member's process: it notices the rebalance."""
        if generation != self._generation or member not in self.members:
            return
        if member.connection.is_cut:
            member.later(0.5, self._gives_up, member, generation)
            return
        member.give_up()
        self._ready.add(member.number)
        if all(other.number in self._ready for other in self.members):
            self._assign(generation)

    def _assign(self, generation: int) -> None:
        shares: dict[int, set[Pair]] = {member.number: set() for member in self.members}
        for topic in sorted({topic for member in self.members for topic in member.topics}):
            members = [member for member in self.members if topic in member.topics]
            count = self._cluster.counts[topic]
            for number in range(count):
                owner = members[number * len(members) // count]
                shares[owner.number].add((topic, number))
        for member in self.members:
            share = frozenset(shares[member.number])
            delay = self._cluster.draws.latency()
            member.later(delay, self._take, member, share, generation)

    def _take(
        self, member: "SimulatedGroupReader", share: frozenset[Pair], generation: int
    ) -> None:
        if generation == self._generation and member in self.members:
            member.assign(share)

    def commit(self, pair: Pair, offset: int) -> None:
        """Store the offset of a partition."""
        self.committed[pair] = offset
        if offset > 0:
            self.handled[pair] = self._cluster.partition(*pair).log[offset - 1]

    def first_offset(
        self, pair: Pair, start: Start, note_lost: Callable[[str, int, str, str], None]
    ) -> tuple[int, int | None, bool]:
        """Where a member continues.

        Returns:
            The offset; the committed one, or None; and whether the log is the one it is of.
        """
        committed = self.committed.get(pair)
        part = self._cluster.partition(*pair)
        if committed is None:
            return first_offset(part.log[: part.end], pair, start), None, False
        record = self.handled.get(pair)
        handled, at = (CommitMark.of(record), record.offset) if record else (None, -1)
        now = CommitMark.of(part.log[at]) if 0 <= at < part.end else None
        why = why_not_resumable(committed, 0, part.end, handled, now)
        if not why:
            return committed, committed, True
        words = f"group {self.name} was at {committed} of {pair[0]}[{pair[1]}], but {why}"
        note_lost(*pair, self.name, words)
        return first_offset(part.log[: part.end], pair, start), committed, False


def first_offset(log: list[Record], pair: Pair, start: Start) -> int:
    """The offset at which a reader starts in a partition."""
    if pair in start.offsets:
        return start.offsets[pair]
    if start.at == "earliest":
        return 0
    if start.at == "latest":
        return len(log)
    return next((r.offset for r in log if r.timestamp_ms >= start.time_ms), len(log))


def expire_session(cluster: SimulatedCluster, is_silent: Callable[[], bool], number: int) -> None:
    """Remove the members of a connection that is still silent when its session ends.

    Args:
        cluster: The brokers.
        is_silent: Asked when the session ends.
        number: Number of the connection.
    """

    def check() -> None:
        if not is_silent():
            return
        for group in list(cluster.groups.values()):
            for member in list(group.members):
                if member.connection.number == number:
                    group.evict(member)

    loop = asyncio.get_running_loop()
    loop.call_later(cluster.draws.network.session_s, check, context=WORLD)
