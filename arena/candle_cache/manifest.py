"""The manifest of a series: its days, with rows, digests, gaps and sources. Pure.

A day is replaced in three steps: the new file is written beside the old one, the manifest names
its digest (and that of the old file as `replaces`), and the file is renamed. A process that is
killed in between leaves the old file, or none: in both cases the day counts as missing, and is
fetched again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson

from arena.candle_cache.series import DAY_S, Series, day_name, days_of, read_day_name
from arena.candle_cache.spans import Span, Spans, union, within, without
from arena.pricefiles.times import time_iso

FORMAT: Final = 1
SHA256_CHARS: Final = 64
SIMULATED: Final = "(simulated"
"""In the source of candles of a simulated exchange; the names of files rarely have it."""


@dataclass(frozen=True, slots=True)
class DayEntry:
    """One day of a series.

    Attributes:
        rows: Number of candles.
        sha256: SHA-256 of the file, in hex.
        covers: The parts of the day that the source was asked for.
        gaps: The candles in them that it does not have.
        source: The host or the file that the candles came from.
        fetched_at: Wall time at which they were written.
        replaces: SHA-256 of the file before, or "".
    """

    rows: int
    sha256: str
    covers: Spans
    gaps: Spans
    source: str
    fetched_at: datetime
    replaces: str = ""

    @property
    def is_simulated(self) -> bool:
        """True if the candles are those of a simulated exchange."""
        return SIMULATED in self.source


@dataclass(frozen=True, slots=True)
class Manifest:
    """The days of a series.

    Attributes:
        series: The series.
        days: Start of the day in Unix seconds -> its entry, oldest first.
    """

    series: Series
    days: Mapping[int, DayEntry] = field(default_factory=dict)

    def missing(self, start_s: int, end_s: int) -> list[int]:
        """The days of a range that are not whole in it, oldest first."""
        found = []
        for day_s in days_of(start_s, end_s):
            wanted = (max(day_s, start_s), min(day_s + DAY_S, end_s))
            entry = self.days.get(day_s)
            if entry is None or within(entry.covers, *wanted) != (wanted,):
                found.append(day_s)
        return found

    @property
    def gaps(self) -> Spans:
        """The missing candles of all days."""
        return union(span for entry in self.days.values() for span in entry.gaps)

    def with_days(self, days: Mapping[int, DayEntry]) -> "Manifest":
        """A manifest in which some days are new or replaced."""
        merged = {**self.days, **days}
        return Manifest(self.series, {day: merged[day] for day in sorted(merged)})


def encode_manifest(manifest: Manifest) -> bytes:
    """The content of `manifest.json`."""
    series = manifest.series
    body = {
        "format": FORMAT,
        "venue": series.venue,
        "product": series.symbol,
        "granularity": series.granularity,
        "days": {day_name(day): _encode(entry) for day, entry in manifest.days.items()},
    }
    return orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _encode(entry: DayEntry) -> dict[str, object]:
    body: dict[str, object] = {
        "rows": entry.rows,
        "sha256": entry.sha256,
        "covers": [_encode_span(span) for span in entry.covers],
        "gaps": [_encode_span(span) for span in entry.gaps],
        "source": entry.source,
        "fetched_at": time_iso(int(entry.fetched_at.timestamp())),
    }
    return body | ({"replaces": entry.replaces} if entry.replaces else {})


def encode_spans(spans: Spans) -> list[dict[str, str]]:
    """Spans as JSON: `[{"from": "2026-01-31T04:00:00Z", "to": ...}]`."""
    return [_encode_span(span) for span in spans]


def _encode_span(span: Span) -> dict[str, str]:
    return {"from": time_iso(span[0]), "to": time_iso(span[1])}


def decode_manifest(content: bytes, series: Series) -> Manifest:
    """The manifest in the content of a file.

    Raises:
        ValueError: It is not the manifest of the series.
    """
    body = orjson.loads(content)
    try:
        if body["format"] != FORMAT:
            raise ValueError(f"format {body['format']!r} is unknown to this version")
        named = Series(body["venue"], body["product"], body["granularity"])
        if named != series:
            raise ValueError(f"it is that of {named}")
        starts = {read_day_name(name): entry for name, entry in body["days"].items()}
        days = {day: _decode(entry, day, series.step_s) for day, entry in starts.items()}
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"not a manifest: {error!r}"[:200]) from None
    return Manifest(series, {day: days[day] for day in sorted(days)})


# Any: the JSON of a file, checked here.
def _decode(entry: Mapping[str, Any], day_s: int, step_s: int) -> DayEntry:
    rows, sha256 = entry["rows"], str(entry["sha256"])
    if not isinstance(rows, int) or rows < 0 or len(sha256) != SHA256_CHARS:
        raise ValueError("a day without rows or SHA-256")
    covers = union(_decode_span(span) for span in entry["covers"])
    gaps = union(_decode_span(span) for span in entry["gaps"])
    if within(covers, day_s, day_s + DAY_S) != covers or without(gaps, covers):
        raise ValueError(f"{day_name(day_s)} has times of other days")
    expected = (_seconds(covers) - _seconds(gaps)) // step_s
    if rows != expected:
        raise ValueError(
            f"{day_name(day_s)} has {rows:,} rows, but its times and gaps give {expected:,}"
        )
    return DayEntry(
        rows,
        sha256,
        covers,
        gaps,
        str(entry["source"]),
        datetime.fromisoformat(entry["fetched_at"]),
        str(entry.get("replaces", "")),
    )


def _seconds(spans: Spans) -> int:
    return sum(last - first for first, last in spans)


def _decode_span(span: Mapping[str, str]) -> Span:
    moments = [datetime.fromisoformat(span[key]) for key in ("from", "to")]
    if any(moment.tzinfo is None for moment in moments):
        raise ValueError("a time without a zone")
    first, last = (int(moment.timestamp()) for moment in moments)
    return first, last
