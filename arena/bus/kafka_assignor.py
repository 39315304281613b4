"""Assigns the partitions of a consumer group to its members, oldest member first.

aiokafka's range assignor sorts members by a random id, so a standby would often take a partition
away from a working process. Here each member reports when it joined, and later ones get the
remaining partitions; for a single partition they get none. The protocol name is still "range", so
members of older versions can be in the same group.
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
    """Range assignment with the members sorted by age.

    Attributes:
        since_ms: Time when this member joined; Unix milliseconds.
        member_id: Returns its id in the group; "" before it joins and after it was removed.
        clock_ms: Returns the time, by the broker's clock if it is known; Unix milliseconds.
    """

    since_ms = 0
    member_id: Callable[[], str] = staticmethod(lambda: "")
    clock_ms: Callable[[], int] = staticmethod(lambda: 0)

    @classmethod
    def assign(
        cls, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Assign the partitions to the members."""
        oldest = sorted(members, key=lambda member: (_since(members[member].user_data), member))
        ranks = {f"{rank:09d}": member for rank, member in enumerate(oldest)}
        given = super().assign(cluster, {rank: members[ranks[rank]] for rank in ranks})
        return {ranks[rank]: assignment for rank, assignment in given.items()}

    @classmethod
    def metadata(cls, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """The metadata that a member sends when it joins or rejoins.

        A member that was removed, because it was frozen for long, becomes the youngest: another
        one has taken over its work.
        """
        if not cls.member_id():
            cls.since_ms = cls.clock_ms()
        user_data = b"%d" % cls.since_ms
        return ConsumerProtocolMemberMetadata(cls.version, list(topics), user_data)


def oldest_first(member_id: Callable[[], str], clock_ms: Callable[[], int]) -> type[OldestFirst]:
    """The assignor class of one member; aiokafka uses the class, so each member needs its own.

    Args:
        member_id: See `OldestFirst`.
        clock_ms: See `OldestFirst`.
    """
    attributes = {"member_id": staticmethod(member_id), "clock_ms": staticmethod(clock_ms)}
    return type("OldestFirst", (OldestFirst,), attributes)


def _since(user_data: bytes | None) -> int:
    """When a member joined; 0 if it does not report it, like members of older versions."""
    text = user_data or b""
    return int(text) if len(text) <= DIGITS_MAX and text.isdigit() else 0
