"""Reads the topics of an arena with its own client and checks them; prints one JSON document.

    python -m operations.storm.checker_run --prefix storm. --oracle acked.jsonl [--halts FILE]

Address and login come from the environment (`KAFKA_BOOTSTRAP_SERVERS`, `KAFKA_SASL_...`). Exit code
1 if anything is wrong, 3 if a topic cannot be read to its end.
"""

import argparse
import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from operations.storm.checker import check_records
from operations.storm.checker_records import (
    SHOWN_MAX,
    AckedCommand,
    ExecutorSettings,
    TopicRecord,
    TopicRecords,
)

DEFAULT_TERMS = ExecutorSettings(
    cash=Decimal(100_000),
    fee_bps=Decimal(60),
    slippage_bps=Decimal(2),
    price_age_ms=30_000,
    collar_bps=Decimal(200),
)
"""The executor's defaults, written here a second time."""
STALLED_S = 20.0
ASK_TIMEOUT_MS = 10_000
FETCH_MS = 500
RECORDS_MAX = 5_000
INBOX = "agent.inbox."
PARTITION = 0


class CannotRead(Exception):
    """A topic could not be read to its end."""


def client_options(environ: dict[str, str]) -> dict[str, Any]:  # Any: what aiokafka takes
    """Return address and login for aiokafka, from a process's environment."""
    found: dict[str, Any] = {"bootstrap_servers": environ["KAFKA_BOOTSTRAP_SERVERS"]}
    if user := environ.get("KAFKA_SASL_USERNAME"):
        found |= {
            "security_protocol": environ["KAFKA_SECURITY_PROTOCOL"],
            "sasl_mechanism": environ.get("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512"),
            "sasl_plain_username": user,
            "sasl_plain_password": environ["KAFKA_SASL_PASSWORD"],
        }
    return found


async def partitions_of(
    options: dict[str, Any], wanted: Callable[[str], bool]
) -> dict[str, list[int]]:
    """Return topic -> its partitions, for the wanted topics."""
    admin = AIOKafkaAdminClient(**options, request_timeout_ms=ASK_TIMEOUT_MS)
    try:
        await admin.start()
        names = [name for name in await admin.list_topics() if wanted(name)]
        found = await admin.describe_topics(names) if names else []
    finally:
        await admin.close()
    return {
        topic["topic"]: sorted(one["partition"] for one in topic["partitions"]) for topic in found
    }


async def read_all(
    consumer: AIOKafkaConsumer, topic: str, partitions: list[int]
) -> list[TopicRecord]:
    """Read every record of a topic up to its current end, in offset order per partition.

    Raises:
        CannotRead: No record came for `STALLED_S` before the end of the topic.
    """
    if not partitions:
        raise CannotRead(f"{topic} does not exist")
    assigned = [TopicPartition(topic, partition) for partition in partitions]
    consumer.assign(assigned)
    ends = await consumer.end_offsets(assigned)
    for partition, begin in (await consumer.beginning_offsets(assigned)).items():
        consumer.seek(partition, begin)
    found: list[TopicRecord] = []
    moved_at = time.monotonic()
    positions = [-1]
    while any([await consumer.position(one) < ends[one] for one in assigned]):
        batches = await consumer.getmany(timeout_ms=FETCH_MS, max_records=RECORDS_MAX)
        for records in batches.values():
            found += [
                TopicRecord(
                    r.partition,
                    r.offset,
                    _kind(r.headers),
                    r.value or b"",
                    r.key or b"",
                    r.timestamp,
                )
                for r in records
            ]
        now_at = [await consumer.position(one) for one in assigned]
        if batches or now_at != positions:
            moved_at, positions = time.monotonic(), now_at
        elif time.monotonic() - moved_at > STALLED_S:
            raise CannotRead(f"{topic}: at {now_at}, ends at {list(ends.values())}")
    return [raw for raw in found if raw.offset < ends[TopicPartition(topic, raw.partition)]]


def _kind(headers: tuple[tuple[str, bytes | None], ...]) -> str:
    """Return the newest `type` header; a record may have any bytes there."""
    kinds = [value for name, value in headers if name == "type"]
    return (kinds[-1] or b"").decode("utf-8", "replace") if kinds else ""


async def read_topics(options: dict[str, Any], prefix: str) -> TopicRecords:
    """Read the records of one shard and of related topics."""
    consumer = AIOKafkaConsumer(
        **options,
        enable_auto_commit=False,
        auto_offset_reset="none",
        max_partition_fetch_bytes=8 << 20,
    )
    partitions = await partitions_of(options, lambda name: name.startswith(prefix))

    async def read(name: str) -> list[TopicRecord]:
        return await read_all(consumer, prefix + name, partitions.get(prefix + name, []))

    await consumer.start()
    try:
        names = [name[len(prefix) :] for name in sorted(partitions)]
        inboxes = [name for name in names if name.startswith(INBOX)]
        commands, events = await read("account.commands"), await read("account.events")
        if any(raw.partition != PARTITION for raw in (*commands, *events)):
            raise CannotRead("the account topics have more than one shard")
        return TopicRecords(
            commands=commands,
            events=events,
            tickers=await read("market.tickers"),
            inboxes={name[len(INBOX) :]: await read(name) for name in inboxes},
            dead_letters=await read("dead_letters"),
            control=await read("arena.control"),
        )
    finally:
        await consumer.stop()


def read_oracle(path: Path) -> Iterator[AckedCommand]:
    """Read the acked commands: a JSON array [offset, sha256, order id] per line."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            offset, digest, order_id = json.loads(line)
            yield AckedCommand(offset, digest, order_id)


def read_halts(path: Path | None) -> list[tuple[int, int]]:
    """Read the halted ranges: a JSON array [first offset, end offset] per line."""
    if path is None:
        return []
    with path.open(encoding="utf-8") as lines:
        return [(begin, end) for begin, end in map(json.loads, lines)]


def main() -> int:
    """Read the topics, check them, print the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prefix", default="")
    parser.add_argument("--oracle", type=Path, required=True)
    parser.add_argument("--halts", type=Path, default=None)
    arguments = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        topics = asyncio.run(read_topics(client_options(dict(os.environ)), arguments.prefix))
    except CannotRead as error:
        print(f"checker: {error}", file=sys.stderr)
        return 3
    acked, halted = read_oracle(arguments.oracle), read_halts(arguments.halts)
    findings = check_records(topics, DEFAULT_TERMS, acked, halted, all_answered=False)
    document = {
        "counts": dict(findings.counts),
        "wrong_count": len(findings.wrong),
        "wrong": findings.wrong[:SHOWN_MAX],
    }
    print(json.dumps(document))
    return 1 if findings.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
