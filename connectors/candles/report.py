"""What a fetch of candles did, as text and as JSON. Pure."""

from dataclasses import dataclass, field

from pydantic import JsonValue

from arena.candle_cache.manifest import encode_spans
from arena.candle_cache.series import Series
from arena.candle_cache.spans import Spans, spans_text
from arena.plural import counted
from arena.pricefiles.times import time_iso


@dataclass(slots=True)
class SeriesResult:
    """What was done for one series.

    Attributes:
        series: The series.
        days: Number of days of the range.
        cached: Number of them that the cache had.
        fetched: Number of them that were fetched.
        requests: Number of requests.
        rows: Number of candles of the range in the cache.
        gaps: The candles of the range that the venue does not have.
    """

    series: Series
    days: int
    cached: int = 0
    fetched: int = 0
    requests: int = 0
    rows: int = 0
    gaps: Spans = ()

    @property
    def line(self) -> str:
        """The result on one line."""
        step_s = self.series.step_s
        lacking = sum((last - first) // step_s for first, last in self.gaps)
        gaps = f"{counted(lacking, 'candle')} missing at the venue" if lacking else "no gaps"
        return (
            f"{self.series}: {counted(self.fetched, 'day')} fetched, {self.cached:,} in the cache "
            f"before; {counted(self.rows, 'candle')}, {gaps}"
        )

    @property
    def gap_line(self) -> str:
        """The names of the gaps; "" without any."""
        return f"  gaps: {spans_text(self.gaps)}" if self.gaps else ""

    def as_json(self) -> dict[str, JsonValue]:
        """The result as JSON."""
        return {
            "venue": self.series.venue,
            "product": self.series.product_id,
            "granularity": self.series.granularity,
            "days": self.days,
            "cached_days": self.cached,
            "fetched_days": self.fetched,
            "requests": self.requests,
            "rows": self.rows,
            "gaps": [dict(span) for span in encode_spans(self.gaps)],
        }


@dataclass(slots=True)
class FetchResult:
    """What was done for all series.

    Attributes:
        start_s: Start of the range, Unix seconds.
        asked_s: End of the range as it was asked for.
        end_s: End of the newest candle that was asked for: earlier, if the range is not over.
        series: The results by series.
        refused: Number of candles whose values contradict each other; they are gaps.
    """

    start_s: int
    asked_s: int
    end_s: int
    series: list[SeriesResult] = field(default_factory=list)
    refused: int = 0

    @property
    def lines(self) -> list[str]:
        """The results as lines."""
        found = [line for one in self.series for line in (one.line, one.gap_line) if line]
        if self.end_s < self.asked_s:
            found.append(f"the range ends at {time_iso(self.end_s)}: later candles have not closed")
        if self.refused:
            found.append(f"{counted(self.refused, 'candle')} with impossible values were refused")
        return found

    def as_json(self) -> dict[str, JsonValue]:
        """The results as JSON."""
        return {
            "from": time_iso(self.start_s),
            "to": time_iso(self.end_s),
            "is_whole": self.end_s == self.asked_s,
            "requests": sum(one.requests for one in self.series),
            "refused_candles": self.refused,
            "series": [one.as_json() for one in self.series],
        }
