"""Removes records from the end of a topic on the disk of a stopped broker, like a power loss.

Works on the segment files alone. Only whole batches can be removed, so a little more may be removed
than requested; `truncate_tail` returns what is left.
"""

import struct
from pathlib import Path

CLEAN_SHUTDOWN = ".kafka_cleanshutdown"
DERIVED = ("*.index", "*.timeindex", "*.txnindex", "*.snapshot")
"""Files that the broker rebuilds from the segments."""
PREFIX = struct.Struct(">qi")
"""The start of a batch: its first offset, and the number of bytes that follow this prefix."""
LAST_DELTA = struct.Struct(">i")
LAST_DELTA_AT = 23
HEADER_BYTES = 61


def batches(segment: bytes) -> list[tuple[int, int, int]]:
    """Return the whole batches of a segment: first byte, end byte, end offset."""
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
    """Return the folder of a partition, at any depth below the data directory.

    Raises:
        FileNotFoundError: There is none.
    """
    for folder in sorted(data_dir.rglob(f"{topic}-{partition}")):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"no folder of {topic}[{partition}] below {data_dir}")


def end_of(data_dir: Path, topic: str, partition: int) -> int:
    """Return the end offset on disk; the first offset if there are no records."""
    segments = sorted(folder_of(data_dir, topic, partition).glob("*.log"))
    for segment in reversed(segments):
        if found := batches(segment.read_bytes()):
            return found[-1][2]
    return int(segments[0].stem) if segments else 0


def truncate_tail(data_dir: Path, topic: str, partition: int, keep: int) -> int:
    """Truncate a partition at a boundary between batches.

    Args:
        data_dir: The data directory of a stopped broker.
        topic: The name of the topic, with its prefix.
        partition: The partition.
        keep: The first offset to remove.

    Returns:
        The new end offset.
    """
    folder = folder_of(data_dir, topic, partition)
    segments = sorted(folder.glob("*.log"))
    for segment in segments:
        whole = segment.read_bytes()
        size = max((end for _, end, end_offset in batches(whole) if end_offset <= keep), default=0)
        if size == 0 and segment is not segments[0]:
            segment.unlink()
        elif size < len(whole):
            with segment.open("r+b") as file:
                file.truncate(size)
    for pattern in DERIVED:
        for path in folder.glob(pattern):
            path.unlink()
    # Without this file the broker checks its segments at the start.
    (folder.parent / CLEAN_SHUTDOWN).unlink(missing_ok=True)
    return end_of(data_dir, topic, partition)
