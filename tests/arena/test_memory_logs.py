"""A log with older records in a file is the log that a list would be."""

import errno
import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from arena.bus import memory_logs
from arena.bus.base import Record
from arena.bus.memory import MemoryCluster
from arena.bus.memory_cursor import MARKER
from arena.bus.memory_logs import SpilledLog, SpillFile
from arena.error_causes import explain_error
from arena.errors import ArenaError
from arena.topics import EVENTS

COUNT = 200


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few records in memory, and few bytes at once."""
    monkeypatch.setattr(memory_logs, "KEPT_RECORDS_MAX", 16)
    monkeypatch.setattr(memory_logs, "KEPT_BYTES_MAX", 2_000)
    monkeypatch.setattr(memory_logs, "READ_BYTES_MAX", 700)
    monkeypatch.setattr(memory_logs, "ITERATED", 7)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[SpillFile]:
    """The file of a cluster."""
    file = SpillFile(tmp_path)
    yield file
    file.close()


def _record(random: Random, partition: int, offset: int) -> Record:
    if random.random() < 0.1:
        return MARKER
    key = random.choice([None, b"", b"agent"])
    value = random.choice([None, b"", random.randbytes(random.randrange(400))])
    headers = {"type": b"Turn", "\N{EURO SIGN}": b"", "size": random.randbytes(3)}
    chosen = dict(list(headers.items())[: random.randrange(4)])
    return Record("turns", partition, offset, 1_790_000_000_000 + offset, key, value, chosen)


def _logs(file: SpillFile) -> tuple[list[SpilledLog], list[list[Record]]]:
    """Two partitions whose records lie between each other in the file, and plain lists."""
    random, decoded = Random(7), deque[memory_logs.MemoryRecord]()
    logs = [SpilledLog("turns", p, file, decoded) for p in range(2)]
    plain: list[list[Record]] = [[], []]
    while len(plain[0]) < COUNT:
        p = random.randrange(2)
        record = _record(random, p, len(plain[p]))
        logs[p].append(record)
        plain[p].append(record)
    return logs, plain


def test_records_come_back_equal(file: SpillFile) -> None:
    """Indices, slices and iterations give what lists give; markers stay the marker."""
    random = Random(8)
    for log, plain in zip(*_logs(file), strict=True):
        count = len(plain)
        assert len(log) == count
        assert list(log) == plain
        assert [r is MARKER for r in log] == [r is MARKER for r in plain]
        assert [log[i] for i in range(-count, count)] == [*plain, *plain]
        for _ in range(200):
            first, end = (random.choice([None, random.randrange(-250, 250)]) for _ in range(2))
            step = random.choice([None, 1, 2, -1, -3])
            assert log[first:end:step] == plain[first:end:step], (first, end, step)
        with pytest.raises(IndexError):
            log[count]
        with pytest.raises(IndexError):
            log[-count - 1]


def test_only_the_end_changes(file: SpillFile) -> None:
    """The newest records can be deleted, also from the file; others cannot."""
    random = Random(9)
    for log, plain in zip(*_logs(file), strict=True):
        for count in (3, 40, 100):
            del log[len(log) - count :]
            del plain[len(plain) - count :]
            assert list(log) == plain
            for _ in range(20):
                record = _record(random, 0, len(plain))
                log.append(record)
                plain.append(record)
            assert [log[i][3:] for i in range(len(log))] == [r[3:] for r in plain]
        with pytest.raises(TypeError):
            del log[3]
        with pytest.raises(TypeError):
            log[3] = MARKER
        log.clear()
        assert list(log) == []


def test_memory_is_bounded(file: SpillFile) -> None:
    """The records in memory have a bound by number and by bytes."""
    log = SpilledLog("turns", 0, file, deque())
    most = 0
    for offset in range(1_000):
        log.append(Record("turns", 0, offset, offset, None, b"x" * (offset % 300)))
        most = max(most, len(log._kept))
        assert log._kept_bytes <= 2_000
        assert log._kept_bytes == sum(len(r.value or b"") for r in log._kept)
    assert most <= 16


def test_the_file_has_no_name_and_a_full_disk_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is left in the folder; an append to a full disk fails with cause and remedy."""
    cluster = MemoryCluster(folder=tmp_path)
    cluster.grow(EVENTS.name, 1)
    for _ in range(100):
        cluster.append(EVENTS.name, 0, None, b"value", [])
    assert list(tmp_path.iterdir()) == []

    class Full:
        """A file on a full disk."""

        def write(self, data: bytes) -> int:
            """Refuse."""
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cluster._file, "_file", Full())
    with pytest.raises(OSError, match="in .*" + tmp_path.name) as failed:
        for _ in range(100):
            cluster.append(EVENTS.name, 0, None, b"value", [])
    explained = explain_error(failed.value)
    assert isinstance(explained, ArenaError)
    assert "no space left" in str(explained)
    assert "free space" in str(explained.remedy)
