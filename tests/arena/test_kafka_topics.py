"""Topics that a busy broker is slow to create are waited for."""

from types import SimpleNamespace
from typing import Any

import pytest

from arena import topics
from arena.bus import kafka_topics
from arena.bus.kafka_topics import TOPIC_EXISTS, KafkaTopics
from arena.errors import BrokerUnavailable
from arena.settings import Settings

NAME = topics.SNAPSHOTS.name
TIMED_OUT, NOT_CONTROLLER, UNKNOWN, REPLICATION = 7, 41, 3, 38
THERE = {"topic": NAME, "error_code": 0, "partitions": [{"replicas": [1]}]}
NOT_YET = {"topic": NAME, "error_code": UNKNOWN, "partitions": []}


class Admin:
    """Answers as a broker does that has little time: what is listed, one answer each."""

    def __init__(self, created: list[int], described: list[dict[str, Any]]) -> None:
        """Take the answers in their order; the last one stays."""
        self.created = created
        self.described = described

    async def create_topics(self, wanted: list[Any]) -> Any:
        """Return one code for each topic."""
        code = self.created.pop(0)
        return SimpleNamespace(topic_errors=[(topic.name, code, "") for topic in wanted])

    async def describe_topics(self, names: list[str] | None = None) -> list[dict[str, Any]]:
        """Return the existing topics."""
        if names is None:
            return []
        return [self.described.pop(0) if len(self.described) > 1 else self.described[0]]

    async def describe_cluster(self) -> dict[str, Any]:
        """One broker."""
        return {"brokers": [{"node_id": 1}]}

    async def close(self) -> None:
        """Nothing."""


def busy(monkeypatch: pytest.MonkeyPatch, admin: Admin) -> KafkaTopics:
    """The topics of a broker that answers like this."""

    async def connected(_: KafkaTopics) -> Admin:
        return admin

    monkeypatch.setattr(KafkaTopics, "_connected", connected)
    monkeypatch.setattr(kafka_topics, "PAUSE_S", 0.0)
    return KafkaTopics(Settings(), "test")


@pytest.mark.parametrize("code", [TIMED_OUT, NOT_CONTROLLER])
async def test_late_topic_is_requested_again(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """A broker that reports a timeout still creates the topic."""
    admin = Admin([code, code, TOPIC_EXISTS], [THERE])

    await busy(monkeypatch, admin).ensure([topics.SNAPSHOTS])

    assert not admin.created


async def test_refused_topic_is_not_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that lasts ends the start at once."""
    admin = Admin([REPLICATION, TOPIC_EXISTS], [THERE])

    with pytest.raises(BrokerUnavailable, match="did not create topic"):
        await busy(monkeypatch, admin).ensure([topics.SNAPSHOTS])


@pytest.mark.parametrize("own", [True, False])
async def test_own_topic_has_longer_timeout(monkeypatch: pytest.MonkeyPatch, own: bool) -> None:
    """A topic that this process created may take a while to be known; another's takes less."""
    monkeypatch.setattr(kafka_topics, "UNKNOWN_TOPIC_TIMEOUT_S", 0.0)
    found = busy(monkeypatch, Admin([0], [NOT_YET, NOT_YET, NOT_YET, THERE]))
    if own:
        await found.ensure([topics.SNAPSHOTS])
        assert {NAME: 1} == await found.partitions([NAME])
    else:
        with pytest.raises(BrokerUnavailable, match="no such topic"):
            await found.partitions([NAME])
