"""Any record is delivered by every reader with its neighbours, without an exception."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from aiokafka.client import AIOKafkaClient

from arena import topics
from arena.bus import Bus, Record
from arena.bus.base import GroupReader, LogReader
from arena.bus.dead_letters import dead_letter, send_dead_letter
from arena.bus.kafka import KafkaBus
from arena.bus.kafka_access import connection_options
from arena.bus.kafka_batches import batches_of, records_of
from arena.bus.memory import MemoryBus
from arena.errors import Malformed
from arena.messages import OpenAccount
from arena.settings import Settings
from arena.wire import encode
from tests.arena.raw_batches import CODECS, LOG_APPEND_TIME, Raw, produce, raw_batch

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
DEADLINE_S = 20.0
COMMANDS = topics.COMMANDS.name
GOOD = OpenAccount(call_id="c", agent="a", issued_at=NOW)
BODY = encode(GOOD).value
HEADERS = [(name.encode(), value) for name, value in encode(GOOD).headers]
T = [(b"type", b"OpenAccount")]
BIG = b"x" * 900_000

HOSTILE: dict[str, Raw] = {
    "nothing at all": Raw(None, None),
    "everything empty": Raw(b"", b"", [(b"", b"")]),
    "null value": Raw(b"k", None, T),
    "huge value": Raw(b"k", BIG, T),
    "huge key": Raw(BIG, BODY, HEADERS),
    "key is not UTF-8": Raw(b"\xff\xfe\0", b"{}", T),
    "null header value": Raw(b"k", BODY, [(b"type", None)]),
    "null header beside good ones": Raw(b"k", BODY, [*HEADERS, (b"x", None)]),
    "empty header name": Raw(b"k", b"[]", [(b"", b"1"), *T]),
    "header name is not UTF-8": Raw(b"k", BODY, [(b"\xff\xc3type", b"1"), *HEADERS]),
    "only such a name": Raw(None, None, [(b"\xed\xa0\x80", None)]),
    "type is not UTF-8": Raw(b"k", BODY, [(b"type", b"\xff\xfe")]),
    "huge header": Raw(b"k", b"{}", [(b"type", BIG)]),
    "huge header name": Raw(b"k", b"{}", [(BIG, b""), *T]),
    "hundreds of headers": Raw(b"k", b"{}", [(b"n%d" % n, b"v" * 300) for n in range(900)]),
    "repeated header": Raw(b"k", b"{}", [(b"type", b"Nonsense"), *T, (b"type", b"Epoch")]),
    "unknown type": Raw(b"k", BODY, [(b"type", b"Nonsense")]),
    "unknown schema": Raw(b"k", BODY, [*T, (b"schema", b"99")]),
    "schema is not a number": Raw(b"k", BODY, [*T, (b"schema", b"\xffone")]),
    "schema is null": Raw(b"k", BODY, [*T, (b"schema", None)]),
    "deep list": Raw(b"k", b"[" * 100_000, T),
    "deep object": Raw(b"k", b'{"a":' * 100_000, T),
    "deep extra field": Raw(b"k", b'{"z":' + b"[" * 5_000 + b"]" * 5_000 + b"}", T),
    "number without bound": Raw(b"k", b'{"cash":1e400000}', T),
    "many digits": Raw(b"k", b'{"cash":' + b"9" * 10_000 + b"}", T),
    "not a number": Raw(b"k", b'{"cash":NaN,"call_id":Infinity}', T),
    "lone surrogate": Raw(b"k", b'{"agent":"\\ud800","call_id":"\\udfff"}', T),
    "body is not UTF-8": Raw(b"k", b'{"agent":"\xff"}', T),
    "byte order mark": Raw(b"k", b"\xef\xbb\xbf" + BODY, HEADERS),
    "other encoding": Raw(b"k", BODY.decode().encode("utf-16"), HEADERS),
    "repeated key": Raw(b"k", b'{"agent":"a","agent":"b"}', T),
}
"""Fault -> the record that has it."""
READABLE = {"huge key", "null header beside good ones", "header name is not UTF-8"}
"""Faults of records whose message is valid."""
ONLY_KAFKA = {"header name is not UTF-8", "only such a name"}
"""Those that the bus in memory cannot have, because its header names are text."""


class World(NamedTuple):
    """A bus, and what writes raw records to one of its topics."""

    bus: Bus
    client: AIOKafkaClient | None
    prefix: str

    async def put(self, *records: Raw, codec: str = "none") -> None:
        """Append each record."""
        for record in records:
            if self.client is not None:
                await produce(
                    self.client, self.prefix + COMMANDS, 0, raw_batch([record], codec=codec)
                )
            else:
                assert isinstance(self.bus, MemoryBus)
                named = [(name.decode(), value) for name, value in record.headers]
                self.bus.cluster.append(COMMANDS, 0, record.key, record.value, named)


async def raw_client(settings: Settings, topic: str) -> AIOKafkaClient:
    """A client that knows a topic."""
    client = AIOKafkaClient(**connection_options(settings))
    await client.bootstrap()
    await client.set_topics({topic})
    return client


@pytest.fixture(params=["memory", "kafka"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Either bus."""
    if request.param == "memory":
        memory = MemoryBus()
        await memory.start()
        await memory.ensure_topics(topics.fixed_topics())
        yield World(memory, None, "")
        return
    settings: Settings = request.getfixturevalue("settings")
    bus = KafkaBus(settings)
    await bus.start()
    await bus.ensure_topics([topics.COMMANDS, topics.DEAD_LETTERS])
    client = await raw_client(settings, settings.prefix + COMMANDS)
    yield World(bus, client, settings.prefix)
    await client.close()
    await bus.close()


