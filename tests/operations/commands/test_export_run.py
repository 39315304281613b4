"""Which topics of a run are exported."""

from collections.abc import Iterable

from arena import topics
from arena.bus.memory import MemoryBus
from arena.messages import AgentSpec
from operations.commands.export_run import with_shadow_inboxes, without_missing_inboxes
from tests.routers.builders import AS_OF

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


async def test_inboxes_of_shadow_agents_are_exported(memory_bus: MemoryBus) -> None:
    """The specification does not have them; one that never started has no inbox."""
    names = [f"shadow-{'1' * 12}-{arm}-1" for arm in ("champion", "challenger", "copy")]
    inboxes = [topics.INBOX.member(name) for name in names]
    await memory_bus.ensure_topics([topics.ROSTER, *inboxes[:2]])
    for name in names:
        spec = AgentSpec(
            agent=name,
            strategy="momentum",
            node="rules",
            kind="shadow",
            shadow_of="momentum",
            joined_at=AS_OF,
        )
        await memory_bus.append(topics.ROSTER.name, spec, key=f"agent/{name}")
    found = await with_shadow_inboxes(memory_bus, NAMES)
    assert [*NAMES, *sorted(one.name for one in inboxes[:2])] == found
