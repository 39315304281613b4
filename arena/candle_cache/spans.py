"""Sets of times as spans `(from, to)` in Unix seconds, `to` not included. Pure."""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from arena.candle_cache.series import DAY_S

Span = tuple[int, int]
Spans = tuple[Span, ...]

SHOWN_MAX: Final = 5


def union(spans: Iterable[Span]) -> Spans:
    """Spans in order; those that overlap or touch are one, empty ones are left out."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if start >= end:
            continue
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)


def without(spans: Iterable[Span], others: Iterable[Span]) -> Spans:
    """The parts of spans that are in no other span."""
    left = union(spans)
    for start, end in union(others):
        left = union(
            part
            for first, last in left
            for part in ((first, min(last, start)), (max(first, end), last))
        )
    return left


def within(spans: Iterable[Span], start_s: int, end_s: int) -> Spans:
    """The parts of spans from `start_s` to `end_s`."""
    return union((max(first, start_s), min(last, end_s)) for first, last in spans)


def missing(starts: Collection[int], covers: Iterable[Span], step_s: int) -> Spans:
    """The candles that covered spans do not have.

    Args:
        starts: Starts of the candles that there are.
        covers: The spans that the source was asked for.
        step_s: Seconds of a candle.
    """
    return union(
        (start, start + step_s)
        for first, last in covers
        for start in range(first, last, step_s)
        if start not in starts
    )


def spans_text(spans: Sequence[Span]) -> str:
    """Spans for people: "2026-01-31 04:00 to 04:15 UTC, ..."; at most `SHOWN_MAX`."""
    parts = [_span_text(*span) for span in spans[:SHOWN_MAX]]
    if len(spans) > SHOWN_MAX:
        parts.append(f"and {len(spans) - SHOWN_MAX:,} more")
    return ", ".join(parts)


def _span_text(start_s: int, end_s: int) -> str:
    start, end = (datetime.fromtimestamp(s, UTC) for s in (start_s, end_s))
    whole_days = not start_s % DAY_S and not end_s % DAY_S
    if whole_days and end_s - start_s == DAY_S:
        return f"{start:%Y-%m-%d}"
    if whole_days:
        last = datetime.fromtimestamp(end_s - DAY_S, UTC)
        return f"{start:%Y-%m-%d} to {last:%Y-%m-%d}"
    same_day = start.date() == end.date()
    return f"{start:%Y-%m-%d %H:%M} to {end:{'%H:%M' if same_day else '%Y-%m-%d %H:%M'}} UTC"
