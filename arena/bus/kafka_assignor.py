"""Who of a consumer group gets which partition: the members that were there first come first.

aiokafka's range assignor sorts members by an id that is drawn at random, so a process that is
started as a standby takes a partition away from one that works, as often as not. Here each member
tells when it joined, and a later one gets what is left: of one partition, nothing. The protocol is
still "range", so members of older versions share a group with these.
"""

from collections.abc import Callable, Iterable, Mapping

from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)

DIGITS_MAX = 20


class OldestFirst(RangePartitionAssignor):  # type: ignore[misc]  # aiokafka is not typed
    """Ranges of partitions, for the members by age.

    Attributes:
        since_ms: When this member joined; Unix milliseconds.
        member_id: Tells its id in the group, "" before it joins and after the group dropped it.
        clock_ms: Tells the time, by the broker's clock if it is known: hosts may have wrong clocks.
    """

    since_ms = 0
    member_id: Callable[[], str] = staticmethod(lambda: "")
    clock_ms: Callable[[], int] = staticmethod(lambda: 0)

    @classmethod
    def assign(
        cls, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Give each member its partitions."""
        oldest = sorted(members, key=lambda member: (_since(members[member].user_data), member))
        ranks = {f"{rank:09d}": member for rank, member in enumerate(oldest)}
        given = super().assign(cluster, {rank: members[ranks[rank]] for rank in ranks})
        return {ranks[rank]: assignment for rank, assignment in given.items()}

    @classmethod
    def metadata(cls, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """What a member tells when it joins, or joins again with the others.

        One that was dropped, because it was frozen for long, has become the youngest: another
        does its work.
        """
        if not cls.member_id():
            cls.since_ms = cls.clock_ms()
        user_data = b"%d" % cls.since_ms
        return ConsumerProtocolMemberMetadata(cls.version, list(topics), user_data)


def oldest_first(member_id: Callable[[], str], clock_ms: Callable[[], int]) -> type[OldestFirst]:
    """The assignor of one member; aiokafka calls its class, so each has a class of its own.

    Args:
        member_id: As for `OldestFirst`.
        clock_ms: Likewise.
    """
    told = {"member_id": staticmethod(member_id), "clock_ms": staticmethod(clock_ms)}
    return type("OldestFirst", (OldestFirst,), told)


def _since(user_data: bytes | None) -> int:
    """When a member joined; 0 for one that does not tell, as members of older versions."""
    told = user_data or b""
    return int(told) if len(told) <= DIGITS_MAX and told.isdigit() else 0
