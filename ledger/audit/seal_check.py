"""Checks that a bundle is what was sealed, and names the records that are not. Uses no broker.

It checks the signature or digest of the seal, then every file, then every record against its hash:
a record that was changed, removed, added or swapped is named by its location.
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
"""Records of a topic that are listed; the rest are counted."""
BROKEN_MAX = 2_000
"""Faults of a bundle that are listed; the rest are counted."""
SIGNATURE_BYTES_MAX = 1_024
STEP = "seal"

PartitionOffset = tuple[int, int]
UNREADABLE = (ArenaError, ValueError, TypeError, KeyError, OverflowError)
"""Errors that reading a Parquet file with changed bytes may raise."""


@dataclass(slots=True)
class SealCheck:
    """The result of checking a seal.

    Attributes:
        lines: What holds, for people. broken: the faults; each names a file or a record.
        records: The number of records checked. more: the number of faults not in `broken`.
    """

    lines: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    records: int = 0
    more: int = 0

    def cut(self) -> None:
        """Count the faults beyond the bound, and drop them."""
        self.more += max(0, len(self.broken) - BROKEN_MAX)
        del self.broken[BROKEN_MAX:]


@dataclass(slots=True)
class _Differences:
    """The records of a topic that differ from the sealed ones."""

    topic: str
    changed: dict[PartitionOffset, tuple[bytes, bytes]] = field(default_factory=dict)
    missing: dict[PartitionOffset, bytes] = field(default_factory=dict)
    added: dict[PartitionOffset, bytes] = field(default_factory=dict)
    more: int = 0

    def note(self, location: PartitionOffset, sealed: bytes | None, found: bytes | None) -> None:
        """Note a record with the sealed hash and the one that was found."""
        if len(self.changed) + len(self.missing) + len(self.added) >= NAMED_MAX:
            self.more += 1
        elif sealed is not None and found is not None:
            self.changed[location] = (sealed, found)
        elif sealed is not None:
            self.missing[location] = sealed
        elif found is not None:
            self.added[location] = found

    def lines(self) -> Iterator[str]:
        """Yield a line per record, in the order of their offsets."""
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
        """True if there is any."""
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
        bundle: The folder of the bundle.
        public_hex: The key that must have signed it; None accepts any key, or no signature.
        sha256: The expected digest of seal.json; None accepts any.
        progress: Receives the records checked.

    Raises:
        UsageError: The bundle has no seal.
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
        found.broken.append(f"{RECORDS}: cannot be read: {error}")
        return found
    total = seal.count
    for topic, sealed in seal.topics.items():
        _TopicCheck(bundle, topic, sealed, found, listing).check()
        found.cut()
        progress(Step(STEP, topic, found.records, total))
    if found.more:
        found.broken.append(f"... and {found.more:,} more findings ({BROKEN_MAX:,} are listed)")
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
        signer = seal.signed_by or "no key"
        found.broken.append(f"seal.json is signed by {signer}, not by {public_hex}")
    if not seal.signed_by:
        if (bundle / SIGNATURE_FILE).exists():
            found.broken.append(f"{SIGNATURE_FILE} exists, but seal.json says it is not signed")
        found.lines.append(
            "seal: not signed; anyone who can write the folder can seal it: compare the SHA-256"
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
    """Return the SHA-256 of a file of the bundle; "" if it is missing or cannot be read.

    Raises:
        NotReadable: It is not a regular file in the bundle, or too large.
    """
    try:
        return file_sha256(path, inside=bundle, bytes_max=bytes_max)
    except OSError:
        return ""


class _TopicCheck:
    """Checks one topic of a bundle: its two files, its records and its chain."""

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
        """Report everything that differs from what was sealed."""
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
        """Check the chain and the file, after every record has matched its hash."""
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
        """Compare records and hashes one by one; return why that had to stop, or ""."""
        hashes, records = self._read_hashes(), self._read_records()
        last = f"{self._topic} from its beginning"
        try:
            sealed, found = next(hashes, None), next(records, None)
            while sealed is not None or found is not None:
                if found is not None:
                    last = location_of(self._topic, *found[0])
                if found is None or (sealed is not None and sealed[0] < found[0]):
                    assert sealed is not None, "at least one of them is there"
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
            return f"{last}: nothing can be read after it: {error}"
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
        """Read the records through the manifest of the export, which was checked before."""
        yield from read_records(self._records, [self._topic], exact=False, manifest=self._listing)
