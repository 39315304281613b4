"""A secure broker for the tests of a module, and attempts of each principal on it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from arena import topics
from arena.acls import rules_for
from arena.bus.kafka import KafkaBus
from arena.bus.kafka_access import connection_options
from arena.credentials import ADMIN, credentials_for
from arena.settings import KafkaAccess, Settings
from operations.kafka_acls import apply_rules
from operations.localbroker.home_broker import open_home_broker
from operations.localbroker.security import Tls

PREFIX = "guarded."
MEMBER = "someone"
"""The member of each topic family that the tests use: a node, and an agent."""
ANSWER_TIMEOUT_S = 20.0
REFUSED = {29: "topic", 30: "group", 31: "cluster"}
"""Kafka's error codes for "not authorized", by what was asked for."""


class Secure:
    """A secure broker and its credentials."""

    def __init__(self, home: Path, bootstrap: str) -> None:
        self.home = home
        self.bootstrap = bootstrap

    def settings(self, principal: str, prefix: str = PREFIX) -> Settings:
        """The settings of a process with this principal."""
        return Settings(
            bootstrap_servers=self.bootstrap,
            prefix=prefix,
            home=self.home,
            access=KafkaAccess.of(credentials_for(self.home, principal)),
        )

    def passwords(self) -> dict[str, str]:
        """The passwords of all accounts."""
        files = (self.home / "secure").glob("*.env")
        return {f.stem: credentials_for(self.home, f.stem)["KAFKA_SASL_PASSWORD"] for f in files}


@contextmanager
def secure_broker(home: Path, tls: Tls | None = None) -> Iterator[Secure]:
    """A secure broker with an arena's topics and access rules, and one record in each topic."""
    with open_home_broker(home, secure=True, port=0, tls=tls) as broker:
        found = Secure(home, broker.start().bootstrap)
        asyncio.run(create_topics_and_rules(found.settings(ADMIN)))
        yield found


async def create_topics_and_rules(settings: Settings) -> None:
    """Create the topics of an arena, with a record in each, and apply its access rules."""
    bus = KafkaBus(settings)
    await bus.start()
    try:
        await bus.ensure_topics(all_topics())
        for spec in all_topics():
            await (await bus.send_bytes(spec.name, b"{}", key=b"k", partition=0, headers=()))
    finally:
        await bus.close()
    await apply_rules(settings, rules_for(settings.prefix))


def all_topics() -> list[topics.TopicSpec]:
    """Every topic of the table, with one member of each family."""
    return [spec.member(MEMBER) if spec.is_family else spec for spec in topics.TOPICS]


async def try_write(settings: Settings, topic: str) -> str:
    """Write a record: "ok", or what was refused."""
    async with _client(AIOKafkaProducer(**connection_options(settings), acks="all")) as producer:
        return await _outcome(
            producer.send_and_wait(settings.prefix + topic, b"{}", key=b"k", partition=0)
        )


async def try_read(settings: Settings, topic: str) -> str:
    """Read the first record: "ok", or what was refused."""
    consumer = AIOKafkaConsumer(**connection_options(settings), auto_offset_reset="none")
    async with _client(consumer):
        partition = TopicPartition(settings.prefix + topic, 0)
        consumer.assign([partition])
        consumer.seek(partition, 0)
        return await _outcome(consumer.getone())


async def try_group(settings: Settings, group: str, topic: str) -> str:
    """Join a consumer group and read a record: "ok", or what was refused."""
    consumer = AIOKafkaConsumer(
        settings.prefix + topic,
        **connection_options(settings),
        group_id=settings.prefix + group,
        auto_offset_reset="earliest",
    )
    try:
        return await _outcome(_join(consumer))
    finally:
        await consumer.stop()


async def _join(consumer: AIOKafkaConsumer) -> None:
    await consumer.start()
    await consumer.getone()


async def _outcome(attempt: Awaitable[object]) -> str:
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await attempt
    except KafkaError as error:
        if getattr(error, "errno", None) not in REFUSED:
            raise
        return f"{REFUSED[error.errno]} refused"
    return "ok"


@asynccontextmanager
async def _client(
    client: AIOKafkaProducer | AIOKafkaConsumer,
) -> AsyncIterator[AIOKafkaProducer | AIOKafkaConsumer]:
    await client.start()
    try:
        yield client
    finally:
        await client.stop()
