"""Topics that a busy broker is slow to create are waited for."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.protocol.metadata import MetadataRequest_v5

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
    admin = Admin([code, code, TOPIC_EXISTS], [NOT_YET, THERE])

    await busy(monkeypatch, admin).ensure([topics.SNAPSHOTS])

    assert not admin.created


async def test_refused_topic_is_not_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that lasts ends the start at once."""
    admin = Admin([REPLICATION, TOPIC_EXISTS], [NOT_YET, THERE])

    with pytest.raises(BrokerUnavailable, match="did not create topic"):
        await busy(monkeypatch, admin).ensure([topics.SNAPSHOTS])


@pytest.mark.parametrize("own", [True, False])
async def test_own_topic_has_longer_timeout(monkeypatch: pytest.MonkeyPatch, own: bool) -> None:
    """A topic that this process created may take a while to be known; another's takes less."""
    monkeypatch.setattr(kafka_topics, "UNKNOWN_TOPIC_TIMEOUT_S", 0.0)
    found = busy(monkeypatch, Admin([0], [NOT_YET, NOT_YET, NOT_YET, NOT_YET, THERE]))
    if own:
        await found.ensure([topics.SNAPSHOTS])
        assert {NAME: 1} == await found.partitions([NAME])
    else:
        with pytest.raises(BrokerUnavailable, match="no such topic"):
            await found.partitions([NAME])


async def test_existing_topics_are_not_listed_with_all_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A start asks a broker with thousands of topics only about its own, unless one is missing."""
    asked: list[list[str] | None] = []

    class Listening(Admin):
        """Remembers the questions."""

        async def describe_topics(self, names: list[str] | None = None) -> list[dict[str, Any]]:
            """Note the names."""
            asked.append(names)
            return await super().describe_topics(names)

    await busy(monkeypatch, Listening([], [THERE])).ensure([topics.SNAPSHOTS])
    await busy(monkeypatch, Listening([0], [NOT_YET])).ensure([topics.SNAPSHOTS])

    assert [[NAME], [NAME], None] == asked


async def test_lookup_creates_no_topic(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a lookup nor a question for the existing topics creates the topic it names."""
    monkeypatch.setattr(kafka_topics, "UNKNOWN_TOPIC_TIMEOUT_S", 0.0)
    found = KafkaTopics(settings.override(prefix=f"{settings.prefix}none."), "test")
    both = [NAME, topics.TICKERS.name]
    try:
        with pytest.raises(BrokerUnavailable, match="no such topic"):
            await found.partitions([NAME])
        before = await found.existing(both)
        await found.ensure([topics.SNAPSHOTS])
        await found.partitions([NAME])  # A creation is acknowledged before the broker knows it.

        assert (set(), {NAME}) == (before, await found.existing(both))
    finally:
        await found.close()


async def test_questions_forbid_automatic_creation() -> None:
    """A broker that creates topics on demand, as Kafka does by default, creates none for them."""
    sent: list[Any] = []

    async def send(request: Any) -> Any:
        sent.append(request.build(MetadataRequest_v5))
        return SimpleNamespace(to_object=lambda: {"brokers": [], "topics": []})

    admin = kafka_topics._AdminClient()
    admin._send_request = send
    await admin.describe_topics([NAME])
    await admin.describe_cluster()

    assert [False, False] == [request.allow_auto_topic_creation for request in sent]
    assert [[NAME], []] == [request.topics for request in sent]
