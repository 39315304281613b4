"""An export has the records of Kafka, byte for byte, and is complete or absent."""

import os
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
from aiokafka import AIOKafkaProducer

from arena import exports, topics
from arena.bus import Bus, Record
from arena.bus.kafka import KafkaBus
from arena.bus.memory import MemoryBus
from arena.errors import BrokenLog, BrokerUnavailable, UsageError
from arena.exports import changed_files, export_topics, read_manifest, read_records
from arena.progress import Step
from arena.settings import Settings
from arena.wire import Headers

NULL = cast(bytes, None)
HEADERS: Headers = (("type", b"Turn"), ("schema", b"1"), ("empty", b""), ("raw", b"\x00\xff"))
NAMES = tuple(s.name for s in topics.fixed_topics())
FOUR = topics.TURNS.name
LOG = topics.EVENTS.name


async def fill(bus: Bus, names: tuple[str, ...]) -> None:
    """Five records of every kind in every partition of the topics."""
    for name in names:
        for partition in range(await bus.partitions(name)):
            for key, value, headers in (
                (b"a", b'{"n":1}', HEADERS),
                (b"", b"", ()),
                (b"\x00\xff", bytes(range(256)) * 20, ()),
                (b"b", NULL, HEADERS),
                (b"c", b"last", ()),
            ):
                done = await bus.send_bytes(
                    name, value, key=key, partition=partition, headers=headers
                )
                await done
            if not topics.spec_of(name).compacted:
                await (
                    await bus.send_bytes(name, b"no key", key=None, partition=partition, headers=())
                )


async def read_all(bus: Bus, name: str, count: int) -> list[Record]:
    """All records of a topic as the bus reads them, partition by partition."""
    reader = await bus.log_reader(name)
    found: list[Record] = []
    while len(found) < count:
        found += await reader.read(timeout_s=5)
    await reader.close()
    return sorted(found, key=lambda r: (r.partition, r.offset))


async def test_every_topic_comes_back_byte_for_byte(bus: KafkaBus, tmp_path: Path) -> None:
    """Keys, values, headers, timestamps and offsets of every topic survive, nulls and all."""
    await fill(bus, NAMES)
    steps: list[Step] = []
    manifest = await export_topics(
        bus, tmp_path / "records", NAMES, prefix="t.", progress=steps.append
    )

    assert list(NAMES) == list(manifest.topics)
    assert manifest == read_manifest(tmp_path / "records")
    for name in NAMES:
        count = manifest.topics[name].count
        assert await read_all(bus, name, count) == list(read_records(tmp_path / "records", [name]))
    total = sum(found.count for found in manifest.topics.values())
    assert total == sum(1 for _ in read_records(tmp_path / "records"))
    assert (total, total, True) == (steps[-1].done, steps[-1].total, steps[-1].finished)
    assert {} == changed_files(tmp_path / "records")
    assert ["records"] == os.listdir(tmp_path)


