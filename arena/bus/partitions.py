"""Topics that must have as many partitions as the table says, because their records have one order.

Reads no topic, writes none.
"""

from arena.bus.base import Bus
from arena.errors import UsageError
from arena.topics import TopicSpec

REMEDY = (
    "its records have one order, and Kafka cannot take partitions away: start a new arena under"
    " another ARENA_PREFIX, or delete the topic, whose records are lost then, and start again"
)


async def require_partitions(bus: Bus, *specs: TopicSpec, remedy: str = REMEDY) -> None:
    """Refuse a topic with another number of partitions than the table says.

    Args:
        bus: Connected.
        specs: The topics; they exist.
        remedy: What to do.

    Raises:
        UsageError: It was given more, or was created otherwise.
    """
    for name, count in (await bus.all_partitions_now([spec.name for spec in specs])).items():
        wanted = next(spec.partitions for spec in specs if spec.name == name)
        if count != wanted:
            raise UsageError(f"{name} has {count} partitions instead of {wanted}", remedy=remedy)
