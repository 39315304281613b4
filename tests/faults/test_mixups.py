"""Several arenas on one broker: prefixes with a common beginning, and a wrong prefix."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.bus.kafka_admin import list_topics, other_arenas
from arena.clock import SystemClock
from arena.errors import BrokerUnavailable, UsageError
from arena.node import Node, serve_node
from arena.settings import Settings
from tests.routers.builders import offers

NEW_ARENA_TOPICS = (topics.HEARTBEATS, topics.DEAD_LETTERS)


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[KafkaBus]:
    """Connect a bus with these settings."""
    bus = KafkaBus(settings, client_id="mixups")
    await bus.start()
    try:
        yield bus
    finally:
        await bus.close()


async def test_arenas_with_similar_prefixes_are_separate(settings: Settings) -> None:
    """Neither lists topics or reads records of the other, though their prefixes overlap."""
    stem = settings.prefix.removesuffix(".")
    arenas = [settings.override(prefix=stem), settings.override(prefix=f"{stem}.b.")]
    specs = [topics.ROSTER, topics.HEARTBEATS, topics.INBOX.member("mo")]
    seen = []
    for number, own in enumerate(arenas):
        async with connected(own) as bus:
            await bus.ensure_topics(specs)
            await bus.append(topics.ROSTER.name, offers()[number], key="tool/x")
            roster = await bus.log_reader(topics.ROSTER.name)
            seen.append([r.message() for r in await roster.read(timeout_s=10)])
            await roster.close()

    assert [[offers()[0]], [offers()[1]]] == seen
    for own, other in (arenas, arenas[::-1]):
        assert sorted(spec.name for spec in specs) == await list_topics(own)
        assert f"prefix {other.prefix!r}" in await other_arenas(own)


async def test_wrong_prefix_is_reported(
    bus: KafkaBus,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The log of a process in an empty arena, and errors of commands, name the existing arena."""
    wrong = settings.override(prefix=settings.prefix.replace(".", "s."))
    other_bus = KafkaBus(wrong, client_id="router")
    ended = asyncio.Event()

    async def serve(node: Node, _: None) -> None:
        ended.set()

    await serve_node(Node("router", "mo", wrong, other_bus, SystemClock()), serve, None)
    logged = capsys.readouterr().out
    monkeypatch.setattr("arena.bus.kafka_topics.UNKNOWN_TOPIC_TIMEOUT_S", 0.1)
    with pytest.raises(BrokerUnavailable, match="is ARENA_PREFIX right.*This broker has") as absent:
        await look_up_missing_topic(wrong)

    assert ended.is_set()
    assert "is ARENA_PREFIX right?" in logged
    assert all(settings.prefix in text for text in (logged, str(absent.value)))


async def test_colliding_topic_names_are_refused(bus: KafkaBus, settings: Settings) -> None:
    """A dot and an underscore collide in Kafka; the error suggests another prefix."""
    similar = settings.override(prefix=settings.prefix.replace(".", "_"))
    async with connected(similar) as other:
        with pytest.raises(UsageError, match="collides with .*; choose another ARENA_PREFIX"):
            await other.ensure_topics(NEW_ARENA_TOPICS)


async def look_up_missing_topic(settings: Settings) -> None:
    """Look up a topic that the arena does not have."""
    async with connected(settings) as bus:
        await bus.partitions(topics.EVENTS.name)
