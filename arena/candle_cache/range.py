"""The prices of a market: files, or a range of the cache such as "cache:coinbase".

The connector, the simulated exchange and the check before a start resolve prices here, so that all
of them read the same candles.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from arena.candle_cache.names import PREFIX, cache_venue, whole_candles
from arena.candle_cache.series import DAY_S, SYMBOL, Series, checked_series, day_name, days_of
from arena.candle_cache.spans import Spans, spans_text, union
from arena.candle_cache.store import CandleStore
from arena.errors import UsageError
from arena.granularities import MINUTE, find_granularity
from arena.pricefiles.facts import PriceFacts
from arena.pricefiles.formats import ARENA
from arena.pricefiles.names import VENUES
from arena.pricefiles.read import OnProgress, PriceFile, read_price_files
from arena.pricefiles.rows import PriceRows
from arena.pricefiles.times import time_text
from arena.products import product_in_file, split_key


@dataclass(frozen=True, slots=True)
class PriceRange:
    """The part of recorded prices that a market uses.

    Attributes:
        start: With the cache the first candle that is used; with files the time of the first
            snapshot, or None if the files decide.
        end: The last candle that is used ends by this time; None for the last of the files.
        home: The home of the cache.
        granularity: Length of the candles.
    """

    start: datetime | None = None
    end: datetime | None = None
    home: Path = Path(".arena")
    granularity: str = MINUTE


def read_prices(
    prices: Sequence[Path],
    products: Sequence[str],
    used: PriceRange,
    on_progress: OnProgress | None = None,
) -> Iterator[PriceFile]:
    """Read the prices of a market, one product after another.

    Args:
        prices: Files, or "cache:VENUE", one for each product.
        products: Ids of the products in the arena; none to take them from the files' names.
        used: The part that is used.
        on_progress: Called with the progress of files.

    Raises:
        UsageError: A file cannot be used, or the cache does not have a candle of the range.
    """
    venues = [cache_venue(price) for price in prices]
    if not any(venues):
        names = [product_in_file(product_id) for product_id in products]
        for file in read_price_files(prices, names, on_progress):
            yield _until(file, used.end)
        return
    if not all(venues):
        raise UsageError(
            "prices name the cache and files", remedy="give one of them for all products"
        )
    pairs = _pairs(prices, products, used)
    start_s, end_s = _times(used)
    _require_all(pairs, start_s, end_s, used)
    for product_id, series in pairs:
        yield _from_cache(CandleStore(used.home), series, product_id, used)


def first_snapshot(prices: Sequence[Path], used: PriceRange) -> datetime | None:
    """The time of the first snapshot, or at which clients may join; None if the prices decide.

    With prices from the cache it follows the history after the first candle, as with files.
    """
    return None if any(map(cache_venue, prices)) else used.start


def ends_of(
    prices: Sequence[Path], files: Sequence[PriceFile | PriceFacts], used: PriceRange
) -> list[tuple[int, int]]:
    """Begin and end of each product's prices, Unix seconds, for `arena.pricefiles.span`.

    A range of the cache begins and ends as it was asked for, also if it has gaps there.
    """
    if any(map(cache_venue, prices)):
        return [_times(used)]
    return [(file.first_s, file.last_s) for file in files]


def _pairs(
    prices: Sequence[Path], products: Sequence[str], used: PriceRange
) -> list[tuple[str, Series]]:
    """The products, each with its series in the cache."""
    if len(prices) == 1:
        prices = [prices[0]] * len(products)
    if len(prices) != len(products) or not products:
        raise UsageError(
            f"{len(prices)} prices for {len(products)} products",
            remedy='give one "cache:VENUE" for all products, or one per product',
        )
    store = CandleStore(used.home)
    return [
        (product_id, _series_of(store, str(cache_venue(price)), product_id, used.granularity))
        for price, product_id in zip(prices, products, strict=True)
    ]


def _series_of(store: CandleStore, venue: str, product_id: str, granularity: str) -> Series:
    """The series of a product in a venue's part of the cache.

    Another venue may write the product in another way: "BTC-USDT" as "BTCUSDT".
    """
    symbol = split_key(product_id).symbol
    dashed = product_in_file(product_id)
    names = dict.fromkeys((symbol, dashed, dashed.replace("-", "")))
    found = [checked_series(venue, name, granularity) for name in names if SYMBOL.fullmatch(name)]
    there = (one for one in found if store.manifest(one).days)
    return next(there, found[0] if found else checked_series(venue, symbol, granularity))


def _times(used: PriceRange) -> tuple[int, int]:
    """Begin of the first and end of the last candle of a range, Unix seconds."""
    if used.start is None or used.end is None:
        raise UsageError(
            "prices from the cache need a range",
            remedy="add start and end to [market], such as start = 2026-01-01T00:00:00Z",
        )
    start_s, end_s = whole_candles(used.start, used.end, find_granularity(used.granularity))
    if start_s >= end_s:
        raise UsageError(
            f"the end {time_text(end_s)} is not after the start {time_text(start_s)}",
            remedy="choose a later end",
        )
    return start_s, end_s


def _require_all(
    pairs: Sequence[tuple[str, Series]], start_s: int, end_s: int, used: PriceRange
) -> None:
    """Check that the cache was filled for the whole range.

    Raises:
        UsageError: It was not; the remedy is the command that fills it.
    """
    store = CandleStore(used.home)
    lacking: dict[Series, Spans] = {}
    for _, series in pairs:
        manifest = store.whole_days(series, start_s, end_s)
        if days := manifest.missing(start_s, end_s):
            lacking[series] = union((day, day + DAY_S) for day in days)
    if not lacking:
        return
    said = "; ".join(f"{series}: {spans_text(spans)}" for series, spans in lacking.items())
    venue = next(iter(lacking)).venue
    days = [day for spans in lacking.values() for span in spans for day in span]
    symbols = ",".join(series.symbol for series in lacking if series.venue == venue)
    flags = "" if used.granularity == MINUTE else f" --granularity {used.granularity}"
    raise UsageError(
        f"the cache does not have all days from {time_text(start_s)} to {time_text(end_s)}: {said}",
        remedy=f"run `arena candles fetch --venue {venue} --products {symbols} "
        f"--from {day_name(min(days))} --to {day_name(max(days))}{flags}`",
    )


def _from_cache(store: CandleStore, series: Series, product_id: str, used: PriceRange) -> PriceFile:
    start_s, end_s = _times(used)
    lines: dict[int, str] = {}
    with store.reading(series):
        manifest = store.manifest(series)
        for day in days_of(start_s, end_s):
            found = store.read_day(series, day, manifest.days[day])
            last_s = end_s - series.step_s
            lines |= {ts: line for ts, line in found.items() if start_s <= ts <= last_s}
    if not lines:
        raise UsageError(
            f"{series} has no candle from {time_text(start_s)} to {time_text(end_s)}",
            remedy="the venue had none, or did not list the product yet; choose another range",
        )
    rows = PriceRows(lines, series.step_s)
    simulated = any(entry.is_simulated for entry in manifest.days.values())
    venue = VENUES.get(series.venue, series.venue.capitalize())
    prices = [number for line in lines.values() for number in _extremes(line)]
    return PriceFile(
        path=store.folder_of(series),
        product_id=product_in_file(product_id),
        format=ARENA,
        venue=f"{venue}, simulated" if simulated else venue,
        rows=rows,
        low=min(prices),
        high=max(prices),
        merged=0,
        empty=0,
        title=f"{PREFIX}{series.symbol} {series.granularity}",
    )


def _extremes(line: str) -> list[Decimal]:
    """The lowest and the highest price of a row, quotes included."""
    _, high, low, _, _, bid, ask = line.split(",")
    return [Decimal(cell) for cell in (low, high, bid, ask) if cell]


def _until(file: PriceFile, end: datetime | None) -> PriceFile:
    """A file without the candles that end after a time.

    Raises:
        UsageError: It has no others.
    """
    if end is None or file.last_s <= end.timestamp():
        return file
    kept = file.rows.until(int(end.timestamp()))
    if kept is None:
        raise UsageError(
            f"the end {time_text(int(end.timestamp()))} is before the first candle of {file.path}",
            remedy=f"choose a time after {time_text(file.first_s)}",
        )
    return replace(file, rows=kept)
