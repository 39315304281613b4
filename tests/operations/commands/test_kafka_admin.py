"""Topic descriptions against a real broker."""

import time
from datetime import UTC, datetime

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.bus.kafka_admin import TopicState, describe_topics
from arena.messages import OpenAccount
from arena.settings import Settings
from arena.topics import DAY_MS


async def test_topics_are_described(bus: KafkaBus, settings: Settings) -> None:
    """Partitions, retention, ends and sizes, only of this arena's topics."""
    await bus.ensure_topics([topics.INBOX.member("momentum")])
    opened = OpenAccount(call_id="c", agent="momentum", issued_at=datetime.now(UTC))
    await bus.append("account.commands", opened, key="momentum", partition=0)

    expected = {t.name for t in topics.fixed_topics()} | {"agent.inbox.momentum"}
    # The controller answers before the broker has heard of a new topic.
    end_s = time.monotonic() + 10
    states: dict[str, TopicState] = {}
    while set(states) != expected and time.monotonic() < end_s:
        states = {s.topic: s for s in await describe_topics(settings)}

    assert set(states) == expected
    commands = states["account.commands"]
    assert (commands.partitions, commands.replicas, commands.records) == (1, 1, 1)
    assert commands.retention_ms == 30 * DAY_MS
    assert commands.size_bytes > 100
    assert states["account.events"].retention_ms == -1
    assert states["arena.heartbeats"].retention_ms is None
    assert len(states["agent.turns"].end_offsets) == 4


async def test_empty_prefix_hides_other_arenas(bus: KafkaBus, settings: Settings) -> None:
    """Topics of other arenas on the broker have a prefix, and are not shown."""
    states = await describe_topics(settings.override(prefix=settings.prefix + "none."))

    assert states == []
