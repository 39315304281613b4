r"""Decodes record batches, including those that aiokafka cannot read or would lose.

A broker checks the frame of a record and little else: the name of a header may be any bytes, and
its value may be null. aiokafka's parser raises an error for such a name, and its consumer then
loses the records before it. So such batches are decoded here, the same way for every reader:

* Bytes of a header's name that are not UTF-8 become escapes such as `\xff`: the name can be printed
  and exported, and does not equal any name of the arena.
* A null header value becomes an empty one; of a repeated name, the last value counts.
* If a batch with a correct checksum cannot be decoded, or unpacks to too much (`kafka_codecs.py`),
  the rest of it becomes one record at the batch's last offset, without key and value, whose type
  has the reason. So each process treats it like any unreadable record.

The format: https://kafka.apache.org/43/implementation/message-format
"""

import struct
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from aiokafka.errors import CorruptRecordException
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint

from arena.bus.base import Record, plain_headers
from arena.bus.kafka_codecs import gzip_within, lz4_within, snappy_within, zstd_within
from arena.errors import BrokenLog, Malformed
from arena.topics import CONTROL

HEAD = struct.Struct(">qiibIhiqqqhii")
"""Base offset, length, leader epoch, magic, checksum, attributes, last offset delta, first and
newest timestamp, producer, its epoch, first sequence, number of records."""
LENGTH = struct.Struct(">i")
LENGTH_AT = 8
FRAME_BYTES = 12
"""Bytes of base offset and length, which the length does not include."""
CODEC_MASK = 0x07
LOG_APPEND_TIME = 0x08
DECODERS = {1: gzip_within, 2: snappy_within, 3: lz4_within, 4: zstd_within}
DAMAGED = "the broker's disk or the network changed it; compare it with an export"
WHY_CHARS_MAX = 60
HALT_ALL = b"all"
"""Key of an unreadable batch of `arena.control`, whose content is unknown: it halts all agents."""

_new_record = tuple.__new__
"""Creates a `Record` without a call into Python, because one is created for every record."""


class RawRecord(NamedTuple):
    """A record with the same fields as aiokafka's records."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    checksum: None = None


def split(data: bytes) -> Iterator[memoryview]:
    """The complete batches in an answer, each with its frame; a partial last one is dropped."""
    view, at = memoryview(data), 0
    while at + FRAME_BYTES <= len(data):
        end = at + FRAME_BYTES + LENGTH.unpack_from(data, at + LENGTH_AT)[0]
        if end > len(data) or end <= at + FRAME_BYTES:
            return
        yield view[at:end]
        at = end


def decode_batch(data: memoryview) -> Iterator[RawRecord]:
    """The records of one batch of format 2, with any header names.

    Args:
        data: The batch with its frame; its checksum was checked.

    Raises:
        Exception: The batch cannot be unpacked, or its records are malformed.
    """
    base, _, _, _, _, attributes, _, first_ms, newest_ms, _, _, _, count = HEAD.unpack_from(data)
    decoder = DECODERS.get(attributes & CODEC_MASK)
    body = bytes(data[HEAD.size :])
    buffer = bytearray(decoder(body) if decoder else body)
    appended = bool(attributes & LOG_APPEND_TIME)
    at = 0
    for _ in range(count):
        _, at = decode_varint(buffer, at)
        delta_ms, at = decode_varint(buffer, at + 1)
        delta, at = decode_varint(buffer, at)
        key, at = _nullable(buffer, at)
        value, at = _nullable(buffer, at)
        headers, at = _headers(buffer, at)
        stamp = newest_ms if appended else first_ms + delta_ms
        yield RawRecord(base + delta, stamp, int(appended), key, value, headers)


def _headers(buffer: bytearray, at: int) -> tuple[list[tuple[str, bytes | None]], int]:
    headers = []
    count, at = decode_varint(buffer, at)
    for _ in range(count):
        name, at = _nullable(buffer, at)
        value, at = _nullable(buffer, at)
        headers.append(((name or b"").decode("utf-8", "backslashreplace"), value))
    return headers, at


def _nullable(buffer: bytearray, at: int) -> tuple[bytes | None, int]:
    size, at = decode_varint(buffer, at)
    if size < 0:
        return None, at
    if at + size > len(buffer):
        raise Malformed("has a record that does not fit it")
    return bytes(buffer[at : at + size]), at + size


# Any: aiokafka's batches and records are untyped.
class Batch:
    """Wraps an aiokafka batch so that its records are decoded with any header names."""

    def __init__(self, batch: Any, data: memoryview) -> None:
        """Take the batch and its bytes."""
        self._batch = batch
        self._data = data
        self.next_offset: int = batch.next_offset
        self.producer_id: int | None = batch.producer_id
        self.is_control_batch: bool = batch.is_control_batch
        self.is_transactional: bool = batch.is_transactional

    def validate_crc(self) -> bool:
        """True if the checksum is correct."""
        return bool(self._batch.validate_crc())

    def __iter__(self) -> Iterator[Any]:
        """The records, oldest first."""
        base: int = HEAD.unpack_from(self._data)[0]
        at, wanted, rows = base, base, self._batch
        while True:
            try:
                for record in rows:
                    if record.offset != at:
                        check_order(record.offset, at, self._data)
                    at = record.offset + 1
                    if at > wanted:
                        yield record
            except UnicodeDecodeError:
                at, wanted, rows = base, at, decode_batch(self._data)
                continue
            except Exception as error:  # Any error of a malformed batch: see `unreadable`.
                yield unreadable("", max(at, wanted), self.next_offset, error)
            return


def check_order(offset: int, expected: int, data: memoryview | None) -> None:
    """Distinguish gaps in a batch that compaction left from wrong offsets of a sender.

    A broker accepts an uncompressed batch with any offsets, if the number of its records matches
    the number of its offsets.

    Args:
        offset: Offset of a record.
        expected: The offset after the record before, or the batch's first offset.
        data: The batch with its frame, if it is available.

    Raises:
        Malformed: The offset is wrong.
    """
    if data is not None:
        base, *_, newest, _, _, _, _, _, count = HEAD.unpack_from(data)
        if expected < offset <= base + newest and count <= newest:
            return
    elif offset > expected:
        return
    raise Malformed(f"has offset {offset} where {expected} belongs")


def unreadable(topic: str, begin: int, end: int, error: Exception) -> RawRecord:
    """The record that replaces the unreadable part of a batch.

    Args:
        topic: Name without prefix; "" if unknown.
        begin: The first offset that cannot be read.
        end: The offset after the batch.
        error: Why it cannot be read.
    """
    last = max(begin, end - 1)
    why = str(error) if isinstance(error, Malformed) else f"cannot be decoded, {error!r}"
    kind = f"unreadable batch, offsets {begin} to {last}: {why[:WHY_CHARS_MAX]}"
    key = HALT_ALL if topic == CONTROL.name else None
    return RawRecord(last, -1, 0, key, None, [("type", kind.encode("utf-8", "replace"))])


class Batches:
    """Replaces aiokafka's `MemoryRecords` in its consumer."""

    def __init__(self, data: bytes) -> None:
        """Take the batches of one answer."""
        self._records = MemoryRecords(data)
        self._parts = split(data)

    def size_in_bytes(self) -> int:
        """Size of the answer."""
        return int(self._records.size_in_bytes())

    def has_next(self) -> bool:
        """True if another complete batch is left."""
        return bool(self._records.has_next())

    def next_batch(self) -> Batch:
        """The next batch."""
        return Batch(self._records.next_batch(), next(self._parts))


