"""What a checker is, and what it says: how much it looked at, and what was wrong where. Pure."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from arena.exports import Span
from ledger.audit.decoding import DecodedRecord

VIOLATIONS_NAMED_MAX = 100
"""Findings of one invariant that are named; the rest are counted."""
TEXT_CHARS_MAX = 160


class InvariantStatus(StrEnum):
    """What an audit can say of an invariant."""

    PASS = "pass"
    FAIL = "fail"
    NOT_CHECKABLE = "not_checkable"


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong.

    Attributes:
        place: Of the record: "account.events[0]@17".
        subject: The ids that tell whose it is.
        expected, found: In words or figures.
    """

    location: str
    subject: str
    expected: str
    found: str

    def __str__(self) -> str:
        """One line for people."""
        who = f" ({self.subject})" if self.subject else ""
        return f"{self.location}{who}: expected {self.expected}, found {self.found}"


@dataclass(slots=True)
class InvariantResult:
    """What was found of one invariant.

    Attributes:
        looked_at: What was looked at -> how much.
        findings: The first `VIOLATIONS_NAMED_MAX`. failures: how many there are.
        why: Where it could not be checked: what these records lack.
        notes: What could not be checked beside what was, or must be known to read the counts.
    """

    number: int
    title: str
    status: InvariantStatus
    counts: dict[str, int] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    failures: int = 0
    why: str = ""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Scope:
    """The records an audit is given.

    Attributes:
        spans: Topic -> partition -> what of it is there.
        live: The arena runs on: what refers to a newer record than these is no fault.
    """

    spans: Mapping[str, Mapping[int, Span]]
    live: bool = False

    def lacks(self, needs: tuple[str, ...]) -> list[str]:
        """Those of the topics that are not there; a name that ends in a dot is a family."""
        return [need for need in needs if not self.has(need)]

    def has(self, topic: str) -> bool:
        """True where a topic, or any of a family, is there."""
        if topic.endswith("."):
            return any(name.startswith(topic) for name in self.spans)
        return topic in self.spans

    def first(self, topic: str, partition: int) -> int:
        """Offset of the oldest record of a partition; 0 where it is not there."""
        span = self.spans.get(topic, {}).get(partition)
        return 0 if span is None else span.first

    def end(self, topic: str, partition: int) -> int:
        """Offset behind the newest record of a partition; 0 where it is not there."""
        span = self.spans.get(topic, {}).get(partition)
        return 0 if span is None else span.end


class Checker(ABC):
    """Folds records into what is to be said of one invariant.

    Attributes:
        number: As in the design. title: what must hold, in a few words.
        needs: Topics without which nothing can be said.
        required_count: The count that must not be zero: without it there was nothing to check.
    """

    number: ClassVar[int]
    title: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]
    required_count: ClassVar[str]

    def __init__(self, scope: Scope) -> None:
        """Nothing seen yet."""
        self.scope = scope
        self.counts: Counter[str] = Counter()
        self.violations: list[Violation] = []
        self.failures = 0
        self.notes: list[str] = []
        self.why = ""

    @abstractmethod
    def take(self, seen: DecodedRecord) -> None:
        """Take in one record; they come topic by topic in the order of `reading.ORDER`."""

    def finish(self) -> None:
        """Everything was seen."""
        return

    def expect(self, true: bool, seen: str, subject: str, expected: str, found: object) -> bool:
        """Note a finding unless something is true; returns what it is."""
        if not true:
            self.failures += 1
            if len(self.violations) < VIOLATIONS_NAMED_MAX:
                text = str(found)
                if len(text) > TEXT_CHARS_MAX:
                    text = text[:TEXT_CHARS_MAX] + "..."
                self.violations.append(Violation(seen, subject, expected, text))
        return true

    def result(self) -> InvariantResult:
        """What is to be said, after `finish`."""
        status = InvariantStatus.FAIL if self.failures else InvariantStatus.PASS
        why = self.why
        if not self.failures:
            if lacking := self.scope.lacks(self.needs):
                why = f"these records hold no {', '.join(lacking)}"
            elif not why and not self.counts[self.required_count]:
                why = f"these records hold no {self.required_count}"
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
