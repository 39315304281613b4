"""A batch that unpacks to too much, or to nothing readable, harms no reader and hides nothing."""

import random
import struct
import tracemalloc

import pytest
from aiokafka import TopicPartition
from aiokafka.codec import zstd_encode
from aiokafka.consumer.fetcher import PartitionRecords

from arena import topics
from arena.accounts import Shard
from arena.bus import Record
from arena.bus.kafka import KafkaBus
from arena.bus.kafka_batches import Batches, batches_of, newest_record, records_of
from arena.bus.kafka_codecs import UNPACKED_BYTES_MAX
from arena.errors import BrokenLog, Malformed
from arena.kill_switch import KillSwitch
from arena.settings import Settings
from arena.wire import decode
from tests.arena.raw_batches import CODECS, Raw, produce, raw_batch, sealed
from tests.arena.test_hostile_records import HEADERS, decoded, raw_client, read_count

COMMANDS = topics.COMMANDS.name
BOMB = Raw(b"k", bytes(UNPACKED_BYTES_MAX + 1))
TAKEN = ["gzip", "lz4", "zstd"]
"""Codecs that pack so well that a broker takes a batch above the bound."""
XERIAL = b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1)


@pytest.fixture(scope="module", params=["gzip", "snappy", "snappy_raw", "lz4", "zstd"])
def bomb(request: pytest.FixtureRequest) -> bytes:
    """Three records of which the second is above the bound, in a batch of each codec."""
    return raw_batch([Raw(b"a", b"1"), BOMB, Raw(b"b", b"2")], base=1, codec=request.param)


def in_group(data: bytes, offset: int = 0) -> list[Record]:
    """The records of an answer as a member of a group gets them."""
    rows = PartitionRecords(
        TopicPartition("t", 3), Batches(data), [], offset, None, None, True, "read_uncommitted"
    )
    return [Record("t", 3, r.offset, r.timestamp, r.key, r.value, dict(r.headers)) for r in rows]


def test_batch_above_limit_is_one_unreadable_record(bomb: bytes) -> None:
    """It is delivered once, at its last offset, with its offsets as text, among the good ones."""
    good = raw_batch([Raw(b"g", b"good")])
    data = good + bomb + raw_batch([Raw(b"g", b"good")], base=4)
    for found in (decoded(data), in_group(data)):
        assert [(0, b"good"), (3, None), (4, b"good")] == [(r.offset, r.value) for r in found]
        with pytest.raises(Malformed, match=r"offsets 1 to 3.* more than 64 MB"):
            found[1].message()


