"""The Kafka clients of the bus do not ask for a topic that is gone as fast as they can."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import client
from aiokafka.cluster import ClusterMetadata

from arena.bus import kafka_access

TIMES = 4


@pytest.mark.parametrize(
    ("leaders", "answered", "pauses"),
    [
        ({"llm.calls": [1, 2]}, True, 0),
        ({}, True, TIMES),
        ({"llm.calls": [1, -1]}, True, TIMES),
        ({"llm.calls": [1, 2]}, False, TIMES),
    ],
    ids=["led", "missing", "without a leader", "no answer"],
)
async def test_missing_topic_is_requested_with_pauses(
    leaders: dict[str, list[int]],
    answered: bool,
    pauses: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each answer without the topic, or without a leader of it, is followed by a pause."""

    async def update(*_: Any) -> bool:
        return answered

    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(kafka_access, "_update", update)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    cluster = ClusterMetadata()
    cluster._partitions = {
        topic: {p: SimpleNamespace(leader=leader) for p, leader in enumerate(of)}
        for topic, of in leaders.items()
    }
    for _ in range(TIMES):
        assert answered is await client.AIOKafkaClient._metadata_update(
            object(), cluster, {"llm.calls"}
        )

    assert [kafka_access.MISSING_PAUSE_S] * pauses == slept
