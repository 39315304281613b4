"""The base class of the checkers, and their results. Pure."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from arena.exports import PartitionSpan
from ledger.audit.decoding import DecodedRecord

VIOLATIONS_NAMED_MAX = 100
"""Violations of one invariant that are listed; the rest are counted."""
TEXT_CHARS_MAX = 160


class InvariantStatus(StrEnum):
    """The status of an invariant after an audit."""

    PASS = "pass"
    FAIL = "fail"
    NOT_CHECKABLE = "not_checkable"


@dataclass(frozen=True, slots=True)
class Violation:
    """One record that violates an invariant.

    Attributes:
        location: The location of the record, such as "account.events[0]@17".
        subject: The ids of the order, turn or agent that it belongs to.
        expected, found: The expected and the actual value, as text.
    """

    location: str
    subject: str
    expected: str
    found: str

    def __str__(self) -> str:
        """Return one line for people."""
        subject = f" ({self.subject})" if self.subject else ""
        return f"{self.location}{subject}: expected {self.expected}, found {self.found}"


@dataclass(slots=True)
class InvariantResult:
    """The result of checking one invariant.

    Attributes:
        number: Its number in the design. title: what must hold, in a few words.
        counts: Kind of thing -> how many of them were checked.
        violations: The first `VIOLATIONS_NAMED_MAX` violations. failures: the number of all.
        why: Why it could not be checked: what the records lack.
        notes: Parts that could not be checked, and explanations of the counts.
    """

    number: int
    title: str
    status: InvariantStatus
    counts: dict[str, int] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    failures: int = 0
    why: str = ""
    notes: list[str] = field(default_factory=list)

    def fail(self, violation: Violation) -> None:
        """Count a violation; the first `VIOLATIONS_NAMED_MAX` are listed."""
        self.status = InvariantStatus.FAIL
        self.failures += 1
        if len(self.violations) < VIOLATIONS_NAMED_MAX:
            self.violations.append(violation)


@dataclass(frozen=True, slots=True)
class Scope:
    """The extent of the records to audit.

    Attributes:
        spans: Topic -> partition -> the offsets that are there.
        live: The arena is running, so a reference to a newer record is not a violation.
    """

    spans: Mapping[str, Mapping[int, PartitionSpan]]
    live: bool = False

    def lacks(self, needs: tuple[str, ...]) -> list[str]:
        """Return the topics that are missing; a name that ends in a dot is a family."""
        return [need for need in needs if not self.has(need)]

    def has(self, topic: str) -> bool:
        """True if the records include a topic, or any topic of a family."""
        if topic.endswith("."):
            return any(name.startswith(topic) for name in self.spans)
        return topic in self.spans

    def first(self, topic: str, partition: int) -> int:
        """Return the offset of the oldest record of a partition; 0 if it is missing."""
        span = self.spans.get(topic, {}).get(partition)
        return 0 if span is None else span.first

    def end(self, topic: str, partition: int) -> int:
        """Return the offset after the newest record of a partition; 0 if it is missing."""
        span = self.spans.get(topic, {}).get(partition)
        return 0 if span is None else span.end


class Checker(ABC):
    """Checks one invariant on a stream of records.

    Attributes:
        number: Its number in the design. title: what must hold, in a few words.
        needs: Topics that it needs.
        required_count: The count that must not be zero; otherwise there was nothing to check.
        counts: Kind of thing -> how many of them were checked.
        violations: The first `VIOLATIONS_NAMED_MAX` violations. failures: the number of all.
        notes, why: As in `InvariantResult`.
    """

    number: ClassVar[int]
    title: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]
    required_count: ClassVar[str]

    def __init__(self, scope: Scope) -> None:
        """Start without records.

        Args:
            scope: What records will come.
        """
        self.scope = scope
        self.counts: Counter[str] = Counter()
        self.violations: list[Violation] = []
        self.failures = 0
        self.notes: list[str] = []
        self.why = ""

    @abstractmethod
    def take(self, decoded: DecodedRecord) -> None:
        """Check one record; they come topic by topic in the order of `decoding.ORDER`."""

    def finish(self) -> None:
        """Check what can only be checked after the last record."""
        return

    def expect(
        self, holds: bool, location: str, subject: str, expected: str, found: object
    ) -> bool:
        """Add a violation unless `holds`; return `holds`."""
        if not holds:
            self.failures += 1
            if len(self.violations) < VIOLATIONS_NAMED_MAX:
                text = str(found)
                if len(text) > TEXT_CHARS_MAX:
                    text = text[:TEXT_CHARS_MAX] + "..."
                self.violations.append(Violation(location, subject, expected, text))
        return holds

    def result(self) -> InvariantResult:
        """Return the result; call it after `finish`."""
        status = InvariantStatus.FAIL if self.failures else InvariantStatus.PASS
        why = self.why
        if not self.failures:
            if lacking := self.scope.lacks(self.needs):
                why = f"these records have no {', '.join(lacking)}"
            elif not why and not self.counts[self.required_count]:
                why = f"these records have no {self.required_count}"
            if why:
                status = InvariantStatus.NOT_CHECKABLE
        return InvariantResult(
            number=self.number,
            title=self.title,
            status=status,
            counts={name: count for name, count in self.counts.items() if count},
            violations=self.violations,
            failures=self.failures,
            why=why if status is InvariantStatus.NOT_CHECKABLE else "",
            notes=self.notes,
        )
