"""Takes records off the end of a topic on the disk of a stopped broker, as a lost power would.

Works on the segment files alone. Records leave in whole batches, so a little more may be cut than
was asked for; `cut_tail` says what is left.
"""

import struct
from pathlib import Path

CLEAN_SHUTDOWN = ".kafka_cleanshutdown"
DERIVED = ("*.index", "*.timeindex", "*.txnindex", "*.snapshot")
"""Made again by the broker from the segments."""
PREFIX = struct.Struct(">qi")
"""Of a batch: the first offset, and the bytes that follow this prefix."""
LAST_DELTA = struct.Struct(">i")
LAST_DELTA_AT = 23
HEADER_BYTES = 61


def batches(segment: bytes) -> list[tuple[int, int, int]]:
    """The whole batches of a segment: first byte, byte behind it, offset behind its last record."""
    found, at = [], 0
    while at + HEADER_BYTES <= len(segment):
        base, length = PREFIX.unpack_from(segment, at)
        end = at + PREFIX.size + length
        if length <= 0 or end > len(segment):
            break
        (delta,) = LAST_DELTA.unpack_from(segment, at + LAST_DELTA_AT)
        found.append((at, end, base + delta + 1))
        at = end
    return found


def folder_of(data_dir: Path, topic: str, partition: int) -> Path:
    """The folder of a partition, at any depth below the data directory.

    Raises:
        FileNotFoundError: There is none.
    """
    for folder in sorted(data_dir.rglob(f"{topic}-{partition}")):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"no folder of {topic}[{partition}] below {data_dir}")


def end_of(data_dir: Path, topic: str, partition: int) -> int:
    """The offset behind the last record on disk; the first offset where there is none."""
    segments = sorted(folder_of(data_dir, topic, partition).glob("*.log"))
    for segment in reversed(segments):
        if found := batches(segment.read_bytes()):
            return found[-1][2]
    return int(segments[0].stem) if segments else 0


def cut_tail(data_dir: Path, topic: str, partition: int, keep: int) -> int:
    """Cut the end off a partition, at a boundary of batches.

    Args:
        data_dir: Of a broker that is not running.
        topic: With its prefix.
        partition: Of the topic.
        keep: No record at this offset or behind it remains.

    Returns:
        The offset behind the last record that is left.
    """
    folder = folder_of(data_dir, topic, partition)
    segments = sorted(folder.glob("*.log"))
    for segment in segments:
        whole = segment.read_bytes()
        size = max((end for _, end, behind in batches(whole) if behind <= keep), default=0)
        if size == 0 and segment is not segments[0]:
            segment.unlink()
        elif size < len(whole):
            with segment.open("r+b") as file:
                file.truncate(size)
    for pattern in DERIVED:
        for path in folder.glob(pattern):
            path.unlink()
    # Without this mark the broker looks through its segments again.
    (folder.parent / CLEAN_SHUTDOWN).unlink(missing_ok=True)
    return end_of(data_dir, topic, partition)