# Any: aiokafka's batches are untyped.
def batches_of(data: bytes) -> list[Any]:
    """The complete batches of an answer, parsed by aiokafka.

    Raises:
        BrokenLog: The frame of a batch is damaged.
    """
    batches = []
    try:
        fetched = MemoryRecords(data)
        while fetched.has_next():
            batches.append(fetched.next_batch())
    except CorruptRecordException as error:
        raise BrokenLog(f"the frame of a batch is damaged: {error}", remedy=DAMAGED) from None
    return batches


def records_of(
    topic: str,
    partition: int,
    first_offset: int,
    batches: list[Any],
    data: bytes = b"",
    *,
    compacted: bool = False,
) -> Iterator[Record]:
    """Decode batches one by one, lazily.

    Transaction markers and empty batches take offsets without a record.

    Args:
        topic: Name without prefix.
        partition: Number of the partition.
        first_offset: The first offset to yield.
        batches: aiokafka's batches, in order.
        data: Their bytes, for batches that aiokafka cannot decode.
        compacted: True if offsets may be missing.

    Raises:
        BrokenLog: A record is missing, or a batch fails its checksum.
    """
    expected = first_offset
    for number, batch in enumerate(batches):
        base = getattr(batch, "base_offset", expected)  # Batches of old formats have none.
        if not batch.validate_crc():
            what = f"{topic}[{partition}]: the batch at offset {base} fails its checksum"
            raise BrokenLog(what, remedy=DAMAGED)
        if base > expected and not compacted:
            raise missing(topic, partition, expected, base)
        if batch.is_control_batch:
            expected = max(expected, batch.next_offset)
            continue
        rows, raw, at = batch, None, getattr(batch, "base_offset", None)
        while rows is not None:
            try:
                for raw in rows:
                    offset = raw.offset
                    if offset != at and at is not None:
                        check_order(offset, at, part_of(data, number))
                        if not compacted:
                            raise missing(topic, partition, at, offset)
                    at = offset + 1
                    if offset < expected:
                        continue
                    expected = at
                    headers = dict(raw.headers)
                    if None in headers.values():
                        headers = plain_headers(raw.headers)
                    row = (topic, partition, offset, raw.timestamp, raw.key, raw.value, headers)
                    yield _new_record(Record, row)
                rows = None
            except UnicodeDecodeError:
                rows, at = decode_batch(list(split(data))[number]), base
            except BrokenLog:
                raise
            except Exception as error:  # Any error of a malformed batch: see `unreadable`.
                rows = None
                if expected < batch.next_offset:
                    raw = unreadable(topic, expected, batch.next_offset, error)
                    expected = batch.next_offset
                    yield Record(
                        topic, partition, *raw[:2], raw.key, None, plain_headers(raw.headers)
                    )
        if expected < batch.next_offset:
            if raw is not None and not compacted:
                raise missing(topic, partition, expected, batch.next_offset)
            expected = batch.next_offset


def part_of(data: bytes, number: int) -> memoryview | None:
    """A batch of an answer with its frame, or None without the answer."""
    return next(islice(split(data), number, None), None)


def missing(topic: str, partition: int, expected: int, read: int) -> BrokenLog:
    """The error of a log in which a record is missing."""
    return BrokenLog(
        f"{topic}[{partition}]: expected offset {expected}, read {read}",
        remedy="the log lost records; compare it with an export",
    )


def newest_record(topic: str, partition: int, data: bytes) -> Record | None:
    """The last record of an answer, or None if it has markers only."""
    for batch, part in zip(reversed(batches_of(data)), reversed(list(split(data))), strict=True):
        records = records_of(topic, partition, 0, [batch], bytes(part), compacted=True)
        if found := deque(records, maxlen=1):  # A batch may hold millions.
            return found[0]
    return None
