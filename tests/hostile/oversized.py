"""Manifests and seals with far too many entries, each of a few MB; see `tests.hostile.exports`."""

import json
from collections.abc import Callable
from pathlib import Path

import orjson

from arena.exports import MANIFEST_FILE
from ledger.audit.sources import SEAL_FILE
from tests.hostile.exports import EVENTS, FILE, Case, Make, spanning

NO_FILES = {
    "records_file": "a",
    "records_sha256": "",
    "hashes_file": "a",
    "hashes_sha256": "",
    "partitions": {},
}


def topics(count: int) -> Make:
    """Return a maker of a manifest with many empty topics."""
    return lambda folder: _write(
        folder / MANIFEST_FILE, {"format": 1, "topics": {f"t{n}": {} for n in range(count)}}
    )


def partitions(count: int) -> Make:
    """Return a maker of a manifest with many empty partitions."""

    def make(folder: Path) -> None:
        partitions_by_number: dict[str, object] = {str(number): {} for number in range(count)}
        held = {"file": FILE, "sha256": "", "size_bytes": 0, "partitions": partitions_by_number}
        _write(folder / MANIFEST_FILE, {"format": 1, "topics": {EVENTS: held}})

    return make


def markers(count: int) -> Make:
    """Return a maker of a manifest with many markers."""
    return lambda folder: spanning(markers=[0] * count)(folder)


def keys(count: int) -> Make:
    """Return a maker of a manifest with many unknown keys."""
    return lambda folder: _write(folder / MANIFEST_FILE, {f"k{n}": 0 for n in range(count)})


def sealed(change: Callable[[dict[str, object]], object]) -> Make:
    """Return a maker of a bundle with a changed seal."""

    def make(records: Path) -> None:
        path = records.parent / SEAL_FILE
        document = json.loads(path.read_text())
        change(document)
        _write(path, document)

    return make


def sealed_topics(count: int, held: object) -> Make:
    """Return a maker of a seal with many topics."""
    return sealed(lambda found: found.update(topics={f"t{n}": held for n in range(count)}))


def _write(path: Path, document: object) -> None:
    path.write_bytes(orjson.dumps(document))


MANIFESTS = (
    Case("a million topics", topics(1_000_000), "1,000,002 objects"),
    Case("30,000 topics", topics(30_000), "30,000 entries"),
    Case("30,000 partitions", partitions(30_000), "30,000 entries"),
    Case("9,000 topics of nothing", topics(9_000), "t0: file"),
    Case("3,000,000 markers", markers(3_000_000), "items"),
    Case("a million unknown keys", keys(1_000_000), "1,000,000 keys"),
)
"""Hostile manifests."""
SEALS = (
    Case("700,000 sealed topics", sealed_topics(700_000, {}), "objects"),
    Case("30,000 sealed topics", sealed_topics(30_000, {}), "30,000 entries"),
    Case("9,000 sealed topics of nothing", sealed_topics(9_000, {}), "t0: records_file"),
    Case("9,000 sealed topics without files", sealed_topics(9_000, NO_FILES), "more findings"),
    Case("long source", sealed(lambda found: found.update(source="s" * 10**7)), "source"),
    Case("long signer", sealed(lambda found: found.update(signed_by="s" * 10**7)), "signed_by"),
)
"""Hostile seals."""
