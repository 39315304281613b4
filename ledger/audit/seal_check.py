"""Whether a bundle is what was sealed, and if not, which record is not. Asks no broker.

The seal's own signature or digest comes first, then every file, then every record against its
hash: one that was changed, taken out, put in or swapped is named by its place.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from arena.bounded_files import read_regular
from arena.bounded_parquet import FILE_BYTES_MAX
from arena.bus.base import Record
from arena.errors import ArenaError
from arena.export_files import MANIFEST_BYTES_MAX, file_sha256
from arena.exports import MANIFEST_FILE, Manifest, read_manifest, read_records
from arena.plural import counted
from arena.progress import Progress, Step, no_progress
from arena.runs import RECORDS
from ledger.audit.decoding import location_of
from ledger.audit.seal import (
    HASHES,
    SIGNATURE_FILE,
    Seal,
    SealedTopic,
    genesis,
    link,
    read_hashes,
    read_seal,
    record_sha256,
)
from ledger.audit.signing import is_signed

NAMED_MAX = 1_000
"""Records of a topic that are named; the rest are counted."""
BROKEN_MAX = 2_000
"""What is wrong in a bundle and is named; the rest is counted."""
SIGNATURE_BYTES_MAX = 1_024
STEP = "seal"

PartitionOffset = tuple[int, int]
UNREADABLE = (ArenaError, ValueError, TypeError, KeyError, OverflowError)
"""What a Parquet file with changed bytes may raise."""


@dataclass(slots=True)
class SealCheck:
    """What was found of a seal.

    Attributes:
        lines: What holds, for people. broken: what does not; each names a file or a record.
        records: Looked at. more: what is wrong beside `broken`.
    """

    lines: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    records: int = 0
    more: int = 0

    def cut(self) -> None:
        """Count what is wrong beyond the bound, and forget it."""
        self.more += max(0, len(self.broken) - BROKEN_MAX)
        del self.broken[BROKEN_MAX:]


@dataclass(slots=True)
class _Differences:
    """Records of a topic that are not as they were sealed."""

    topic: str
    changed: dict[PartitionOffset, tuple[bytes, bytes]] = field(default_factory=dict)
    missing: dict[PartitionOffset, bytes] = field(default_factory=dict)
    added: dict[PartitionOffset, bytes] = field(default_factory=dict)
    more: int = 0

    def note(self, location: PartitionOffset, sealed: bytes | None, found: bytes | None) -> None:
        """One place, the sealed hash and the one that was found."""
        if len(self.changed) + len(self.missing) + len(self.added) >= NAMED_MAX:
            self.more += 1
        elif sealed is not None and found is not None:
            self.changed[location] = (sealed, found)
        elif sealed is not None:
            self.missing[location] = sealed
        elif found is not None:
            self.added[location] = found

    def lines(self) -> Iterator[str]:
        """Each of them named, in the order of their places."""
        sealed_at = {sealed: location for location, (sealed, _) in self.changed.items()}
        named: list[tuple[PartitionOffset, str]] = []
        for location, (sealed, found) in self.changed.items():
            other = sealed_at.get(found)
            what = f"changed: sealed as {sealed.hex()[:16]}, found {found.hex()[:16]}"
            if other is not None:
                swapped = self.changed[other][1] == sealed
                what = f"{'swapped with' if swapped else 'holds'} the record of {self._at(other)}"
            named.append((location, what))
        moved = self.missing.keys() & self.added.keys()
        named += [(p, "not in its order in the file") for p in moved]
        named += [(p, "missing") for p in self.missing.keys() - moved]
        named += [(p, "added: it was not sealed") for p in self.added.keys() - moved]
        for location, what in sorted(named):
            yield f"{self._at(location)} {what}"
        if self.more:
            yield f"{self.topic}: {self.more:,} more records are not as they were sealed"

    def _at(self, location: PartitionOffset) -> str:
        return location_of(self.topic, *location)

    def __bool__(self) -> bool:
        """True where there is any."""
        return bool(self.changed or self.missing or self.added or self.more)


def check_seal(
    bundle: Path,
    *,
    public_hex: str | None = None,
    sha256: str | None = None,
    progress: Progress = no_progress,
) -> SealCheck:
    """Check a bundle against its seal.

    Args:
        bundle: The folder.
        public_hex: The key that must have signed it; None accepts any key, and none.
        sha256: What the digest of seal.json must be; None accepts any.
        progress: Told of records checked.

    Raises:
        UsageError: It holds no seal.
        BrokenLog: The seal itself cannot be read.
    """
    found = SealCheck()
    seal, content = read_seal(bundle)
    _check_signature(bundle, seal, content, public_hex, sha256, found)
    manifest = bundle / RECORDS / MANIFEST_FILE
    if _digest(bundle, manifest, MANIFEST_BYTES_MAX) != seal.manifest_sha256:
        found.broken.append(f"{RECORDS}/{MANIFEST_FILE} is not the file that was sealed")
    try:
        listing = read_manifest(bundle / RECORDS)
    except UNREADABLE as error:
        found.broken.append(f"{RECORDS}: nothing can be read: {error}")
        return found
    total = seal.count
    for topic, sealed in seal.topics.items():
        _TopicCheck(bundle, topic, sealed, found, listing).check()
        found.cut()
        progress(Step(STEP, topic, found.records, total))
    if found.more:
        found.broken.append(f"... and {found.more:,} more findings ({BROKEN_MAX:,} are named)")
    progress(Step(STEP, counted(found.records, "record"), found.records, total, finished=True))
    if not found.broken:
        found.lines.append(
            f"seal: {found.records:,} records of {len(seal.topics)} topics are as they were sealed"
        )
    return found


def _check_signature(
    bundle: Path,
    seal: Seal,
    content: bytes,
    public_hex: str | None,
    sha256: str | None,
    found: SealCheck,
) -> None:
    digest = hashlib.sha256(content).hexdigest()
    found.lines.append(f"seal: SHA-256 {digest}")
    if sha256 is not None and sha256.lower() != digest:
        found.broken.append(f"seal.json has SHA-256 {digest}, not {sha256.lower()}")
    if public_hex is not None and seal.signed_by != public_hex:
        who = seal.signed_by or "nobody"
        found.broken.append(f"seal.json is signed by {who}, not by {public_hex}")
    if not seal.signed_by:
        if (bundle / SIGNATURE_FILE).exists():
            found.broken.append(f"{SIGNATURE_FILE} is there, but seal.json says nobody signed it")
        found.lines.append(
            "seal: not signed; who may write the folder could seal it anew, so compare the SHA-256"
        )
        return
    try:
        signature = read_regular(bundle / SIGNATURE_FILE, SIGNATURE_BYTES_MAX, inside=bundle)
        signature_hex = signature.decode("ascii").strip()
    except (OSError, ValueError):
        found.broken.append(f"{SIGNATURE_FILE} is missing, but seal.json says it is signed")
        return
    if is_signed(content, signature_hex, seal.signed_by):
        found.lines.append(f"seal: signed by ed25519 {seal.signed_by}")
    else:
        found.broken.append(f"seal.json is not what ed25519 {seal.signed_by} signed")


def _digest(bundle: Path, path: Path, bytes_max: int = FILE_BYTES_MAX) -> str:
    """SHA-256 of a file of the bundle; "" if there is no such file that can be read.

    Raises:
        NotReadable: It is not a regular file in the bundle, or too large.
    """
    try:
        return file_sha256(path, inside=bundle, bytes_max=bytes_max)
    except OSError:
        return ""


class _TopicCheck:
    """One topic of a bundle: its two files, its records, its chain."""

    def __init__(
        self, bundle: Path, topic: str, sealed: SealedTopic, found: SealCheck, listing: Manifest
    ) -> None:
        self._listing = listing
        self._bundle = bundle
        self._records = bundle / RECORDS
        self._hashes = bundle / HASHES / sealed.hashes_file
        self._records_file = self._records / sealed.records_file
        self._topic = topic
        self._sealed = sealed
        self._found = found
        self._heads = {p: genesis(topic, p) for p in sealed.partitions}
        self._differences = _Differences(topic)

    def check(self) -> None:
        """Say everything that is not as it was sealed."""
        broken = self._found.broken
        intact = _digest(self._bundle, self._hashes) == self._sealed.hashes_sha256
        if not intact:
            broken.append(f"{HASHES}/{self._sealed.hashes_file} is not the file that was sealed")
        unreadable = self._compare()
        broken += self._differences.lines()
        if unreadable:
            broken.append(unreadable)
        if not (self._differences or unreadable):
            self._check_whole()

    def _check_whole(self) -> None:
        """Every record fits its hash: so must the chain, and the file."""
        for partition, sealed in self._sealed.partitions.items():
            if self._heads[partition].hex() != sealed.head:
                self._found.broken.append(
                    f"{self._topic}[{partition}]: the chain of its records ends in another head"
                )
        if _digest(self._bundle, self._records_file) != self._sealed.records_sha256:
            self._found.broken.append(
                f"{RECORDS}/{self._sealed.records_file} is not the file that was sealed, though "
                "every record in it is"
            )

    def _compare(self) -> str:
        """Walk records and hashes side by side; returns why the walk could not go on, or ""."""
        hashes, records = self._read_hashes(), self._read_records()
        last = f"{self._topic} from its beginning"
        try:
            sealed, found = next(hashes, None), next(records, None)
            while sealed is not None or found is not None:
                if found is not None:
                    last = location_of(self._topic, *found[0])
                if found is None or (sealed is not None and sealed[0] < found[0]):
                    assert sealed is not None, "one of both is there"
                    self._differences.note(sealed[0], sealed[1], None)
                    sealed = next(hashes, None)
                elif sealed is None or found[0] < sealed[0]:
                    self._differences.note(found[0], None, found[1])
                    found = next(records, None)
                else:
                    if sealed[1] != found[1]:
                        self._differences.note(sealed[0], sealed[1], found[1])
                    sealed, found = next(hashes, None), next(records, None)
        except UNREADABLE as error:
            return f"{last}: behind it nothing can be read: {error}"
        return ""

    def _read_hashes(self) -> Iterator[tuple[PartitionOffset, bytes]]:
        for partition, offset, content in read_hashes(self._hashes, inside=self._bundle):
            yield (partition, offset), content

    def _read_records(self) -> Iterator[tuple[PartitionOffset, bytes]]:
        for record in self._file_records():
            content = record_sha256(record)
            self._found.records += 1
            if record.partition in self._heads:
                head = self._heads[record.partition]
                self._heads[record.partition] = link(head, record.offset, content)
            yield (record.partition, record.offset), content

    def _file_records(self) -> Iterator[Record]:
        """Through the manifest of the export, which was checked before."""
        yield from read_records(self._records, [self._topic], exact=False, manifest=self._listing)
