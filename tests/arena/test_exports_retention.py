"""An export of a log whose oldest records are deleted while it is read."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from arena import exports, topics
from arena.bus.base import EARLIEST, LogReader, Record, Start
from arena.bus.kafka import KafkaBus
from arena.bus.memory import MemoryBus, MemoryLogReader
from arena.errors import BrokenLog
from arena.exports import PartitionSpan, export_topics, read_manifest, read_records
from arena.settings import Settings
from arena.topics import TopicSpec

FOUR = topics.TOOL_CALLS.name
COUNT = 6


class TrimmedReader(MemoryLogReader):
    """Has no record that its bus deleted."""

    bus: "TrimmedBus"

    async def read(self, *, timeout_s: float = 0.5, max_records: int = 1000) -> list[Record]:
        """The next record, or the error of a broker that has deleted it."""
        (pair, at), *_ = self._cursor.next.items()
        if at < self.bus.begins.get(pair, 0) or at == self.bus.missing.get(pair):
            raise BrokenLog(f"{pair[0]}[{pair[1]}] has no offset {at}", remedy="start again")
        found = await super().read(timeout_s=timeout_s, max_records=1)
        if at == self.bus.delete_at:
            self.bus.begins[pair] = next(self.bus.moves, self.bus.begins.get(pair, 0))
        return found


class TrimmedBus(MemoryBus):
    """Deletes the oldest records of a partition each time its record `delete_at` was read."""

    def __init__(self, moves: Iterator[int], delete_at: int = 0) -> None:
        """Delete up to each of `moves` in turn."""
        super().__init__()
        self.moves = moves
        self.delete_at = delete_at
        self.begins: dict[tuple[str, int], int] = {}
        self.missing: dict[tuple[str, int], int] = {}

    async def partition_reader(self, topic: str, partition: int, start: Start) -> LogReader:
        """A reader that starts at the first record that is left."""
        pair = (topic, partition)
        if start is EARLIEST:
            start = Start(offsets={pair: self.begins.get(pair, 0)})
        reader = TrimmedReader(self.cluster, [pair], start)
        reader.bus = self
        return reader


async def filled(bus: TrimmedBus, count: int = COUNT) -> TrimmedBus:
    """A bus with as many records in each of two partitions."""
    await bus.ensure_topics([TopicSpec(FOUR, "-", (), partitions=2)])
    for partition in range(2):
        for number in range(count):
            value = b"%d" % number
            await bus.send_bytes(FOUR, value, key=None, partition=partition, headers=())
    return bus


async def delete(settings: Settings, before: int) -> None:
    """Delete the records of partition 2 before an offset, as retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
    await admin.start()
    try:
        pair = TopicPartition(settings.prefix + FOUR, 2)
        await admin.delete_records({pair: RecordsToDelete(before_offset=before)})
    finally:
        await admin.close()


@pytest.mark.parametrize("begin", [4, COUNT, COUNT + 1])
async def test_records_deleted_before_they_are_read(
    bus: KafkaBus,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    begin: int,
) -> None:
    """The manifest has the new first offset, even if nothing is left before the export's end."""
    monkeypatch.setattr(exports, "ROW_GROUP_RECORDS_MAX", 2)
    for partition in range(4):
        for number in range(COUNT):
            value = b"%d" % number
            await (await bus.send_bytes(FOUR, value, key=b"k", partition=partition, headers=()))
    opened, waiting = bus.partition_reader, [begin]

    async def late(topic: str, partition: int, start: Start) -> LogReader:
        """Retention deletes between the lookup of the first offset and the read."""
        if partition == 2 and start is not EARLIEST and waiting:
            await (await bus.send_bytes(FOUR, b"late", key=b"k", partition=2, headers=()))
            await delete(settings, waiting.pop())
        return await opened(topic, partition, start)

    monkeypatch.setattr(bus, "partition_reader", late)
    manifest = await export_topics(bus, tmp_path / "records", [FOUR])

    first = min(begin, COUNT)
    whole = PartitionSpan(first=0, end=COUNT, count=COUNT)
    left = PartitionSpan(first=first, end=COUNT, count=COUNT - first)
    assert {0: whole, 1: whole, 2: left, 3: whole} == manifest.topics[FOUR].partitions
    assert manifest == read_manifest(tmp_path / "records")
    found = [r.offset for r in read_records(tmp_path / "records", [FOUR]) if r.partition == 2]
    assert list(range(first, COUNT)) == found


async def test_records_deleted_while_they_are_read(tmp_path: Path) -> None:
    """Records read before the deletion are not kept next to a gap."""
    bus = await filled(TrimmedBus(iter([3, 4])))
    manifest = await export_topics(bus, tmp_path / "records", [FOUR])

    assert [3, 4] == [span.first for span in manifest.topics[FOUR].partitions.values()]
    found = [(r.partition, r.offset) for r in read_records(tmp_path / "records", [FOUR])]
    assert [(0, 3), (0, 4), (0, 5), (1, 4), (1, 5)] == found


async def test_record_missing_in_the_middle_fails(tmp_path: Path) -> None:
    """A loss after the first offset is reported, even if the first offset has moved, too."""
    bus = await filled(TrimmedBus(iter([2])))
    bus.missing[FOUR, 0] = 4

    with pytest.raises(BrokenLog, match="has no offset 4"):
        await export_topics(bus, tmp_path / "records", [FOUR])
    assert [] == os.listdir(tmp_path)


async def test_log_deleted_faster_than_read_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tries are bounded."""
    bus = await filled(TrimmedBus(iter(())), count=40)

    class Fleeing(dict[tuple[str, int], int]):
        """The beginning moves by two each time it is asked."""

        def get(self, pair: tuple[str, int], default: int = 0) -> int:  # type: ignore[override]
            self[pair] = dict.get(self, pair, 0) + 2
            return self[pair]

    bus.begins = Fleeing()
    with pytest.raises(BrokenLog, match="has no offset"):
        await export_topics(bus, tmp_path / "records", [FOUR])
    assert exports.BEGIN_TRIES_MAX * 2 < bus.begins[FOUR, 0] < 40
