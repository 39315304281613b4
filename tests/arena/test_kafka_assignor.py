"""Assignment of partitions: a standby does not take one away from a member."""

import asyncio
import time
from functools import partial
from types import SimpleNamespace

import pytest
from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata

from arena import topics
from arena.bus.base import BROKER_TIME
from arena.bus.kafka import KafkaBus
from arena.bus.kafka_assignor import OldestFirst, oldest_first
from arena.settings import Settings

TOPIC = "t"
CREATE_TIME = 0
BROKER_MS = 1_000_000_000_000
DAY_MS = 86_400_000


class Cluster(ClusterMetadata):  # type: ignore[misc]  # aiokafka is not typed
    """A cluster that has one topic."""

    def __init__(self, count: int) -> None:
        """Take the number of partitions."""
        super().__init__()
        self.count = count

    def partitions_for_topic(self, topic: str) -> set[int]:
        """All of them."""
        return set(range(self.count))


def given(count: int, members: dict[str, bytes | None]) -> dict[str, list[int]]:
    """Which partitions each member gets."""
    metadata = {
        member: ConsumerProtocolMemberMetadata(0, [TOPIC], user_data)
        for member, user_data in members.items()
    }
    found = OldestFirst.assign(Cluster(count), metadata)
    return {m: [p for _, own in a.assignment for p in own] for m, a in found.items()}


@pytest.mark.parametrize(
    ("count", "members", "expected"),
    [
        (1, {"a": b"20", "z": b"10"}, {"a": [], "z": [0]}),
        (1, {"a": b"9", "z": b"10"}, {"a": [0], "z": []}),
        (1, {"a": b"20", "old-version": b""}, {"a": [], "old-version": [0]}),
        (1, {"a": b"20", "none": None}, {"a": [], "none": [0]}),
        (1, {"a": b"20", "odd": b"-1"}, {"a": [], "odd": [0]}),
        (1, {"a": b"20", "huge": b"9" * 5_000}, {"a": [], "huge": [0]}),
        (1, {"b": b"5", "a": b"5"}, {"a": [0], "b": []}),
        (4, {"a": b"20", "z": b"10"}, {"a": [2, 3], "z": [0, 1]}),
        (4, {"a": b"3", "b": b"2", "c": b"1"}, {"a": [3], "b": [2], "c": [0, 1]}),
    ],
)
def test_oldest_members_get_partitions_first(
    count: int, members: dict[str, bytes | None], expected: dict[str, list[int]]
) -> None:
    """Every partition has one member, for any metadata of the members."""
    assert expected == given(count, members)


def test_removed_member_becomes_youngest() -> None:
    """It keeps its age while the group knows it; each consumer of a process has its own."""
    ids = {"old": "", "new": ""}
    times = iter([10, 20, 30])
    old, new = (oldest_first(partial(ids.__getitem__, n), lambda: next(times)) for n in ids)

    assert (b"10", b"20") == (old.metadata([TOPIC]).user_data, new.metadata([TOPIC]).user_data)
    ids |= {"old": "member-1", "new": "member-2"}
    assert (b"10", b"20") == (old.metadata([TOPIC]).user_data, new.metadata([TOPIC]).user_data)
    ids["old"] = ""
    assert (b"30", b"20") == (old.metadata([TOPIC]).user_data, new.metadata([TOPIC]).user_data)


@pytest.mark.parametrize(
    ("kind", "shown_ms"), [(BROKER_TIME, BROKER_MS), (CREATE_TIME, None), (None, None)]
)
async def test_member_age_is_by_broker_clock(kind: int | None, shown_ms: int | None) -> None:
    """If an append was acked with it; a host whose clock is wrong is not the oldest."""
    bus = KafkaBus(Settings())
    consumer = bus._consumer(group="g", reset="earliest")
    if kind is not None:
        sent = asyncio.get_running_loop().create_future()
        sent.set_result(
            SimpleNamespace(partition=0, offset=0, timestamp=BROKER_MS, timestamp_type=kind)
        )
        bus._check(sent, topics.HEARTBEATS.name)
    (assignor,) = consumer._partition_assignment_strategy
    expected_ms = shown_ms or time.time() * 1_000

    assert expected_ms == pytest.approx(int(assignor.metadata([TOPIC]).user_data), abs=DAY_MS)


async def test_standby_takes_no_partition(bus: KafkaBus, settings: Settings) -> None:
    """Even a standby whose id sorts before that of the working member."""
    works, stands_by = KafkaBus(settings, client_id="z"), KafkaBus(settings, client_id="a")
    await works.start()
    await stands_by.start()
    name, seen = topics.COMMANDS.name, [frozenset[tuple[str, int]]()]
    try:
        async with asyncio.timeout(30):
            first = await works.group_reader("g", name, on_change=seen.append)
            while not first.assignment():
                await first.read(timeout_s=0.1)
            seen.clear()
            second = await stands_by.group_reader("g", name)
            # The group is shared out again: the first member is asked to give up what it has.
            while not seen or not (seen[-1] or second.assignment()):
                await first.read(timeout_s=0.1)
                await second.read(timeout_s=0.1)
        assert {(name, 0)} == set(first.assignment())
        assert not second.assignment()
    finally:
        await works.close()
        await stands_by.close()
