"""`arena audit verify`: checks every invariant on one source, and formats the report.

Reads the records of a source; other processes do the replay (invariant 8).
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from arena import topics
from arena.accounts import Shard
from arena.bus.base import Record
from arena.errors import UsageError
from arena.plural import counted
from arena.progress import Progress, Step, no_progress
from arena.shards import digest_of
from arena.visible_text import visible_line
from ledger.audit.auditor import UNREADABLE, Auditor
from ledger.audit.books import check_books
from ledger.audit.checker import VIOLATIONS_NAMED_MAX, InvariantResult, InvariantStatus, Scope
from ledger.audit.holdings import HoldingsChecker
from ledger.audit.offsets import compacted
from ledger.audit.plugin_files import plugin_files, plugin_lines
from ledger.audit.replay import NUMBER, TITLE
from ledger.audit.seal_check import SealCheck, check_seal
from ledger.audit.sources import RecordSource

STEP = "audit"
STEP_RECORDS = 2_000
QUIET_S = 2.0
"""Work that takes no longer than this shows no progress."""


@dataclass(slots=True)
class AuditReport:
    """The result of an audit.

    Attributes:
        source: The name of the source. records, topics: how many were read.
        results: The results by invariant.
        account_digest: The hash of all accounts, as the fold has them.
        seconds: How long the audit took.
        seal: Lines about the seal, if it is a bundle. broken: faults of the seal.
        recorded_by: Version of the arena -> number of records that it wrote.
        older: The same as text, if any record is of another version than this one.
        not_kept: Topic -> number of offsets before its oldest records, deleted by retention.
        plugins: Tools and strategies outside the source tree.
    """

    source: str
    records: int
    topics: int
    results: list[InvariantResult]
    account_digest: str
    seconds: float
    seal: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    recorded_by: dict[str, int] = field(default_factory=dict)
    older: str = ""
    not_kept: dict[str, int] = field(default_factory=dict)
    plugins: list[dict[str, str]] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """True if the seal is broken or an invariant fails."""
        return bool(self.broken) or any(v.status is InvariantStatus.FAIL for v in self.results)

    def document(self) -> dict[str, JsonValue]:
        """Return the report for programs; keys are only added."""
        return {
            "source": self.source,
            "ok": not self.failed,
            "records": self.records,
            "recorded_by": {**self.recorded_by},
            "no_longer_kept": {**self.not_kept},
            "topics": self.topics,
            "account_digest": self.account_digest,
            "seconds": round(self.seconds, 3),
            "seal": [*self.seal],
            "seal_broken": [*self.broken],
            "outside": [{**one} for one in self.plugins],
            "invariants": [result_document(v) for v in self.results],
        }


def result_document(result: InvariantResult) -> dict[str, JsonValue]:
    """Return the result of an invariant for programs."""
    return {
        "number": result.number,
        "title": result.title,
        "status": result.status.value,
        "looked_at": {**result.counts},
        "failures": result.failures,
        "findings": [
            {
                "place": f.location,
                "subject": f.subject,
                "expected": f.expected,
                "found": f.found,
            }
            for f in result.violations
        ],
        "why": result.why,
        "notes": [*result.notes],
    }


def audit(
    source: RecordSource,
    *,
    secrets: Mapping[str, str] | None = None,
    replay: Callable[[RecordSource, str, Progress], InvariantResult] | None = None,
    check: SealCheck | None = None,
    books: str | None = None,
    progress: Progress = no_progress,
) -> AuditReport:
    """Check every invariant on the records of a source.

    Args:
        source: The records.
        secrets: Name -> value of secrets that no record may contain.
        replay: Checks invariant 8, given the digest of the accounts; None skips it.
        check: The result of checking the seal, if the source is a bundle.
        books: The address of the books; by default those of the run.
        progress: Receives the number of records read.
    """
    began_s = time.monotonic()
    try:
        auditor = Auditor(source.scope(), secrets)
        auditor.take_all(_with_progress(source.read(), source.count(), after_quiet(progress)))
    except UNREADABLE as error:
        if check is None or not check.broken:
            raise
        return _unreadable(source, check, str(error), time.monotonic() - began_s)
    results = auditor.results()
    digest = auditor.holdings.digest()
    check_books(source, next(v for v in results if v.number == HoldingsChecker.number), books)
    if replay is not None:
        again = replay(source, digest, after_quiet(progress))
    else:
        why = "`arena audit replay` replays the records"
        again = InvariantResult(NUMBER, TITLE, InvariantStatus.NOT_CHECKABLE, why=why)
    results.append(again)
    results.sort(key=lambda result: result.number)
    return AuditReport(
        source=source.name,
        records=auditor.records,
        topics=len(source.topics()),
        results=results,
        account_digest=digest,
        seconds=time.monotonic() - began_s,
        seal=[] if check is None else check.lines,
        broken=[] if check is None else check.broken,
        plugins=_plugins(source),
        recorded_by=auditor.recorded.versions(),
        older=auditor.recorded.describe(),
        not_kept=no_longer_kept(source.scope()),
    )


def no_longer_kept(scope: Scope) -> dict[str, int]:
    """Return how many offsets of each topic that is not compacted were deleted by retention."""
    found = {
        topic: sum(span.first for span in spans.values())
        for topic, spans in scope.spans.items()
        if not compacted(topic)
    }
    return {topic: count for topic, count in found.items() if count}


def _unreadable(source: RecordSource, check: SealCheck, why: str, seconds: float) -> AuditReport:
    """Return the report of a bundle with changed bytes: only the seal could be checked."""
    broken = [*check.broken, f"no invariant can be checked: {why}"]
    return AuditReport(source.name, check.records, 0, [], "", seconds, check.lines, broken)


def _plugins(source: RecordSource) -> list[dict[str, str]]:
    held = topics.ROSTER.name in source.topics()
    return plugin_files(source.read([topics.ROSTER.name])) if held else []


def check_bundle(
    source: RecordSource,
    public_hex: str | None,
    sha256: str | None,
    progress: Progress = no_progress,
) -> SealCheck | None:
    """Check the seal of a source; None if it is not a bundle.

    Raises:
        UsageError: A key or digest is given, but the source is not sealed.
    """
    if source.bundle is None:
        if public_hex or sha256:
            raise UsageError(f"{source.name} is not sealed", remedy="arena audit export seals it")
        return None
    return check_seal(source.bundle, public_hex=public_hex, sha256=sha256, progress=progress)


def account_digest(source: RecordSource) -> str:
    """Fold the accounts of a source, and return their hash.

    Raises:
        BrokenLog: The account log cannot be folded.
    """
    shards: dict[int, Shard] = {}
    passed_over = source.passed_over()
    for record in source.read([topics.EVENTS.name]):
        kind = record.kind
        if (shard := shards.get(record.partition)) is None:
            named = passed_over.get(record.partition, {})
            shard = shards[record.partition] = Shard(next_offset=record.offset, passed_over=named)
        shard.apply(kind, record.value, record.offset)
    return digest_of(shards.values())


def after_quiet(progress: Progress, quiet_s: float = QUIET_S) -> Progress:
    """Return a progress callback that drops everything in its first seconds."""
    until_s = time.monotonic() + quiet_s

    def show(step: Step) -> None:
        if time.monotonic() >= until_s:
            progress(step)

    return show


def _with_progress(records: Iterator[Record], total: int, progress: Progress) -> Iterator[Record]:
    done = 0
    for record in records:
        yield record
        done += 1
        if done % STEP_RECORDS == 0:
            progress(Step(STEP, f"{done:,} of {total:,} records", done, total))
    progress(Step(STEP, f"{done:,} records", done, total, finished=True))


def lines(found: AuditReport) -> list[str]:
    """Return the report as lines for people."""
    held = f"{counted(found.records, 'record')} of {counted(found.topics, 'topic')}"
    text = [f"{found.source}: {held}", *found.seal]
    text += [f"  BROKEN  {line}" for line in found.broken]
    if found.older:
        text.append(found.older)
    if found.not_kept:
        named = ", ".join(f"{count:,} of {topic}" for topic, count in found.not_kept.items())
        text.append(f"no longer kept: {named}")
    text += plugin_lines(found.plugins)
    for result in found.results:
        text += result_lines(result)
    text.append(f"accounts {found.account_digest}")
    failed = [str(v.number) for v in found.results if v.status is InvariantStatus.FAIL]
    open_ = [str(v.number) for v in found.results if v.status is InvariantStatus.NOT_CHECKABLE]
    passed = len(found.results) - len(failed) - len(open_)
    summary = [f"{passed} of {len(found.results)} invariants hold"]
    if failed:
        summary.append(f"broken: {', '.join(failed)}")
    if open_:
        summary.append(f"not checkable here: {', '.join(open_)}")
    if found.broken:
        summary.append("the seal is broken")
    text.append("; ".join(summary))
    return [visible_line(line) for line in text]


def result_lines(result: InvariantResult) -> list[str]:
    """Return the result of an invariant as lines for people."""
    words = {
        InvariantStatus.PASS: "PASS",
        InvariantStatus.FAIL: "FAIL",
        InvariantStatus.NOT_CHECKABLE: "-",
    }
    counts = ", ".join(f"{count:,} {name}" for name, count in result.counts.items())
    text = [f"{result.number:>3} {words[result.status]:<5} {result.title}"]
    if counts:
        text.append(f"          {counts}")
    if result.why:
        text.append(f"          not checkable here: {result.why}")
    text += [f"          note: {note}" for note in result.notes]
    text += [f"          {violation}" for violation in result.violations]
    if (more := result.failures - len(result.violations)) > 0:
        text.append(f"          ... and {more:,} more ({VIOLATIONS_NAMED_MAX} are listed)")
    return [visible_line(line) for line in text]
