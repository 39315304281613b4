"""Checks the cache: digests, rows, gaps and files of every series."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation

from pydantic import JsonValue

from arena.candle_cache.manifest import DayEntry, encode_spans
from arena.candle_cache.series import DAY_S, Series
from arena.candle_cache.spans import Spans, missing, within
from arena.candle_cache.store import CandleStore, DayState
from arena.errors import UsageError
from arena.pricefiles.times import time_iso, time_text


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """What the cache has of one series.

    Attributes:
        series: The series.
        days: Number of days.
        first_s: Start of the oldest day, Unix seconds; None without one.
        last_s: End of what the newest day covers.
        rows: Number of candles.
        gaps: The missing candles of the days.
        size_bytes: Bytes of the files.
        sources: Where the candles came from.
        problems: What is wrong, each with its remedy.
    """

    series: Series
    days: int = 0
    first_s: int | None = None
    last_s: int | None = None
    rows: int = 0
    gaps: Spans = ()
    size_bytes: int = 0
    sources: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def missing(self) -> int:
        """Number of missing candles."""
        return sum(last - first for first, last in self.gaps) // self.series.step_s

    def as_json(self) -> dict[str, JsonValue]:
        """The facts as JSON."""
        return {
            "venue": self.series.venue,
            "product": self.series.product_id,
            "granularity": self.series.granularity,
            "days": self.days,
            "first": None if self.first_s is None else time_iso(self.first_s),
            "last": None if self.last_s is None else time_iso(self.last_s),
            "rows": self.rows,
            "missing": self.missing,
            "gaps": [dict(span) for span in encode_spans(self.gaps)],
            "bytes": self.size_bytes,
            "sources": list(self.sources),
        }


def list_series(store: CandleStore, series: Series) -> SeriesFacts:
    """The facts about a series according to its manifest; its files are not read.

    Raises:
        UsageError: The manifest cannot be read.
    """
    manifest = store.manifest(series)
    sizes = {day: _size(store, series, day) for day in manifest.days}
    days = {day: entry for day, entry in manifest.days.items() if sizes[day] is not None}
    covered = [last for entry in days.values() for _, last in entry.covers]
    return SeriesFacts(
        series=series,
        days=len(days),
        first_s=min(days, default=None),
        last_s=max(covered, default=None),
        rows=sum(entry.rows for entry in days.values()),
        gaps=manifest.gaps,
        size_bytes=sum(size or 0 for size in sizes.values()),
        sources=tuple(dict.fromkeys(entry.source for entry in days.values())),
    )


def _size(store: CandleStore, series: Series, day_s: int) -> int | None:
    try:
        return store.file(series, day_s).stat().st_size
    except OSError:
        return None


def check_series(store: CandleStore, series: Series) -> SeriesFacts:
    """Read every file of a series, and compare it with the manifest."""
    with store.reading(series):
        return _checked(store, series)


def _checked(store: CandleStore, series: Series) -> SeriesFacts:
    try:
        facts = list_series(store, series)
        manifest = store.manifest(series)
    except UsageError as error:
        return SeriesFacts(series, problems=(str(error),))
    problems = []
    states = store.states(manifest, list(manifest.days))
    for day, entry in manifest.days.items():
        if states[day] is DayState.MISSING and store.file(series, day).exists():
            problems.append(f"{store.file(series, day)} is older than its manifest; fetch it again")
            continue
        try:
            lines = store.read_day(series, day, entry)
        except UsageError as error:
            problems.append(str(error))
            continue
        if wrong := _wrong_in(series, day, entry, lines):
            problems.append(f"{store.file(series, day)}: {wrong}; remove it, and fetch it again")
    problems += [
        f"{path} is not in the manifest; move it elsewhere, and import it from there"
        for path in store.not_listed(manifest)
    ]
    return replace(facts, problems=tuple(problems))


def _wrong_in(series: Series, day_s: int, entry: DayEntry, lines: Mapping[int, str]) -> str:
    """What is wrong with the rows of a day; "" if nothing is."""
    step_s = series.step_s
    for start, line in lines.items():
        if start % step_s or not within(((start, start + step_s),), day_s, day_s + DAY_S):
            return f"{time_text(start)} does not start a candle of {series.granularity} of the day"
        if not _is_candle(line):
            return f"{time_text(start)} is not a candle: {line}"
    if entry.gaps != missing(lines, entry.covers, step_s):
        return "the manifest names other gaps"
    return ""


def _is_candle(line: str) -> bool:
    try:
        open_, high, low, close, volume, bid, ask = (
            Decimal(cell) if cell else None for cell in line.split(",")
        )
    except (InvalidOperation, ValueError):
        return False
    quotes_fit = bid is None or ask is None or 0 < bid <= ask
    if open_ is None or high is None or low is None or close is None or volume is None:
        return quotes_fit and bid is not None
    return quotes_fit and 0 < low <= min(open_, close) <= max(open_, close) <= high and volume >= 0
