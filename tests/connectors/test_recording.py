"""Recordings: writing and reading, three compressions and two foreign formats."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena import bounded_files
from arena.clock import ManualClock
from arena.errors import DependencyMissing, UsageError
from arena.threads import WorkerThreads
from connectors.market import recording
from connectors.market.recording import (
    FrameRecorder,
    RecordedFrame,
    decode_line,
    encode_line,
    read_frames,
    rotated,
)
from tests.connectors.builders import FIXTURES, T0

SUFFIXES = ("jsonl", "jsonl.gz", "jsonl.zst")
moments = st.integers(1_325_376_000_000, 4_102_444_800_000).map(
    lambda milliseconds: datetime.fromtimestamp(milliseconds / 1000, UTC)
)


def recorder(path: Path, **bounds: int) -> FrameRecorder:
    """A recorder whose pauses take no time."""
    clock, threads = ManualClock(T0), WorkerThreads()
    return FrameRecorder(path, clock=clock, counters=Counter(), threads=threads, **bounds)


@given(st.binary(max_size=200), moments, st.integers(0, 10**6))
def test_line_keeps_the_frame(raw: bytes, at: datetime, epoch: int) -> None:
    """Any bytes are read back unchanged, with time and connection."""
    line = encode_line(raw, at, epoch)
    frame = decode_line(line.rstrip(b"\n"))

    assert line.count(b"\n") == 1
    assert frame is not None
    assert (raw, epoch) == (frame.raw, frame.epoch)
    assert frame.at is not None
    assert abs(frame.at - at) < timedelta(milliseconds=1)


@given(st.binary(max_size=100))
def test_invalid_line_does_not_raise(line: bytes) -> None:
    """Any line of a foreign file gives a frame or None."""
    frame = decode_line(line)

    assert frame is None or isinstance(frame, RecordedFrame)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_batches_make_one_readable_file(tmp_path: Path, suffix: str) -> None:
    """A recorder that was started again appends to the file."""
    path = tmp_path / f"frames.{suffix}"
    for batch in range(3):
        writer = recorder(path)
        for n in range(10):
            writer.put(b'{"n":%d}' % (10 * batch + n), T0, batch)
        writer.flush()

    assert [b'{"n":%d}' % n for n in range(30)] == [frame.raw for frame in read_frames(path)]


def test_full_files_are_rotated_and_the_oldest_deleted(tmp_path: Path) -> None:
    """The number of files is bounded, and the newest frames are kept."""
    path = tmp_path / "frames.jsonl.gz"
    writer = recorder(path, file_bytes_max=1, files_kept=2)
    for n in range(5):
        writer.put(b"%d" % n, T0, 1)
        writer.flush()

    kept = [path, rotated(path, 1), rotated(path, 2)]
    assert sorted(kept) == sorted(tmp_path.iterdir())
    assert [b"4", b"3", b"2"] == [next(read_frames(file)).raw for file in kept]
    assert "frames.1.jsonl.gz" == rotated(path, 1).name


def test_slow_disk_drops_the_oldest_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue is bounded, and dropped frames are counted."""
    monkeypatch.setattr(recording, "QUEUED_MAX", 3)
    counters: Counter[str] = Counter()
    writer = FrameRecorder(tmp_path / "f.jsonl", clock=ManualClock(T0), counters=counters)
    for n in range(5):
        writer.put(b"%d" % n, T0, 1)
    writer.flush()

    assert {"recording_dropped": 2, "recorded": 3} == counters
    assert b"2" == next(read_frames(writer.path)).raw


def test_reads_a_recording_of_another_tool(shared_recordings: Path) -> None:
    """It has 9 946 received frames with times; frames of the client are skipped."""
    path = shared_recordings / "ws" / "cryptofeed_v2" / "COINBASE.ws.28.0.zst"
    frames = list(read_frames(path))

    assert 9946 == len(frames)
    first = frames[0].at
    assert first is not None
    assert datetime(2021, 4, 17, 16, 43, 37, tzinfo=UTC) == first.replace(microsecond=0)


def test_lines_with_nanoseconds_are_read() -> None:
    """The format of hftbacktest's collector; a shorter number is not a time."""
    line = b'1723161254087891268 {"stream":"btcusdt@bookTicker"}'
    frame = decode_line(line)

    assert frame is not None
    assert (b'{"stream":"btcusdt@bookTicker"}', 1) == (frame.raw, frame.epoch)
    assert datetime(2024, 8, 8, 23, 54, 14, 87891, UTC) == frame.at
    assert RecordedFrame(None, 0, line[1:]) == decode_line(line[1:])


def test_unreadable_file_is_refused(tmp_path: Path) -> None:
    """The file is missing, or cut within a compressed block."""
    cut = tmp_path / "cut.jsonl.gz"
    writer = recorder(cut)
    writer.put(b"x" * 1000, T0, 1)
    writer.flush()
    cut.write_bytes(cut.read_bytes()[:-12])

    for path in (cut, tmp_path / "missing.jsonl"):
        with pytest.raises(UsageError, match=path.name):
            list(read_frames(path))
    with pytest.raises(UsageError, match="cannot record"):
        unwritable = recorder(tmp_path / "no" / "such" / "folder.jsonl")
        unwritable.put(b"x", T0, 1)
        unwritable.flush()


def test_full_disk_is_not_a_usage_error() -> None:
    """The supervisor restarts the connector, which records again once there is space."""
    writer = recorder(Path("/dev/full"))
    writer.put(b"x", T0, 1)

    with pytest.raises(DependencyMissing, match="cannot record to /dev/full.*free space") as full:
        writer.flush()

    assert full.value.exit_code == 3


def test_reads_the_hand_made_recording() -> None:
    """It has eleven frames on two connections."""
    frames = list(read_frames(FIXTURES / "frames.jsonl"))

    assert [1] * 10 + [2] == [frame.epoch for frame in frames]


def test_line_longer_than_a_frame_is_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The frames around it are read, and only the start of it is kept."""
    monkeypatch.setattr(recording, "LINE_BYTES_MAX", 5_000)
    monkeypatch.setattr(bounded_files, "READ_BYTES", 700)
    lines = [encode_line(b"one", T0, 1), b"x" * 50_000 + b"\n", encode_line(b"two", T0, 1)]
    path = tmp_path / "f.jsonl"
    path.write_bytes(b"".join([*lines, b"y" * 5_001]))

    frames = [(frame.raw[:8], len(frame.raw), frame.at) for frame in read_frames(path)]

    assert [(b"one", 3, T0), (b"x" * 8, 1 << 10, None), (b"two", 3, T0)] == frames[:3]
    assert [(b"y" * 8, 1 << 10, None)] == frames[3:]
