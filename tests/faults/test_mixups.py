"""Arenas that are mixed up on one broker: prefixes that begin alike, a wrong prefix."""

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
    """A bus of an arena of its own."""
    bus = KafkaBus(settings, client_id="mixups")
    await bus.start()
    try:
        yield bus
    finally:
        await bus.close()


async def test_arenas_whose_prefixes_begin_alike_are_strangers(settings: Settings) -> None:
    """Neither lists topics or reads records of the other, though one prefix begins the other."""
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


async def test_a_process_with_the_wrong_prefix_says_so(
    bus: KafkaBus,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would wait in an empty arena: its log names the arena that is there, commands do, too."""
    wrong = settings.override(prefix=settings.prefix.replace(".", "s."))
    alone = KafkaBus(wrong, client_id="router")
    ended = asyncio.Event()

    async def serve(node: Node) -> None:
        ended.set()

    await serve_node(Node("router", "mo", wrong, alone, SystemClock()), serve)
    logged = capsys.readouterr().out
    monkeypatch.setattr("arena.bus.kafka_topics.UNKNOWN_TOPIC_TIMEOUT_S", 0.1)
    with pytest.raises(BrokerUnavailable, match="is ARENA_PREFIX right.*This broker has") as absent:
        await alone_partitions(wrong)

    assert ended.is_set()
    assert "is ARENA_PREFIX right?" in logged
    assert all(settings.prefix in text for text in (logged, str(absent.value)))


async def test_names_that_kafka_takes_for_the_same_are_refused(
    bus: KafkaBus, settings: Settings
) -> None:
    """A dot and an underscore: the second arena is not begun, and the remedy is another prefix."""
    alike = settings.override(prefix=settings.prefix.replace(".", "_"))
    async with connected(alike) as other:
        with pytest.raises(UsageError, match="collides with .*; choose another ARENA_PREFIX"):
            await other.ensure_topics(NEW_ARENA_TOPICS)


async def alone_partitions(settings: Settings) -> None:
    """Ask for a topic that the arena does not have."""
    async with connected(settings) as bus:
        await bus.partitions(topics.EVENTS.name)
