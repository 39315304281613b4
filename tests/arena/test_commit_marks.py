"""A group whose log was truncated, or deleted and created again, while it had no members."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import KafkaTimeoutError

from arena import topics
from arena.bus import Bus, Record, Start
from arena.bus.base import EARLIEST, LATEST
from arena.bus.commit_marks import DELIVERED_MAX, CommitMark, DeliveredRecords, why_not_resumable
from arena.bus.kafka import KafkaBus
from arena.bus.kafka_access import connection_options
from arena.bus.kafka_admin import admin_client
from arena.bus.kafka_topics import new_topic
from arena.bus.memory import MemoryBus, MemoryCluster
from arena.errors import BrokenLog
from arena.settings import Settings
from tests.arena.test_hostile_records import DEADLINE_S, read_count
from tests.arena.topic_deletion import delete_topic

COMMANDS = topics.COMMANDS.name
PAIR = (COMMANDS, 0)


def record(offset: int, value: bytes = b"v", time_ms: int = 5) -> Record:
    """A record of a partition."""
    return Record(COMMANDS, 0, offset, time_ms, b"k", value)


A, B = CommitMark.of(record(3)), CommitMark.of(record(3, b"w"))


@pytest.mark.parametrize(
    ("offset", "begin", "end", "handled", "found", "why"),
    [
        (4, 0, 9, A, A, ""),
        (4, 0, 4, None, None, ""),
        (4, 4, 9, A, None, ""),
        (4, 0, 3, A, None, "ends at 3"),
        (4, 0, 3, None, None, "ends at 3"),
        (4, 7, 9, A, None, "begins at 7: 3 offsets were deleted unread"),
        (4, 0, 9, A, B, "offset 3 is not the one that was handled"),
        (4, 0, 9, A, CommitMark.of(record(4)), "is not the one"),
        (4, 0, 9, None, A, ""),
    ],
)
def test_unresumable_offset_is_explained(
    offset: int,
    begin: int,
    end: int,
    handled: CommitMark | None,
    found: CommitMark | None,
    why: str,
) -> None:
    """A committed offset that does not match has a reason, and one that matches has none."""
    warning = why_not_resumable(offset, begin, end, handled, found)

    assert why in warning
    assert bool(why) == bool(warning)


@pytest.mark.parametrize(
    ("key", "value", "time_ms"),
    [(None, b"v", 5), (b"", b"v", 5), (b"k", None, 5), (b"k", b"v", -1)],
)
def test_commit_mark_round_trip(key: bytes | None, value: bytes | None, time_ms: int) -> None:
    """The text of a mark parses to the same mark, and other records have other digests."""
    handled = CommitMark.of(record(3)._replace(key=key, value=value, timestamp_ms=time_ms))

    assert handled == CommitMark.read(handled.text())
    assert handled.digest != A.digest


@pytest.mark.parametrize("text", [None, "", "x", "1:2", "a:b:c", "1:2:3:4"])
def test_foreign_metadata_is_ignored(text: str | None) -> None:
    """Metadata of other programs is not a mark."""
    assert CommitMark.read(text) is None


def test_delivered_records_are_bounded() -> None:
    """The record before a committed offset is kept, even after the commit; older ones are not."""
    delivered = DeliveredRecords()
    assert delivered.before(9) is None
    assert {False} == {delivered.note_delivered(record(n)) for n in range(DELIVERED_MAX + 5)}

    assert 19 == getattr(delivered.before(20), "offset", None)
    assert 19 == getattr(delivered.before(20), "offset", None)
    assert delivered.before(7) is None
    assert delivered.note_delivered(record(100))
    assert not delivered.note_delivered(record(101))


@pytest.fixture(params=["memory", "kafka"])
async def either(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    """Either bus, with the topic; every record in memory is later than the one before."""
    ticks = count(0)
    if request.param == "kafka":
        bus: Bus = KafkaBus(request.getfixturevalue("settings"))
    else:
        bus = MemoryBus(MemoryCluster(lambda: next(ticks)))
    await bus.start()
    await bus.ensure_topics([topics.COMMANDS])
    yield bus
    await bus.close()


async def put(bus: Bus, name: str, records: int) -> None:
    """Append values."""
    for number in range(records):
        value = b"%s %d" % (name.encode(), number)
        await (await bus.send_bytes(COMMANDS, value, key=b"k", partition=0, headers=()))


async def commit_of_lost_log(settings: Settings) -> None:
    """Commit offset 5 for the group, as handled in a log that is not this one."""
    lost = record(4, time_ms=1_763_717_400_000)
    consumer = AIOKafkaConsumer(
        **connection_options(settings), group_id=settings.prefix + "g", enable_auto_commit=False
    )
    await consumer.start()
    pair = TopicPartition(settings.prefix + COMMANDS, 0)
    consumer.assign([pair])
    await consumer.commit({pair: (5, CommitMark.of(lost).text())})
    await consumer.stop()


async def handle_and_lose_log(bus: MemoryBus) -> None:
    """Handle five records, commit, and empty the log."""
    await put(bus, "old", 5)
    first = await bus.group_reader("g", COMMANDS)
    await read_count(first, 5)
    await first.commit({PAIR: 5})
    await first.close()
    bus.cluster.logs[PAIR] = []


@pytest.mark.parametrize("start", [EARLIEST, LATEST], ids=["earliest", "latest"])
@pytest.mark.parametrize(
    ("newer", "warning"), [(2, "ends at 2"), (9, "not the one that was handled")]
)
async def test_new_records_are_not_skipped_after_truncation(
    either: Bus, caplog: pytest.LogCaptureFixture, start: Start, newer: int, warning: str
) -> None:
    """A log that lost handled records is read from the first newer record, with a warning."""
    if isinstance(either, MemoryBus):
        await handle_and_lose_log(either)
    else:
        assert isinstance(either, KafkaBus)
        await commit_of_lost_log(either._settings)
    await put(either, "new", newer)
    second = await either.group_reader("g", COMMANDS, start=start)
    found = await read_count(second, newer)

    assert [b"new %d" % n for n in range(newer)] == [r.value for r in found]
    assert f"group g was at offset 5 of {COMMANDS}[0], but" in caplog.text
    assert warning in caplog.text
    assert warning in either.lost[COMMANDS, "0, g"]
    await second.close()


async def test_member_ends_if_its_log_changed(memory_bus: MemoryBus) -> None:
    """Records at the lost offsets are not skipped: the process ends and checks its offset."""
    await put(memory_bus, "old", 5)
    member = await memory_bus.group_reader("g", COMMANDS)
    await read_count(member, 5)
    await member.commit({PAIR: 5})
    del memory_bus.cluster.logs[PAIR][3:]
    await put(memory_bus, "new", 5)
    with pytest.raises(BrokenLog, match=r"account\.commands\[0\].*offset 4.*start again"):
        await member.read(timeout_s=0)
    await member.close()
    again = await memory_bus.group_reader("g", COMMANDS)

    assert b"new 0" in [r.value for r in await again.read(timeout_s=0)]


async def test_connected_member_ends_if_topic_was_recreated(
    bus: KafkaBus, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It receives no record of the new topic before its process has started again."""
    monkeypatch.setattr("arena.bus.kafka.METADATA_AGE_MS", 200)
    await put(bus, "old", 5)
    member = await bus.group_reader("g", COMMANDS)
    await read_count(member, 5)
    await member.commit({PAIR: 5})
    await recreate(settings)
    writer = KafkaBus(settings)
    await writer.start()
    await put(writer, "new", 9)
    await writer.close()
    with pytest.raises(BrokenLog, match=r"account\.commands\[0\].*start again"):
        await read_count(member, 1)
    await member.close()
    again = await bus.group_reader("g", COMMANDS)

    assert [b"new %d" % n for n in range(9)] == [r.value for r in await read_count(again, 9)]
    await again.close()


