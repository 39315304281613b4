"""Finds the owner of each shard in the newest records of `account.events`.

Every event has the epoch and the owner that wrote it. Heartbeats have them, too, but any process
may write heartbeats; only executors write events.
"""

from collections.abc import Iterable, Mapping
from contextlib import aclosing
from typing import NamedTuple

from arena import topics
from arena.account_log import decode_event
from arena.bus.base import Bus, LogReader, Record
from arena.errors import BrokenLog
from arena.pass_overs import PassedOver
from arena.read_topic import read_to_ends

EVENTS = topics.EVENTS.name
NEWEST_MAX = 50
"""Records of each shard that are read first."""


class EpochClaim(NamedTuple):
    """An owner's claim to an epoch of a shard.

    Attributes:
        epoch: Its number. owner: "<node id>/<unique>".
    """

    epoch: int
    owner: str

    @property
    def node(self) -> str:
        """The id of the process that owns it, as its heartbeats name it."""
        return self.owner.rpartition("/")[0]


class ShardOwners:
    """Follows the ends of the shards.

    Attributes:
        claims: Shard -> its claims to the highest epoch; two if executors claimed it at once.

    Args:
        reader: A reader of all of `account.events`; `close` closes it.
        passed_over: Records that do not count.
    """

    def __init__(self, reader: LogReader, passed_over: PassedOver) -> None:
        """Start with no claims; `follow` reads them."""
        self.claims: dict[int, set[EpochClaim]] = {}
        self._reader = reader
        self._passed_over = passed_over

    @classmethod
    async def open(cls, bus: Bus, passed_over: PassedOver) -> "ShardOwners":
        """Read the newest records of every shard."""
        reader = await bus.log_reader(EVENTS)
        found = cls(reader, passed_over)
        for (topic, shard), end in (await reader.end_offsets()).items():
            first = max(reader.position(topic, shard), end - NEWEST_MAX)
            reader.seek(topic, shard, first)
        await found.follow()
        return found

    async def follow(self) -> None:
        """Read to the current ends of the shards."""
        async with aclosing(read_to_ends(self._reader)) as batches:
            async for records in batches:
                self._apply(records)

    async def close(self) -> None:
        """Stop reading."""
        await self._reader.close()

    def _apply(self, records: Iterable[Record]) -> None:
        for record in records:
            if record.offset in self._passed_over.get(record.partition, {}):
                continue
            try:
                event = decode_event(record.kind, record.value or b"", record.offset)
            except BrokenLog:
                continue  # The executor's fold reports it.
            add_claim(self.claims, record.partition, EpochClaim(event.epoch, event.owner))


def add_claim(claims: dict[int, set[EpochClaim]], shard: int, claim: EpochClaim) -> None:
    """Add a claim; it replaces claims to lower epochs."""
    known = claims.get(shard, set())
    highest = max((one.epoch for one in known), default=claim.epoch)
    if claim.epoch > highest or not known:
        claims[shard] = {claim}
    elif claim.epoch == highest:
        known.add(claim)


def owners_of(claims: Mapping[int, Iterable[EpochClaim]], shard: int) -> set[str]:
    """The ids of the processes that own a shard."""
    return {claim.node for claim in claims.get(shard, ())}
