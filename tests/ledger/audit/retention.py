"""What retention does to records: the oldest of some partitions are gone."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from arena import topics
from arena.exports import MANIFEST_FILE, Manifest, Span, TopicFile, _Writer
from tests.ledger.audit.world import World

Part = tuple[str, int]


def deletable(world: World) -> list[Part]:
    """The partitions of which retention may delete something."""
    kept = [t for t in world.spans if topics.spec_of(t).compacted or t in FOREVER]
    return [(t, p) for t, spans in world.spans.items() if t not in kept for p in spans]


FOREVER = tuple(spec.name for spec in topics.TOPICS if spec.retention_ms == topics.FOREVER_MS)
"""Topics that are never cut."""


def cut(world: World, begins: Mapping[Part, int]) -> World:
    """The world without the records of some partitions before an offset."""
    found = world.copy()
    for (topic, partition), begin in begins.items():
        span = found.spans[topic][partition]
        begin = min(max(begin, span.first), span.end)
        old = found.records[topic]
        found.records[topic] = [r for r in old if r.partition != partition or r.offset >= begin]
        count = sum(r.partition == partition for r in found.records[topic])
        spans = {**found.spans[topic], partition: Span(first=begin, end=span.end, count=count)}
        found.spans[topic] = spans
    return found


def write(world: World, folder: Path) -> Path:
    """The records as an export whose partitions begin where the spans do."""
    folder.mkdir(parents=True)
    files = {}
    for topic, spans in world.spans.items():
        path = folder / f"{topic}.parquet"
        writer = _Writer(path)
        writer.write(world.records[topic])
        writer.close()
        data = path.read_bytes()
        files[topic] = TopicFile(
            file=path.name, sha256=sha256(data).hexdigest(), size_bytes=len(data), partitions=spans
        )
    (folder / MANIFEST_FILE).write_text(Manifest(topics=files).model_dump_json())
    return folder
