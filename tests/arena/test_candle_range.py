"""Prices from the cache: the candles of a range, or the command that fetches what is missing."""

import csv
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from arena.candle_cache.names import cache_venue, for_each_product
from arena.candle_cache.range import PriceRange, ends_of, first_snapshot, read_prices
from arena.candle_cache.series import DAY_S, Series
from arena.candle_cache.store import CandleStore, NewDay
from arena.errors import UsageError
from arena.pricefiles.read import read_price_file

DAY = 1_767_225_600
"""2026-01-01."""
START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 2, 1, tzinfo=UTC)
CACHE = (Path("cache:coinbase"),)


def fill(
    home: Path,
    series: Series,
    days: range,
    *,
    source: str = "api.exchange.coinbase.com",
    hole: range = range(0),
) -> None:
    """Fill the cache with minutes; one with quotes only."""
    store = CandleStore(home)
    for n in days:
        first = DAY + n * DAY_S
        lines = {
            first + 60 * m: f"{100 + n}.25,{102 + n},{99 + n}.125,{101 + n},3.5,,"
            for m in range(1_440)
            if m not in hole
        }
        lines[first + 60 * 77] = f",,,,,{90 + n},{110 + n}.5"
        new = NewDay(lines, ((first, first + DAY_S),), source)
        store.replace(series, {first: new}, NOW)


def used(home: Path, days: float = 2, **changes: Any) -> PriceRange:  # Any: its fields
    """The first days of 2026."""
    whole = PriceRange(START, START + timedelta(days=days), home)
    return replace(whole, **changes)


def test_range_equals_a_file_of_its_rows(tmp_path: Path) -> None:
    """Digest, prices and gaps are those of a CSV file with the same candles."""
    fill(tmp_path, Series("coinbase", "BTC-USD"), range(3), hole=range(7, 9))
    (found,) = read_prices(CACHE, ["BTC-USD"], used(tmp_path))
    path = tmp_path / "BTC-USD.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["ts", "open", "high", "low", "close", "volume", "bid", "ask"])
        for row in found.rows.values():
            prices = row.trades or ("", "", "", "", "")
            rows.writerow([row.ts, *prices, row.bid or "", row.ask or ""])
    same = read_price_file(path)

    assert same.rows.digest == found.rows.digest
    assert (same.low, same.high) == (found.low, found.high)
    assert (2 * 1_438, 4, 2) == (len(found.rows), found.rows.missing, found.rows.quiet)
    assert "BTC-USD  cache:BTC-USD 1m (Coinbase), 2,876 minutes" in found.facts.line
    assert (DAY, DAY + 2 * DAY_S) == (found.first_s, found.last_s)


def test_last_candle_ends_by_the_end(tmp_path: Path) -> None:
    """A range may begin and end within a day."""
    fill(tmp_path, Series("coinbase", "BTC-USD"), range(1))
    last, odd = START + timedelta(hours=1), timedelta(seconds=30)
    asked = used(tmp_path, start=START + timedelta(minutes=30), end=last)
    (found,) = read_prices(CACHE, ["BTC-USD"], asked)

    assert [DAY + 60 * n for n in range(30, 60)] == list(found.rows)
    assert [(DAY + 1_800, DAY + 3_600)] == ends_of(CACHE, [found], asked)
    within = replace(asked, start=START + timedelta(minutes=29) + odd, end=last + odd)
    assert ends_of(CACHE, [found], asked) == ends_of(CACHE, [found], within)
    assert first_snapshot(CACHE, asked) is None
    assert first_snapshot([Path("BTC-USD.csv")], asked) == asked.start


def test_missing_days_are_named_with_the_command(tmp_path: Path) -> None:
    """One command fetches what all products lack."""
    fill(tmp_path, Series("coinbase", "BTC-USD"), range(2))
    fill(tmp_path, Series("coinbase", "ETH-USD"), range(1, 2))
    with pytest.raises(UsageError) as caught:
        list(read_prices(CACHE * 2, ["BTC-USD", "ETH-USD"], used(tmp_path, 4.5)))
    message = str(caught.value)

    assert "coinbase BTC-USD 1m: 2026-01-03 to 2026-01-05" in message
    assert "coinbase ETH-USD 1m: 2026-01-01, 2026-01-03 to 2026-01-05" in message
    assert message.endswith(
        "`arena candles fetch --venue coinbase --products BTC-USD,ETH-USD "
        "--from 2026-01-01 --to 2026-01-06`"
    )


