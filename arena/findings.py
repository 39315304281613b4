"""Findings of checks, and how they are shown. Pure.

`arena doctor`, `arena chat-node --check` and the quick check before a start report findings: each
has the name of the check, a state, a detail, and a remedy if there is one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from pydantic import JsonValue

from arena.visible_text import one_line

CHECK_CHARS_MAX = 40
DETAIL_CHARS_MAX = 600


class FindingState(StrEnum):
    """State of a finding: fine, usable with care, or not usable."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


_COLOURS = {FindingState.OK: "32", FindingState.WARNING: "33", FindingState.BROKEN: "1;31"}
_INDENT = 2
_STATE_WIDTH = max(len(state) for state in FindingState)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        check: Name of the check.
        state: The state.
        detail: What was found.
        remedy: What to do; "" for nothing.
        node: Name of the chat node; "" for other findings.
        cause: A `Cause` for programs; "" if there is none.
    """

    check: str
    state: FindingState
    detail: str
    remedy: str = ""
    node: str = ""
    cause: str = ""

    def as_json(self) -> dict[str, JsonValue]:
        """The four fields that programs may rely on."""
        return {
            "check": self.check,
            "state": self.state.value,
            "detail": self.detail,
            "remedy": self.remedy,
        }

    @property
    def text(self) -> str:
        """Detail and remedy on one line."""
        return f"{self.detail}; {self.remedy}" if self.remedy else self.detail


def ok(check: str, detail: str) -> Finding:
    """A finding without a problem."""
    return Finding(check, FindingState.OK, detail)


def warning(check: str, detail: str, remedy: str = "", *, cause: str = "") -> Finding:
    """A finding that does not prevent a start."""
    return Finding(check, FindingState.WARNING, detail, remedy, cause=cause)


def broken(check: str, detail: str, remedy: str = "", *, cause: str = "") -> Finding:
    """A finding that must be fixed first."""
    return Finding(check, FindingState.BROKEN, detail, remedy, cause=cause)


def of_node(node: str, findings: Iterable[Finding]) -> list[Finding]:
    """Findings of a chat node, with its name in front."""
    return [replace(f, check=f"{node}: {f.check}", node=node) for f in findings]


def any_broken(findings: Iterable[Finding]) -> bool:
    """True if a finding must be fixed first."""
    return any(finding.state is FindingState.BROKEN for finding in findings)


def finding_lines(findings: Sequence[Finding], *, colour: bool) -> list[str]:
    """Aligned lines for people.

    Args:
        findings: Findings, in the order in which they are shown.
        colour: True to use ANSI colours.
    """
    names = [one_line(f.check, CHECK_CHARS_MAX) for f in findings]
    width = max(map(len, names), default=0)
    indent = " " * (_STATE_WIDTH + width + 2 * _INDENT + 1)
    found = []
    for finding, check in zip(findings, names, strict=True):
        state = f"{finding.state.value:<{_STATE_WIDTH}}"
        if colour:
            state = f"\x1b[{_COLOURS[finding.state]}m{state}\x1b[0m"
        gap = " " * _INDENT
        detail = one_line(finding.detail, DETAIL_CHARS_MAX)
        found.append(f" {state}{gap}{check:<{width}}{gap}{detail}".rstrip())
        if finding.remedy:
            found.append(f"{indent}-> {one_line(finding.remedy, DETAIL_CHARS_MAX)}")
    return found


def findings_summary(findings: Sequence[Finding]) -> str:
    """Counts by state: "12 checks: 10 ok, 1 warning, 1 broken"."""
    counts = [sum(f.state is state for f in findings) for state in FindingState]
    parts = [
        f"{count} {state.value}" for count, state in zip(counts, FindingState, strict=True) if count
    ]
    noun = "check" if len(findings) == 1 else "checks"
    return f"{len(findings)} {noun}: {', '.join(parts)}" if parts else "nothing was checked"