async def test_same_log_gives_the_same_bytes(
    bus: KafkaBus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How the broker batched its answers leaves no trace in the files."""
    await fill(bus, (FOUR,))
    first = await export_topics(bus, tmp_path / "one", [FOUR])
    monkeypatch.setattr(exports, "READ_RECORDS_MAX", 2)
    second = await export_topics(bus, tmp_path / "two", [FOUR])

    assert first == second
    assert (tmp_path / "one" / f"{FOUR}.parquet").read_bytes() == (
        tmp_path / "two" / f"{FOUR}.parquet"
    ).read_bytes()


async def test_manifest_names_the_offsets(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """First and end offset and the count of each partition, and an empty topic too."""
    await fill(memory_bus, (FOUR,))
    manifest = await export_topics(memory_bus, tmp_path / "records", [FOUR, LOG])

    assert dict.fromkeys(range(4), 6) == manifest.ends()[FOUR]
    assert {0: exports.PartitionSpan(first=0, end=0, count=0)} == manifest.topics[LOG].partitions
    assert [] == list(read_records(tmp_path / "records", [LOG]))


async def test_row_groups_are_bounded(
    memory_bus: MemoryBus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row group is cut by its number of records and by its bytes."""
    import pyarrow.parquet as pq

    monkeypatch.setattr(exports, "ROW_GROUP_RECORDS_MAX", 4)
    monkeypatch.setattr(exports, "ROW_GROUP_BYTES_MAX", 1_000)
    for size in (1, 1, 1, 1, 2_000, 1, 900, 200, 1):
        await memory_bus.send_bytes(LOG, b"x" * size, key=None, partition=0, headers=())
    await export_topics(memory_bus, tmp_path / "records", [LOG])
    file = pq.ParquetFile(tmp_path / "records" / f"{LOG}.parquet")

    sizes = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    assert [4, 1, 3, 1] == sizes


async def test_records_after_the_beginning_stay_out(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """A topic that grows during the export is exported up to its end at the start."""
    await fill(memory_bus, (FOUR, LOG))

    def grow(step: Step) -> None:
        memory_bus.cluster.append(LOG, 0, None, b"late", ())

    manifest = await export_topics(memory_bus, tmp_path / "records", [FOUR, LOG], progress=grow)

    assert {0: 6} == manifest.ends()[LOG]
    found = list(read_records(tmp_path / "records", [LOG]))
    assert (6, b"no key") == (len(found), found[-1].value)


async def test_export_that_fails_leaves_the_old_one(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """An export is replaced completely or not at all, and no draft remains."""
    await fill(memory_bus, (LOG,))
    old = await export_topics(memory_bus, tmp_path / "records", [LOG])

    def fail(step: Step) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await export_topics(memory_bus, tmp_path / "records", [LOG], progress=fail)
    with pytest.raises(BrokerUnavailable, match="no such topic: nowhere"):
        await export_topics(memory_bus, tmp_path / "records", ["nowhere"])

    assert old == read_manifest(tmp_path / "records")
    assert ["records"] == os.listdir(tmp_path)


async def test_changed_byte_is_named(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """A flipped byte, a truncated file and a missing file are each detected."""
    await fill(memory_bus, (LOG, FOUR))
    folder = tmp_path / "records"
    await export_topics(memory_bus, folder, [LOG, FOUR])
    path = folder / f"{LOG}.parquet"
    whole = path.read_bytes()

    path.write_bytes(whole[:200] + bytes([whole[200] ^ 1]) + whole[201:])
    assert [LOG] == list(changed_files(folder))
    path.write_bytes(whole[:300])
    with pytest.raises(BrokenLog, match="cannot be read"):
        list(read_records(folder, [LOG]))
    path.unlink()
    assert {LOG: f"{LOG}.parquet is missing"} == changed_files(folder)


def test_invalid_export_is_refused(tmp_path: Path) -> None:
    """No manifest, nonsense in it and a newer format are refused with a remedy."""
    with pytest.raises(UsageError, match="has no manifest"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(UsageError, match="cannot be read"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text('{"format": 99, "version": "9.9", "topics": {}}')
    with pytest.raises(UsageError, match="written by arena 9.9"):
        read_manifest(tmp_path)


async def test_topic_that_was_not_exported_is_refused(
    memory_bus: MemoryBus, tmp_path: Path
) -> None:
    """Reading an absent topic names what there is."""
    await export_topics(memory_bus, tmp_path / "records", [LOG])

    with pytest.raises(UsageError, match=f"it has {LOG}"):
        list(read_records(tmp_path / "records", [FOUR]))


def test_importing_exports_does_not_load_pyarrow() -> None:
    """A process that never exports does not pay for pyarrow."""
    code = "import arena.exports, sys; print('pyarrow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "False" == done.stdout.strip()


async def test_markers_of_transactions_are_named(
    bus: KafkaBus, settings: Settings, tmp_path: Path
) -> None:
    """An offset with a marker is not a missing record, and the manifest lists it."""
    await fill(bus, (LOG,))
    options = {"bootstrap_servers": settings.bootstrap_servers, "transactional_id": "exports"}
    producer = AIOKafkaProducer(**options)
    await producer.start()
    try:
        for end in (producer.commit_transaction, producer.abort_transaction):
            await producer.begin_transaction()
            await producer.send_and_wait(f"{settings.prefix}{LOG}", b"x", partition=0)
            await end()
    finally:
        await producer.stop()
    await fill(bus, (LOG,))
    manifest = await export_topics(bus, tmp_path / "records", [LOG])

    span = manifest.topics[LOG].partitions[0]
    offsets = {record.offset for record in read_records(tmp_path / "records", [LOG])}
    assert 2 == len(span.markers)
    assert span.count == len(offsets)
    assert set(range(span.end)) == offsets | set(span.markers)
    assert manifest == read_manifest(tmp_path / "records")
