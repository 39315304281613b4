"""Which topics of a run are exported."""

from collections.abc import Iterable

from arena import topics
from arena.bus.memory import MemoryBus
from operations.commands.export_run import without_missing_inboxes

NAMES = [spec.name for spec in topics.fixed_topics()]


class OlderBus(MemoryBus):
    """A bus of an arena whose version has one topic only."""

    async def existing_topics(self, topics: Iterable[str]) -> list[str]:
        """The given topics that exist."""
        return [name for name in topics if name == "agent.turns"]


async def test_run_of_an_older_version_is_exported() -> None:
    """It lacks the inboxes of judge and chats; any other missing topic is still an error."""
    left = await without_missing_inboxes(OlderBus(), NAMES)

    assert ["judge.inbox", "chat.inbox"] == [name for name in NAMES if name not in left]


async def test_existing_inbox_is_exported(memory_bus: MemoryBus) -> None:
    """The judge's replies belong to the records of a run."""
    assert NAMES == await without_missing_inboxes(memory_bus, NAMES)
