"""A raw aiokafka relay: the minimum cost of as many hops over this broker.

No messages, no decoding, no checks: each hop is one process that reads a topic and writes the
next one, with the same client settings as the bus. `arena bench` compares the arena with it.

`python -m operations.bench.kafka_relay SERVERS SOURCE TARGET BYTES` forwards each record of SOURCE
to TARGET, truncated or padded to BYTES, with its first 16 bytes.
"""

import argparse
import asyncio
import time
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from arena.bus.kafka_access import connection_options, stop_client
from arena.settings import Settings


def new_producer(servers: str) -> AIOKafkaProducer:
    """Return a producer with the settings of the bus."""
    return AIOKafkaProducer(
        **_connection(servers), acks="all", enable_idempotence=True, linger_ms=0
    )


async def create_topics(servers: str, names: list[str]) -> None:
    """Create one-partition topics."""
    admin = AIOKafkaAdminClient(**_connection(servers))
    await admin.start()
    await admin.create_topics([NewTopic(name, 1, 1) for name in names])
    await admin.close()


async def time_records(
    servers: str, first: str, last: str, *, size: int, count: int, interval_s: float
) -> list[float]:
    """Send records one at a time and time each until it is read from the last topic.

    Args:
        servers: Bootstrap servers.
        first: Topic the first hop reads.
        last: Topic the last hop writes.
        size: Bytes of a record.
        count: Number of records.
        interval_s: Seconds from one record to the next.

    Returns:
        Milliseconds per record.
    """
    producer = new_producer(servers)
    consumer = AIOKafkaConsumer(**_connection(servers), auto_offset_reset="none")
    await producer.start()
    await consumer.start()
    partition = TopicPartition(last, 0)
    consumer.assign([partition])
    consumer.seek(partition, 0)
    times = []
    try:
        for number in range(count):
            started = time.perf_counter()
            await producer.send(first, b"%016d" % number + b"x" * (size - 16), partition=0)
            while not await consumer.getmany(timeout_ms=1000):
                pass
            elapsed = time.perf_counter() - started
            times.append(elapsed * 1000)
            await asyncio.sleep(max(0.0, interval_s - elapsed))
    finally:
        await stop_client(consumer)
        await stop_client(producer)
    return times


async def relay(servers: str, source: str, target: str, size: int) -> None:
    """Forward records until cancelled."""
    consumer = AIOKafkaConsumer(**_connection(servers), auto_offset_reset="none")
    producer = new_producer(servers)
    await consumer.start()
    await producer.start()
    partition = TopicPartition(source, 0)
    consumer.assign([partition])
    end = await consumer.end_offsets([partition])
    consumer.seek(partition, end[partition])
    padding = b"x" * size
    print("ready", flush=True)
    try:
        while True:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                for record in records:
                    value = record.value[:16] + padding[: max(0, size - 16)]
                    await producer.send(target, value, partition=0)
    finally:
        await stop_client(consumer)
        await stop_client(producer)


# Any: keyword arguments of aiokafka's clients, which are not typed.
def _connection(servers: str) -> dict[str, Any]:
    return connection_options(Settings().override(bootstrap_servers=servers))


def main() -> None:
    """Run one hop."""
    import uvloop

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("servers")
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("size", type=int)
    arguments = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(relay(arguments.servers, arguments.source, arguments.target, arguments.size))


if __name__ == "__main__":
    main()