async def recreate(settings: Settings) -> None:
    """Delete the topic, and create it again after the broker has dropped it."""
    wanted = [new_topic(settings.prefix, topics.COMMANDS, 1)]
    async with admin_client(settings) as admin:
        await delete_topic(admin, settings.prefix + COMMANDS)
        async with asyncio.timeout(DEADLINE_S):
            while (await admin.create_topics(wanted)).topic_errors[0][1]:
                await asyncio.sleep(0.01)


async def test_check_without_answer_is_retried(
    bus: KafkaBus, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is delivered before the offset is checked, even if brokers often do not answer."""
    await commit_of_lost_log(settings)
    await put(bus, "new", 9)
    refusals = count(0)
    ask = AIOKafkaConsumer.beginning_offsets

    async def unanswered(self: AIOKafkaConsumer, partitions: list[TopicPartition]) -> object:
        if next(refusals) < 3:
            raise KafkaTimeoutError
        return await ask(self, partitions)

    monkeypatch.setattr(AIOKafkaConsumer, "beginning_offsets", unanswered)
    member = await bus.group_reader("g", COMMANDS)

    assert [b"new %d" % n for n in range(9)] == [r.value for r in await read_count(member, 9)]
    assert "not the one that was handled" in bus.lost[COMMANDS, "0, g"]
    assert {} == member.resumed
    await member.close()


async def test_unchanged_log_continues_without_warning(
    either: Bus, caplog: pytest.LogCaptureFixture
) -> None:
    """Members join and leave, even without handling records: the commits still match."""
    await put(either, "a", 5)
    for before, newer in ((0, 5), (5, 0), (5, 0), (5, 3)):
        await put(either, "b", newer if before else 0)
        member = await either.group_reader("g", COMMANDS)
        found = await read_count(member, newer) or await member.read(timeout_s=0.2)
        assert list(range(before, before + newer)) == [r.offset for r in found]
        await member.commit({PAIR: before + newer})
        assert ({PAIR: before} if before else {}) == member.resumed
        await member.close()

    assert {} == either.lost
    assert "group g" not in caplog.text


async def test_deleted_unread_records_are_reported(
    bus: KafkaBus, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """If retention passed the group's offset, it continues at the first remaining record."""
    await put(bus, "old", 5)
    first = await bus.group_reader("g", COMMANDS)
    await read_count(first, 5)
    await first.commit({PAIR: 2})
    await first.close()
    admin = AIOKafkaAdminClient(**connection_options(settings))
    await admin.start()
    pair = TopicPartition(settings.prefix + COMMANDS, 0)
    await admin.delete_records({pair: RecordsToDelete(before_offset=4)})
    await admin.close()
    second = await bus.group_reader("g", COMMANDS, start=LATEST)

    assert [4] == [r.offset for r in await read_count(second, 1)]
    assert "begins at 4: 2 offsets were deleted unread" in caplog.text
    await second.close()
