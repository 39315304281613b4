"""`arena candles list|check|import` for the cache of candles.

Reads and writes `<home>/candles`. Needs no broker and no network.
"""

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pydantic import JsonValue

from arena.candle_cache.check import SeriesFacts, check_series, list_series
from arena.candle_cache.merge import days_in_file, merged_days, merged_lines
from arena.candle_cache.series import DAY_S, Series, checked_series
from arena.candle_cache.spans import spans_text
from arena.candle_cache.store import CandleStore, NewDay
from arena.command_exit import print_failure
from arena.errors import EXIT_NO, UsageError
from arena.granularities import granularity_of
from arena.plural import counted
from arena.pricefiles.names import VENUES, ProductNotNamed
from arena.pricefiles.read import PriceFile, read_price_file
from arena.pricefiles.times import time_text
from arena.products import split_key
from operations.commands.price_check import ReadingProgress
from operations.specs.venues import load_venue, venue_names

COLUMNS = (
    ("venue", False),
    ("product", False),
    ("candles", False),
    ("first (UTC)", False),
    ("last (UTC)", False),
    ("days", True),
    ("rows", True),
    ("missing", True),
    ("KB", True),
)
KILOBYTE = 1_000
PRODUCT_FLAG = "name it: --product BTC-USD, for one or several files of that product"


def print_list(home: Path, *, as_json: bool) -> None:
    """Print what the cache has."""
    store = CandleStore(home)
    found = [list_series(store, series) for series in store.all_series()]
    if as_json:
        print(json.dumps([one.as_json() for one in found], indent=2))
        return
    if not found:
        print(f"no candles in {store.folder}; fetch some with `arena candles fetch`")
        return
    from arena.tables import print_table

    total = sum(one.size_bytes for one in found) / KILOBYTE
    remark = f"{counted(len(found), 'series', 'series')}, {total:,.0f} KB in {store.folder}"
    print_table(COLUMNS, [_cells(one) for one in found], remarks=[remark])


def _cells(facts: SeriesFacts) -> list[str]:
    series = facts.series
    times = [facts.first_s, facts.last_s]
    return [
        series.venue,
        series.symbol,
        series.granularity,
        *("-" if one is None else time_text(one).removesuffix(" UTC") for one in times),
        f"{facts.days:,}",
        f"{facts.rows:,}",
        f"{facts.missing:,}",
        f"{facts.size_bytes / KILOBYTE:,.0f}",
    ]


def check_cache(home: Path, *, as_json: bool) -> int:
    """Check every file of the cache; return the exit code: 1 if something is wrong."""
    store = CandleStore(home)
    found = [check_series(store, series) for series in store.all_series()]
    if as_json:
        document: list[JsonValue] = [
            {**one.as_json(), "ok": not one.problems, "problems": list(one.problems)}
            for one in found
        ]
        print(json.dumps(document, indent=2))
    else:
        for one in found:
            _print_checked(one)
        if not found:
            print(f"no candles in {store.folder}")
    return EXIT_NO if any(one.problems for one in found) else 0


def _print_checked(facts: SeriesFacts) -> None:
    gaps = f"{counted(facts.missing, 'candle')} missing" if facts.gaps else "no gaps"
    print(f"{facts.series}: {counted(facts.days, 'day')}, {counted(facts.rows, 'candle')}, {gaps}")
    if facts.gaps:
        print(f"  gaps: {spans_text(facts.gaps)}")
    for problem in facts.problems:
        print_failure(problem)


def import_files(
    home: Path, files: Sequence[Path], *, venue: str | None, product: str | None, as_json: bool
) -> None:
    """Add the candles of price files to the cache, or nothing.

    Args:
        home: The home of the cache.
        files: The files.
        venue: Their venue; None to take it from names and formats.
        product: Their product; None to take it from the names.
        as_json: True to print JSON.

    Raises:
        UsageError: A file cannot be used, or rows contradict each other or the cache.
    """
    store, new, now = CandleStore(home), dict[Series, dict[int, NewDay]](), datetime.now(UTC)
    reading = ReadingProgress()
    try:
        for path in files:
            with name_product_flag():
                file = read_price_file(path, (product or "").upper(), reading.show)
            file = _closed(file, now)
            series = _series_of(file, venue)
            days = new.setdefault(series, {})
            for day, found in days_in_file(file).items():
                days[day] = merged_days(series, days[day], found) if day in days else found
    finally:
        reading.done()
    before = {series: _rows_in_cache(store, series, days) for series, days in new.items()}
    for series, days in new.items():
        store.replace(series, days, now, partial(merged_lines, series))
    document: list[JsonValue] = []
    for series, days in new.items():
        rows = sum(len(day.lines) for day in days.values())
        manifest = store.manifest(series)
        added = sum(manifest.days[day].rows for day in days) - before[series]
        part = [day for day in days if manifest.missing(day, day + DAY_S)]
        document.append(
            {
                "venue": series.venue,
                "product": series.product_id,
                "granularity": series.granularity,
                "days": len(days),
                "days_in_part": len(part),
                "rows": rows,
                "new_rows": added,
            }
        )
        if not as_json:
            print(
                f"{series}: {counted(rows, 'candle')} of {counted(len(days), 'day')}, {added:,} new"
            )
            if part:
                spans = spans_text([(day, day + DAY_S) for day in part])
                print(f"  the files have only a part of {spans}")
    if as_json:
        print(json.dumps(document, indent=2))


@contextlib.contextmanager
def name_product_flag() -> Iterator[None]:
    """Let the error of a file whose name has no product name the flag that has it."""
    try:
        yield
    except ProductNotNamed as error:
        raise UsageError(str(error.args[0]), remedy=PRODUCT_FLAG) from None


def _closed(file: PriceFile, now: datetime) -> PriceFile:
    """A file without the candles that have not ended: they can still change.

    Raises:
        UsageError: None has ended.
    """
    if file.last_s <= now.timestamp():
        return file
    rows = file.rows.until(int(now.timestamp()))
    if rows is None:
        raise UsageError(
            f"{file.path}: its first candle, {time_text(file.first_s)}, has not ended",
            remedy="import it when it has ended, or set this machine's clock",
        )
    return replace(file, rows=rows)


def _rows_in_cache(store: CandleStore, series: Series, days: dict[int, NewDay]) -> int:
    """Number of candles that the cache has in some days, none of which a new one contradicts."""
    manifest = store.whole_days(series, min(days), max(days) + 1)
    found = 0
    for day, new in days.items():
        if entry := manifest.days.get(day):
            found += entry.rows
            merged_lines(series, store.read_day(series, day, entry), new)
    return found


def _series_of(file: PriceFile, venue: str | None) -> Series:
    name = venue or next((key for key, title in VENUES.items() if title == file.venue), "")
    if not name:
        raise UsageError(f"{file.path} does not name its venue", remedy="name it: --venue coinbase")
    granularity = granularity_of(file.bar_s)
    if name in venue_names():
        symbol = split_key(load_venue(name).read_product(file.product_id)).symbol
    else:
        symbol = file.product_id
    return checked_series(name, symbol, granularity)