def test_memory_stays_within_the_bound(bomb: bytes) -> None:
    """Reading such a batch takes little more memory than the bound."""
    tracemalloc.start()
    try:
        assert [3] == [r.offset for r in decoded(bomb, 1)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 2 * UNPACKED_BYTES_MAX


def test_reader_inside_unreadable_batch_skips_it(bomb: bytes) -> None:
    """The delivered record and the next offset are the same from any offset in the batch."""
    for offset in (1, 2, 3):
        assert [3] == [r.offset for r in decoded(bomb, offset)]
        assert [3] == [r.offset for r in in_group(bomb, offset)]
    newest = newest_record("t", 3, bomb)
    assert newest is not None
    assert 3 == newest.offset


BODIES: dict[str, tuple[int, bytes]] = {
    "garbage in gzip": (1, b"\x1f\x8bnothing"),
    "garbage in snappy": (2, b"\xff" * 40),
    "snappy block of negative size": (2, XERIAL + struct.pack(">i", -4)),
    "snappy block of no size": (2, XERIAL + bytes(8)),
    "snappy block that ends early": (2, XERIAL + b"\0\0"),
    "garbage in lz4": (3, b"nothing"),
    "garbage in zstd": (4, b"nothing"),
    "cut zstd": (4, bytes(zstd_encode(b"x" * 1000))[:-3]),
    "unknown codec": (7, b"x"),
    "no records": (0, b""),
    "varint without end": (0, b"\xff" * 30),
    "record longer than the batch": (0, b"\x7e\0\0\0\x02k"),
    "header count without headers": (0, b"\x14\0\0\0\x02k\x02v\xfe\xff\xff\xff\x0f"),
    "negative header count": (0, b"\x10\0\0\0\x02k\x02v\x01"),
}
"""Fault -> the codec and the body of a batch of two records, which has a correct checksum."""


@pytest.mark.parametrize("name", BODIES)
def test_body_that_cannot_be_decoded_is_passed_over(name: str) -> None:
    """A body with a correct checksum is an unreadable record, never an exception of a library."""
    codec, body = BODIES[name]
    data = sealed(body, 2, flags=codec) + raw_batch([Raw(b"g", b"good")], base=2)
    for found in (decoded(data), in_group(data)):
        assert [(1, None), (2, b"good")] == [(r.offset, r.value) for r in found]
        with pytest.raises(Malformed, match="unreadable batch, offsets 0 to 1"):
            found[0].message()


def test_readable_part_of_damaged_batch_is_delivered() -> None:
    """The records before the damage are delivered, the rest is one unreadable record."""
    good = raw_batch([Raw(b"a", b"1"), Raw(b"b", b"2"), Raw(b"c", b"3")])
    data = sealed(good[61:-4], 3) + raw_batch([Raw(b"g", b"good")], base=3)
    for found in (decoded(data), in_group(data)):
        assert [b"1", b"2", None, b"good"] == [r.value for r in found]
        assert [0, 1, 2, 3] == [r.offset for r in found]
        with pytest.raises(Malformed, match="offsets 2 to 2"):
            found[2].message()


MADE_UP: dict[str, tuple[int, ...]] = {
    "after the batch": (0, 7, 2),
    "before the batch": (0, -3, 2),
    "twice": (0, 0, 1),
    "backwards": (2, 1, 0),
    "all far away": (50, 51, 52),
}
"""Offset deltas of three records that a broker accepts."""


@pytest.mark.parametrize("name", MADE_UP)
@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.parametrize("odd", [b"n", b"\xff"])
def test_wrong_offsets_of_sender_lose_no_other_record(
    name: str, compacted: bool, odd: bytes
) -> None:
    """The batch is one unreadable record from its first wrong offset, for any start offset."""
    records = [Raw(b"a", b"%d" % n, [(odd, b"1")]) for n in range(3)]
    good = raw_batch([Raw(b"g", b"good")], base=3)
    data = raw_batch(records, deltas=MADE_UP[name], last_delta=2) + good
    first = MADE_UP[name][0] == 0
    for offset in (0, 1, 2):
        expected = [(0, b"0")] * (first and offset == 0) + [(2, None), (3, b"good")]
        for found in (decoded(data, offset, compacted=compacted), in_group(data, offset)):
            assert expected == [(r.offset, r.value) for r in found]


@pytest.mark.parametrize("seed", range(4))
def test_any_altered_body_with_correct_checksum_is_handled(seed: int) -> None:
    """For any bytes, the batch fills its offsets and the next records are delivered."""
    rng = random.Random(seed)
    after = raw_batch([Raw(b"g", b"good")], base=20)
    for _ in range(250):
        codec = rng.choice(list(CODECS))
        records = [Raw(b"k", b"v" * rng.randrange(90), [(b"n", b"1")]) for _ in range(20)]
        body = bytearray(raw_batch(records, codec=codec)[61:])
        for _ in range(rng.randrange(1, 4)):
            body[rng.randrange(len(body))] = rng.randrange(256)
        data = sealed(bytes(body), 20, flags=CODECS[codec][0]) + after
        for found in (decoded(data, compacted=True), in_group(data)):
            assert (20, b"good") == (found[-1].offset, found[-1].value)


def test_wrong_frame_is_a_broken_log() -> None:
    """An impossible length is an error with a reason."""
    data = bytearray(raw_batch([Raw(b"a", b"1")]))
    data[8:12] = struct.pack(">i", 3)
    with pytest.raises(BrokenLog, match="frame"):
        batches_of(bytes(data))


def test_value_above_a_records_bound_is_not_parsed() -> None:
    """A value above the size of a record is malformed, for any content."""
    value = b'{"agent": [' + b"1," * topics.RECORD_BYTES_MAX + b"1]}"
    headers = {name.decode(): header for name, header in HEADERS}
    with pytest.raises(Malformed, match="bytes"):
        decode(value, headers)


def test_unreadable_control_batch_halts_all_agents() -> None:
    """Its content is unknown: it counts as a halt of all agents, until a resume of all."""
    data = sealed(b"nothing", 2, flags=4)
    control = topics.CONTROL.name
    (record,) = records_of(control, 0, 0, batches_of(data), data, compacted=True)
    switch = KillSwitch()
    switch.take(record)

    assert ["all"] == switch.scopes()
    assert "unreadable batch, offsets 0 to 1" in switch.unread()[0]


def test_unreadable_batch_stops_the_account_log() -> None:
    """Passing over money is worse than stopping; an operator may say to pass over it."""
    data = sealed(b"nothing", 1, flags=4)
    (record,) = records_of(topics.EVENTS.name, 0, 0, batches_of(data), data)
    kind = record.headers["type"].decode()
    with pytest.raises(BrokenLog, match="arena repair"):
        Shard().apply(kind, record.value, record.offset)
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    passed = Shard(passed_over={0: empty})
    passed.apply(kind, record.value, record.offset)

    assert 1 == passed.next_offset


@pytest.mark.parametrize("codec", TAKEN)
async def test_both_readers_survive_batch_above_limit(
    bus: KafkaBus, settings: Settings, codec: str
) -> None:
    """A log reader and a group on a real broker deliver the records around the batch."""
    topic = settings.prefix + COMMANDS
    client = await raw_client(settings, topic)
    good = raw_batch([Raw(b"g", b"good")])
    for batch in (good, raw_batch([BOMB], codec=codec), good):
        await produce(client, topic, 0, batch)
    await client.close()
    log, group = await bus.log_reader(COMMANDS), await bus.group_reader("g", COMMANDS)
    for reader in (log, group):
        found = await read_count(reader, 3)
        assert [b"good", None, b"good"] == [r.value for r in found]
        await reader.close()


async def test_both_readers_survive_wrong_offsets(bus: KafkaBus, settings: Settings) -> None:
    """Both readers on a real broker deliver the records after such batches."""
    topic = settings.prefix + COMMANDS
    client = await raw_client(settings, topic)
    for deltas in MADE_UP.values():
        records = [Raw(b"a", b"x")] * 3
        await produce(client, topic, 0, raw_batch(records, deltas=deltas, last_delta=2))
    await produce(client, topic, 0, raw_batch([Raw(b"g", b"good")]))
    await client.close()
    end = 3 * len(MADE_UP)
    log, group = await bus.log_reader(COMMANDS), await bus.group_reader("g", COMMANDS)
    for reader in (log, group):
        found = await read_count(reader, 4 + len(MADE_UP))
        assert (end, b"good") == (found[-1].offset, found[-1].value)
        await reader.close()
