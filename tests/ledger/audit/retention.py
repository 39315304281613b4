"""Deletes records like retention: the oldest of some partitions."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from arena import topics
from arena.exports import MANIFEST_FILE, Manifest, PartitionSpan, TopicFile, _Writer
from tests.ledger.audit.contest_log import ContestLog

TopicPartition = tuple[str, int]


def deletable(log: ContestLog) -> list[TopicPartition]:
    """The partitions from which retention may delete records."""
    kept = [t for t in log.spans if topics.spec_of(t).compacted or t in FOREVER]
    return [(t, p) for t, spans in log.spans.items() if t not in kept for p in spans]


FOREVER = tuple(spec.name for spec in topics.TOPICS if spec.retention_ms == topics.FOREVER_MS)
"""Topics from which retention deletes nothing."""


def truncate(log: ContestLog, begins: Mapping[TopicPartition, int]) -> ContestLog:
    """Return a copy without the records of some partitions before an offset."""
    result = log.copy()
    for (topic, partition), begin in begins.items():
        span = result.spans[topic][partition]
        begin = min(max(begin, span.first), span.end)
        old = result.records[topic]
        result.records[topic] = [r for r in old if r.partition != partition or r.offset >= begin]
        count = sum(r.partition == partition for r in result.records[topic])
        spans = {
            **result.spans[topic],
            partition: PartitionSpan(first=begin, end=span.end, count=count),
        }
        result.spans[topic] = spans
    return result


def write(log: ContestLog, folder: Path) -> Path:
    """Write an export whose partitions begin at the first offsets of the spans."""
    folder.mkdir(parents=True)
    files = {}
    for topic, spans in log.spans.items():
        path = folder / f"{topic}.parquet"
        writer = _Writer(path)
        writer.write(log.records[topic])
        writer.close()
        data = path.read_bytes()
        files[topic] = TopicFile(
            file=path.name, sha256=sha256(data).hexdigest(), size_bytes=len(data), partitions=spans
        )
    (folder / MANIFEST_FILE).write_text(Manifest(topics=files).model_dump_json())
    return folder
