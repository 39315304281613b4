"""Formats a trace as JSON and as text."""

from pydantic import JsonValue

from arena.visible_text import visible_line
from ledger.audit.sources import RecordSource
from ledger.audit.trace import TraceStep


def document(source: RecordSource, order_id: str, steps: list[TraceStep]) -> dict[str, JsonValue]:
    """Return a trace for programs."""
    return {
        "source": source.name,
        "order_id": order_id,
        "ok": all(step.holds for step in steps),
        "complete": not any(step.missing for step in steps),
        "steps": [
            {
                "step": step.name,
                "place": step.location,
                "sha256": step.sha256,
                "says": step.summary,
                "missing": step.missing,
                "checks": [
                    {"what": c.what, "expected": c.expected, "found": c.found, "holds": c.holds}
                    for c in step.checks
                ],
            }
            for step in steps
        ],
    }


def lines(steps: list[TraceStep]) -> list[str]:
    """Return the lines of a trace for people."""
    text = []
    for step in steps:
        if step.missing:
            text.append(f"{step.name:<24} -  {step.missing}")
            continue
        text.append(f"{step.name:<24} {step.location}")
        text.append(f"{'':<24} {step.summary}")
        text.append(f"{'':<24} SHA-256 {step.sha256}")
        for check in step.checks:
            if check.holds:
                text.append(f"{'':<24} same  {check.what}: {check.found}")
            else:
                differ = f"expected {check.expected}, found {check.found}"
                text.append(f"{'':<24} DIFFERENT  {check.what}: {differ}")
    return [visible_line(line) for line in text]