def test_changed_file_stops_the_start(tmp_path: Path) -> None:
    """It is named before a row of it is used."""
    series = Series("coinbase", "BTC-USD")
    fill(tmp_path, series, range(2))
    path = CandleStore(tmp_path).file(series, DAY + DAY_S)
    path.write_bytes(path.read_bytes()[:-1] + b"x")

    with pytest.raises(UsageError, match=re.escape(f"{path} is not the file")):
        list(read_prices(CACHE, ["BTC-USD"], used(tmp_path)))


@pytest.mark.parametrize(
    ("prices", "changes", "error"),
    [
        (CACHE, {"start": None}, "need a range; add start and end"),
        (CACHE, {"end": None}, "need a range; add start and end"),
        (CACHE, {"end": START}, "is not after the start"),
        ((Path("cache:"),), {}, "names no venue"),
        ((Path("cache:../x"),), {}, "names no venue"),
        ((*CACHE, Path("BTC-USD.csv")), {}, "name the cache and files"),
        (CACHE * 3, {}, "3 prices for 1 products"),
    ],
)
def test_unusable_ranges_are_refused(
    tmp_path: Path, prices: tuple[Path, ...], changes: dict[str, Any], error: str
) -> None:
    """The error has the value and the remedy."""
    with pytest.raises(UsageError, match=re.escape(error)):
        list(read_prices(prices, ["BTC-USD"], used(tmp_path, **changes)))


def test_range_without_a_candle_is_refused(tmp_path: Path) -> None:
    """The venue had none: a market cannot start."""
    series = Series("coinbase", "BTC-USD")
    day = NewDay({}, ((DAY, DAY + DAY_S),), "api")
    CandleStore(tmp_path).replace(series, {DAY: day}, NOW)

    with pytest.raises(UsageError, match="has no candle from 2026-01-01 00:00 UTC"):
        list(read_prices(CACHE, ["BTC-USD"], used(tmp_path, 1)))


def test_simulated_candles_are_called_so(tmp_path: Path) -> None:
    """Their source is in the record of the prices."""
    source = "127.0.0.1:8765 (simulated)"
    fill(tmp_path, Series("coinbase", "BTC-USD"), range(2), source=source)
    (found,) = read_prices(CACHE, ["BTC-USD"], used(tmp_path))

    assert "cache:BTC-USD 1m (Coinbase, simulated)" == found.facts.source


def test_file_with_the_word_simulated_is_not_taken_for_it(tmp_path: Path) -> None:
    """Only the mark of the simulated exchange counts, not the name of an imported file."""
    fill(tmp_path, Series("coinbase", "BTC-USD"), range(2), source="BTC-USD_simulated.csv")
    (found,) = read_prices(CACHE, ["BTC-USD"], used(tmp_path))

    assert "cache:BTC-USD 1m (Coinbase)" == found.facts.source


def test_other_venues_write_products_in_their_way(tmp_path: Path) -> None:
    """Candles of Binance are found for its own product and for that of another venue."""
    fill(tmp_path, Series("binance", "BTCUSDT"), range(2))
    prices = (Path("cache:binance"),)
    (own,) = read_prices(prices, ["binance:BTCUSDT"], used(tmp_path))
    (other,) = read_prices(prices, ["BTC-USDT"], used(tmp_path))

    assert own.rows.digest == other.rows.digest
    assert ("BTC-USDT", "BTC-USDT", "Binance") == (own.product_id, other.product_id, own.venue)


def test_end_cuts_files(tmp_path: Path) -> None:
    """A file's later candles are not used; an end before its first one is refused."""
    path = tmp_path / "BTC-USD.csv"
    rows = [f"{DAY + 60 * n},1,1,1,1,1" for n in range(10)]
    path.write_text("\n".join(["ts,open,high,low,close,volume", *rows]))
    asked = PriceRange(end=START + timedelta(minutes=5, seconds=30))
    (cut,) = read_prices([path], [], asked)
    (whole,) = read_prices([path], [], PriceRange())

    assert (5, 10) == (len(cut.rows), len(whole.rows))
    assert [(DAY, DAY + 300)] == ends_of([path], [cut], asked)
    with pytest.raises(UsageError, match="is before the first candle"):
        list(read_prices([path], [], PriceRange(end=START)))


def test_one_name_of_the_cache_is_for_all_products() -> None:
    """Files are given one by one."""
    assert ("cache:coinbase",) * 2 == for_each_product(["cache:coinbase"], ["A-USD", "B-USD"])
    assert ("a.csv",) == for_each_product(["a.csv"], ["A-USD", "B-USD"])
    assert ("coinbase", None) == (cache_venue("cache:coinbase"), cache_venue("BTC-USD.csv"))
