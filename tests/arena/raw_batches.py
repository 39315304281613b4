"""Record batches byte by byte: what a broker takes and no client of the arena would write."""

import asyncio
import gzip
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.codec import lz4_encode, snappy_encode, zstd_encode
from aiokafka.errors import for_code
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.util import calc_crc32c

CODECS: dict[str, tuple[int, Callable[[bytes], bytes]]] = {
    "none": (0, bytes),
    "gzip": (1, gzip.compress),
    "snappy": (2, snappy_encode),
    "snappy_raw": (2, lambda body: snappy_encode(body, xerial_compatible=False)),
    "lz4": (3, lz4_encode),
    "zstd": (4, zstd_encode),
}
CONTROL = 0x20
TRANSACTIONAL = 0x10
LOG_APPEND_TIME = 0x08
NOT_LEADER = 6
TRIES_MAX = 100
PAUSE_S = 0.1
NOON = 1_763_717_400_000


class Raw(NamedTuple):
    """A record: header names are bytes, and every value may be null."""

    key: bytes | None = None
    value: bytes | None = b"{}"
    headers: Sequence[tuple[bytes, bytes | None]] = ()


def varint(number: int) -> bytes:
    """A zigzag varint."""
    left = (number << 1) ^ (number >> 63)
    out = bytearray()
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    out.append(left)
    return bytes(out)


def sized(value: bytes | None) -> bytes:
    """A length and as many bytes; -1 for null."""
    return varint(-1) if value is None else varint(len(value)) + value


def raw_record(record: Raw, delta: int) -> bytes:
    """One record of format 2."""
    body = b"\0" + varint(0) + varint(delta) + sized(record.key) + sized(record.value)
    body += varint(len(record.headers))
    body += b"".join(sized(name) + sized(value) for name, value in record.headers)
    return varint(len(body)) + body


def raw_batch(
    records: Iterable[Raw],
    *,
    base: int = 0,
    codec: str = "none",
    flags: int = 0,
    time_ms: int = NOON,
    deltas: Sequence[int] | None = None,
    last_delta: int | None = None,
) -> bytes:
    """A batch as it travels.

    Args:
        records: The records in it.
        base: Its first offset.
        codec: One of `CODECS`.
        flags: Further attributes.
        time_ms: The time of every record.
        deltas: The records' offsets after the base; 0, 1, ... if not given.
        last_delta: The batch's last offset after the base; the last record's if not given.
    """
    given = list(records)
    offsets = list(deltas if deltas is not None else range(len(given)))
    number, compress = CODECS[codec]
    body = compress(b"".join(map(raw_record, given, offsets)))
    last = last_delta if last_delta is not None else (offsets[-1] if offsets else 0)
    return sealed(body, len(given), base=base, flags=number | flags, time_ms=time_ms, last=last)


def sealed(
    body: bytes,
    count: int,
    *,
    base: int = 0,
    flags: int = 0,
    time_ms: int = NOON,
    last: int | None = None,
) -> bytes:
    """A batch with a correct checksum and any body.

    Args:
        body: `count` records, compressed as `flags` state.
        count: The count in the head.
        base: Its first offset.
        flags: All attributes.
        time_ms: The time of every record.
        last: The batch's last offset after the base; `count` - 1 if not given.
    """
    end = count - 1 if last is None else last
    checked = struct.pack(">hiqqqhii", flags, end, time_ms, time_ms, -1, -1, -1, count) + body
    rest = struct.pack(">ibI", -1, 2, calc_crc32c(checked)) + checked
    return struct.pack(">qi", base, len(rest)) + rest


async def produce(client: AIOKafkaClient, topic: str, partition: int, batch: bytes) -> None:
    """Append a batch; `client` has the metadata of the topic, which is given by its full name."""
    request = ProduceRequest(
        transactional_id=None,
        required_acks=-1,
        timeout=10_000,
        topics=[(topic, [(partition, batch)])],
    )
    code = NOT_LEADER
    for _ in range(TRIES_MAX):  # A topic that was just created may have no leader yet.
        node = client.cluster.leader_for_partition(TopicPartition(topic, partition))
        if node is not None and node >= 0:
            answer = await client.send(node, request)
            code = answer.topics[0][1][0][1]
        if code != NOT_LEADER:
            break
        await asyncio.sleep(PAUSE_S)
        await client.force_metadata_update()
    assert code == 0, for_code(code)