async def read_count(reader: LogReader | GroupReader, count: int) -> list[Record]:
    """Read until `count` records are there, or fail at the deadline."""
    records: list[Record] = []
    async with asyncio.timeout(DEADLINE_S):
        while len(records) < count:
            records += await reader.read(timeout_s=0.2)
    return records


@pytest.mark.parametrize("way", ["log", "group"])
async def test_hostile_record_and_its_neighbours_are_delivered(world: World, way: str) -> None:
    """Each hostile record among good ones is delivered once, and its dead letter can be sent."""
    names = [n for n in HOSTILE if world.client is not None or n not in ONLY_KAFKA]
    good = Raw(b"a", BODY, HEADERS)
    for name in names:
        await world.put(good, HOSTILE[name])
    reader: LogReader | GroupReader
    if way == "log":
        reader = await world.bus.log_reader(COMMANDS)
    else:
        reader = await world.bus.group_reader("g", COMMANDS)
    found = await read_count(reader, 2 * len(names))

    assert list(range(2 * len(names))) == [r.offset for r in found]
    assert all(GOOD == record.message() for record in found[::2])
    for name, record in zip(names, found[1::2], strict=True):
        assert (HOSTILE[name].key, HOSTILE[name].value) == (record.key, record.value), name
        if name in READABLE:
            assert GOOD == record.message(), name
            continue
        with pytest.raises(Malformed) as refused:
            record.message()
        assert len(str(refused.value)) < 500, name
        if way == "log":
            await send_dead_letter(world.bus, record, str(refused.value), "test", NOW)
    await reader.close()


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_and_name_is_decoded(codec: str) -> None:
    """A batch of each codec gives its records once, with and without aiokafka's parser."""
    given = [Raw(b"k%d" % n, b"v" * n, [(b"a", b"%d" % n), (b"b", None)]) for n in range(50)]
    expected = [(n, r.key, r.value, {"a": b"%d" % n, "b": b""}) for n, r in enumerate(given)]
    hostile = [*given[:20], Raw(None, None, [(b"\xff", b"1")]), *given[21:]]
    found = {}
    for name, records in (("plain", given), ("hostile", hostile)):
        data = raw_batch(records, codec=codec)
        found[name] = [r[2:3] + r[4:] for r in decoded(data)]

    assert expected == found["plain"]
    assert (20, None, None, {"\\xff": b"1"}) == found["hostile"].pop(20)
    assert expected[:20] + expected[21:] == found["hostile"]


def decoded(data: bytes, offset: int = 0, *, compacted: bool = False) -> list[Record]:
    """The records of an answer from an offset on."""
    return list(records_of("t", 3, offset, batches_of(data), data, compacted=compacted))


@pytest.mark.parametrize("time_ms", [-1, 0, -(2**62), 2**62])
@pytest.mark.parametrize("flags", [0, LOG_APPEND_TIME])
@pytest.mark.parametrize("name", [b"a", b"\xff"])
def test_every_time_is_given(time_ms: int, flags: int, name: bytes) -> None:
    """A record has the time in the log, for any sender and any value."""
    data = raw_batch([Raw(b"k", b"v", [(name, b"1")])], flags=flags, time_ms=time_ms)

    assert [time_ms] == [r.timestamp_ms for r in decoded(data)]


@pytest.mark.parametrize("name", HOSTILE)
def test_every_dead_letter_can_be_sent(name: str) -> None:
    """Its record is within the limit, and the cut parts are named."""
    raw = HOSTILE[name]
    headers = {k.decode("utf-8", "backslashreplace"): v or b"" for k, v in raw.headers}
    for key, value in ((raw.key, raw.value), (BIG, BIG)):
        record = Record(COMMANDS, 0, 7, -(2**62), key, value, headers)
        letter = dead_letter(record, "\ud800" + "\0" * 50_000, "test", NOW)
        encoded = encode(letter)

        assert len(encoded.value) + 1_000 < topics.RECORD_BYTES_MAX
        assert letter == Record("", 0, 0, 0, None, encoded.value, dict(encoded.headers)).message()
    assert "value cut from 900,000 bytes; key cut from 900,000 bytes" in letter.error


def test_dead_letter_escapes_non_text_bytes() -> None:
    """Bytes of header names and values that are not text are escaped."""
    (record,) = decoded(raw_batch([Raw(None, None, [(b"\xffn", b"a\xfe"), (b"m", None)])]))
    letter = dead_letter(record, "why", "test", NOW)

    assert {"\\xffn": "a\\xfe", "m": ""} == letter.headers
    assert letter.value_base64 is None
