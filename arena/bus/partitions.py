"""Checks topics whose records have one order: they must have the partitions of the topic table.

Reads and writes no topic.
"""

from arena.bus.base import Bus
from arena.errors import UsageError
from arena.topics import TopicSpec

REMEDY = (
    "its records have one order, and Kafka cannot remove partitions: start a new arena with"
    " another ARENA_PREFIX, or delete the topic with its records, and start again"
)


async def require_partitions(bus: Bus, *specs: TopicSpec, remedy: str = REMEDY) -> None:
    """Check that topics have the number of partitions in the topic table.

    Args:
        bus: A connected bus.
        specs: Existing topics.
        remedy: Remedy for the error.

    Raises:
        UsageError: A topic has another number of partitions.
    """
    for name, count in (await bus.all_partitions_now([spec.name for spec in specs])).items():
        wanted = next(spec.partitions for spec in specs if spec.name == name)
        if count != wanted:
            raise UsageError(f"{name} has {count} partitions instead of {wanted}", remedy=remedy)
