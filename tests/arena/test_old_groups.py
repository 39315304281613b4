"""Offsets of groups with old names are adopted, and no agent has a node's group."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Never

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupAuthorizationFailedError,
    KafkaError,
    KafkaTimeoutError,
    NotCoordinatorError,
)

from arena import topics
from arena.acls import GROUPS
from arena.bus import kafka_old_groups
from arena.bus.kafka import KafkaBus
from arena.bus.kafka_access import connection_options
from arena.bus.kafka_old_groups import adopt_offsets
from arena.errors import BrokerUnavailable, UsageError
from arena.ids import NAME_PATTERN
from arena.prefix import check_prefix
from arena.settings import Settings
from tests.arena.test_hostile_records import DEADLINE_S, read_count
from trading_tools import server, shard_membership

CALLS, SNAPSHOTS = topics.TOOL_CALLS.name, topics.SNAPSHOTS.name
NODE, OLD = server.GROUP, server.OLD_GROUP


async def put(bus: KafkaBus, topic: str, partition: int, count: int) -> None:
    """Append records that differ."""
    for n in range(count):
        value = b"%d of %d" % (n, partition)
        await (await bus.send_bytes(topic, value, key=b"k", partition=partition, headers=()))


async def committed(settings: Settings, group: str) -> dict[int, int]:
    """What a group has committed of the tool calls."""
    consumer = AIOKafkaConsumer(**connection_options(settings), group_id=settings.prefix + group)
    await consumer.start()
    try:
        parts = [TopicPartition(settings.prefix + CALLS, p) for p in range(4)]
        found = {tp.partition: await consumer.committed(tp) for tp in parts}
    finally:
        await consumer.stop()
    return {partition: offset for partition, offset in found.items() if offset is not None}


@pytest.mark.parametrize(
    "group", [*(g for gs in GROUPS.values() for g in gs), shard_membership.GROUP, NODE]
)
def test_no_agent_has_the_group_of_a_node(group: str) -> None:
    """No agent name and no prefix of another arena gives a node's group."""
    name = group + "rules" if group.endswith(".") else group

    assert not NAME_PATTERN.fullmatch(name)
    with pytest.raises(UsageError):
        check_prefix(name.rstrip("rules"))


async def test_offsets_of_the_old_group_are_continued(
    bus: KafkaBus, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """The first start handles no record twice, skips none, and adopts the commit marks."""
    await put(bus, CALLS, 0, 4)
    await put(bus, CALLS, 1, 3)
    before = await bus.group_reader(OLD, CALLS)
    await read_count(before, 7)
    await before.commit({(CALLS, 0): 3, (CALLS, 1): 3})
    await before.close()
    after = await bus.group_reader(NODE, CALLS, old_group=OLD)
    found = await read_count(after, 1)
    await put(bus, CALLS, 2, 1)
    found += await read_count(after, 1)

    assert [(0, 3), (2, 0)] == [(record.partition, record.offset) for record in found]
    assert {(CALLS, 0): 3, (CALLS, 1): 3} == after.resumed
    assert f"{NODE} continues at the offsets of group" in caplog.text
    await after.commit({(CALLS, 0): 4})
    await after.close()
    again = await bus.group_reader(NODE, CALLS, old_group=OLD)
    assert {0: 4, 1: 3} == await committed(settings, NODE)
    await again.close()


async def test_old_group_waits_for_processes_but_not_agents(
    bus: KafkaBus, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """While an older tool server works, the new one waits; an agent with its name continues."""
    name = settings.prefix + OLD
    there = {settings.prefix + CALLS: 4}
    await put(bus, CALLS, 0, 2)
    older = await bus.group_reader(OLD, CALLS)
    await read_count(older, 2)
    with caplog.at_level(logging.WARNING):
        waits = asyncio.create_task(adopt_offsets(settings, name, settings.prefix + NODE, there))
        async with asyncio.timeout(DEADLINE_S):
            while "waiting for processes of an older version" not in caplog.text:
                await asyncio.sleep(0.01)
    assert not waits.done()
    await older.commit({(CALLS, 0): 1})
    await older.close()
    agent = await bus.group_reader(OLD, SNAPSHOTS)
    taken = await asyncio.wait_for(waits, DEADLINE_S)
    node = await bus.group_reader(NODE, CALLS, old_group=OLD)
    await put(bus, SNAPSHOTS, 0, 1)

    assert [1] == [offset for offset, _ in taken.values()]
    assert [b"1 of 0"] == [record.value for record in await read_count(node, 1)]
    assert [b"0 of 0"] == [record.value for record in await read_count(agent, 1)]
    await agent.close()
    await node.close()


class FailingBrokers:
    """Brokers that answer every question about a group with an error; a clock beside them.

    Args:
        error: What they answer with.
        passes_after_s: Until then; afterwards this login may not read the group.
    """

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, error: type[KafkaError], passes_after_s: float
    ) -> None:
        """Stand in for the brokers and the time of `adopt_offsets`."""
        self.now_s = 0.0
        self.error = error
        self.passes_after_s = passes_after_s
        monkeypatch.setattr(kafka_old_groups, "admin_client", self.connect)
        monkeypatch.setattr(kafka_old_groups, "time", SimpleNamespace(monotonic=self.monotonic))
        monkeypatch.setattr(kafka_old_groups, "LOOK_AGAIN_S", 0)

    def monotonic(self) -> float:
        """Two seconds pass between two checks."""
        self.now_s += 2
        return self.now_s

    @asynccontextmanager
    async def connect(self, _: Settings) -> AsyncIterator["FailingBrokers"]:
        """An admin client."""
        yield self

    async def describe_consumer_groups(self, _: list[str]) -> Never:
        """The first question that is asked."""
        if self.now_s > self.passes_after_s:
            raise GroupAuthorizationFailedError("old")
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        CoordinatorNotAvailableError,
        NotCoordinatorError,
        CoordinatorLoadInProgressError,
        KafkaTimeoutError,
    ],
)
async def test_missing_coordinator_is_retried_until_limit(
    error: type[KafkaError], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy machine needs time for its first coordinator; a missing one is an error in the end."""
    FailingBrokers(monkeypatch, error, passes_after_s=55)
    assert await adopt_offsets(Settings(), "old", "new", {"t": 1}) == {}

    brokers = FailingBrokers(monkeypatch, error, passes_after_s=1e9)
    with pytest.raises(BrokerUnavailable, match="no answer about the group old for 60 s"):
        await adopt_offsets(Settings(), "old", "new", {"t": 1})
    assert 60 < brokers.now_s < 70


async def test_unauthorized_old_group_logs_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The offsets are not adopted then, which is logged once, with the remedy."""
    FailingBrokers(monkeypatch, KafkaTimeoutError, passes_after_s=0)

    assert await adopt_offsets(Settings(), "old", "new", {"t": 1}) == {}
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "may not read group old" in record.getMessage()
    assert "`arena topics acl --apply`" in record.getMessage()
