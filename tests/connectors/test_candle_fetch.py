"""`arena candles fetch` against the simulated exchange of both venues."""

import asyncio
import json
import os
import random
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from arena.candle_cache.series import DAY_S, Series
from arena.candle_cache.spans import spans_text
from arena.candle_cache.store import CandleStore
from arena.clock import SystemClock
from arena.errors import DependencyMissing, UsageError
from arena.pricefiles.rows import plain_line
from arena.products import split_key
from arena.progress import Step, no_progress
from connectors.candles.fetch import FetchOptions, fetch_candles
from connectors.candles.pages import DayCollector, closed_until, pages_of
from connectors.candles.report import FetchResult
from connectors.simulator.run import PROTOCOLS, ExchangeOptions, open_market
from connectors.simulator.server import ExchangeServer
from connectors.venues import load_venue
from tests.connectors.builders import FastClock
from tests.connectors.venue import eventually, inject_fault

DAY = 1_767_225_600
"""2026-01-01."""
VENUES = ("coinbase", "binance")
HOUR_S = 3_600


@asynccontextmanager
async def exchange(
    venue: str,
    *,
    days: float = 2.02,
    history_days: float | None = None,
    products: int = 1,
    prices: tuple[Path, ...] = (),
) -> AsyncIterator[ExchangeServer]:
    """A venue whose time is some days after 2026-01-01, and hardly advances."""
    options = ExchangeOptions(
        load_venue(venue).default_products[:products],
        prices=prices,
        start=datetime.fromtimestamp(DAY, UTC) + timedelta(days=days),
        history_s=int((days if history_days is None else history_days) * DAY_S),
        venue=venue,
    )
    market = open_market(options, datetime.now(UTC)).market
    server = ExchangeServer(
        PROTOCOLS[venue](market), speed=1.0, clock=SystemClock(), label=options.label
    )
    async with await server.listen(0):
        yield server


def options_of(server: ExchangeServer, venue: str, home: Path, days: int = 2) -> FetchOptions:
    """Fetch the first days of 2026."""
    return FetchOptions(
        venue=load_venue(venue),
        rest_url=server.rest_url,
        products=tuple(server.market.products),
        start_s=DAY,
        end_s=DAY + days * DAY_S,
        granularity="1m",
        home=home,
    )


async def fetch(
    options: FetchOptions, progress: Callable[[Step], None] = no_progress, factor: float = 50.0
) -> FetchResult:
    """Fetch with waits that are shorter by a factor."""
    return await fetch_candles(options, FastClock(factor), random.Random(1), progress)


async def command(options: FetchOptions, end: str, *more: str) -> Process:
    """`arena candles fetch` of the first product from 2026-01-01 on, in its own process."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "arena", "candles", "fetch", "--venue", options.venue.name),
        *("--products", split_key(options.products[0]).symbol),
        *("--from", "2026-01-01", "--to", end, "--rest-url", options.rest_url, *more),
        env={**os.environ, "ARENA_HOME": str(options.home)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


def series_of(options: FetchOptions) -> Series:
    """The first series."""
    return options.series[0]


@pytest.mark.parametrize("venue", VENUES)
async def test_whole_days_are_those_of_the_venue(tmp_path: Path, venue: str) -> None:
    """Every closed candle is stored digit by digit; a second fetch makes no request."""
    async with exchange(venue, products=2) as server:
        options = options_of(server, venue, tmp_path)
        steps: list[Step] = []
        first = await fetch(options, steps.append)
        bars = {
            product: server.market.candles(product, 60, DAY, DAY + 2 * DAY_S - 1)
            for product in server.market.products
        }
    again = await fetch(options)

    store = CandleStore(tmp_path)
    for series in options.series:
        manifest = store.manifest(series)
        lines = {
            ts: line
            for day, entry in manifest.days.items()
            for ts, line in store.read_day(series, day, entry).items()
        }
        wanted = {
            start: plain_line(f"{b.open:f},{b.high:f},{b.low:f},{b.close:f},{b.volume:f},,")
            for start, b in bars[series.product_id]
        }
        assert wanted == {ts: line for ts, line in lines.items() if ts in wanted}
        assert 2_880 == len(lines)
        assert all("simulated" in entry.source for entry in manifest.days.values())
    pages = {"coinbase": 10, "binance": 3}[venue]
    assert [pages, pages] == [one.requests for one in first.series]
    assert [0, 0] == [one.requests for one in again.series]
    assert [2_880, 2_880] == [one.rows for one in again.series]
    assert (2 * pages, True) == (steps[-1].done, steps[-1].finished)
    assert any("left" in step.detail for step in steps)
    assert first.end_s == first.asked_s


@pytest.mark.parametrize("granularity", ["5m", "15m", "1h", "1d"])
@pytest.mark.parametrize("venue", VENUES)
async def test_longer_candles_are_made_of_minutes(
    tmp_path: Path, venue: str, granularity: str
) -> None:
    """Each length has its own series; an hour has the extremes of its minutes."""
    async with exchange(venue) as server:
        minutes = options_of(server, venue, tmp_path)
        longer = FetchOptions(
            **{name: getattr(minutes, name) for name in FetchOptions.__slots__}
            | {"granularity": granularity}
        )
        await fetch(minutes)
        await fetch(longer)
    store, step_s = CandleStore(tmp_path), series_of(longer).step_s
    found = {
        one.granularity: store.read_day(one, DAY, store.manifest(one).days[DAY])
        for one in (series_of(minutes), series_of(longer))
    }

    assert DAY_S // step_s == len(found[granularity])
    for start, line in found[granularity].items():
        parts = [
            found["1m"][minute].split(",")
            for minute in range(start, start + step_s, 60)
            if minute in found["1m"]
        ]
        _, high, low, close, *_ = line.split(",")
        assert max(float(part[1]) for part in parts) == float(high)
        assert min(float(part[2]) for part in parts) == float(low)
        assert parts[-1][3] == close


@pytest.mark.parametrize("venue", VENUES)
async def test_present_ends_at_the_last_closed_candle(tmp_path: Path, venue: str) -> None:
    """The open candle is left out, and the day is fetched again when it is over."""
    async with exchange(venue, days=1.5) as server:
        result = await fetch(options_of(server, venue, tmp_path))
        repeated = await fetch(options_of(server, venue, tmp_path))
    series = result.series[0].series
    store = CandleStore(tmp_path)
    entry = store.manifest(series).days[DAY + DAY_S]
    lines = store.read_day(series, DAY + DAY_S, entry)

    assert DAY + DAY_S + 12 * HOUR_S - 60 == result.end_s
    assert max(lines) + 60 == result.end_s
    assert entry.covers == ((DAY + DAY_S, result.end_s),)
    assert any("2026-01-02T11:59:00Z" in line for line in result.lines)
    assert repeated.series[0].requests <= 3
    async with exchange(venue) as server:
        whole = await fetch(options_of(server, venue, tmp_path))
    assert (1, 1, 2_880) == (
        whole.series[0].fetched,
        whole.series[0].cached,
        whole.series[0].rows,
    )


@pytest.mark.parametrize("venue", VENUES)
async def test_hole_is_a_gap_with_a_name(tmp_path: Path, venue: str) -> None:
    """Minutes that recorded prices do not have, and a day without any, are named and not filled."""
    product = {"coinbase": "BTC-USD", "binance": "BTC-USDT"}[venue]
    path = tmp_path / f"{product}.csv"
    rows = [
        f"{DAY + 60 * n},100,101,99,100.5,2"
        for n in range(3 * 1_440)
        if n not in (7, 8) and not 1_440 <= n < 2_880
    ]
    path.write_text("\n".join(["ts,open,high,low,close,volume", *rows]) + "\n")
    async with exchange(venue, days=2.9, prices=(path,)) as server:
        result = await fetch(options_of(server, venue, tmp_path))

    assert [1_438] == [one.rows for one in result.series]
    assert "2026-01-01 00:07 to 00:09 UTC, 2026-01-02" == spans_text(result.series[0].gaps)
    assert "1,442 candles missing at the venue" in result.lines[0]
    assert "gaps: 2026-01-01 00:07" in result.lines[1]


async def test_429_is_waited_for(tmp_path: Path) -> None:
    """A refused request is made again after its `Retry-After`."""
    async with exchange("coinbase", days=1.5) as server:
        clock = FastClock(20.0)
        await inject_fault(server, "rest_429", seconds=0.5, retry_after=10)
        began_s = clock.monotonic()
        options = options_of(server, "coinbase", tmp_path, days=1)
        result = await fetch_candles(options, clock, random.Random(1), no_progress)
        waited_s = clock.monotonic() - began_s

    assert 1_440 == result.series[0].rows
    assert 10 <= waited_s


async def test_long_ban_ends_the_fetch(tmp_path: Path) -> None:
    """It says until when the venue must not be asked, and the next fetch does not ask either."""
    async with exchange("coinbase", days=1.5, history_days=0.1) as server:
        options = options_of(server, "coinbase", tmp_path, days=1)
        await inject_fault(server, "rest_429", seconds=5.0, retry_after=3_000)
        for _ in range(2):
            with pytest.raises(DependencyMissing, match="asks for no requests before"):
                await fetch(options, factor=1.0)


@pytest.mark.parametrize("venue", VENUES)
async def test_unknown_product_is_named(tmp_path: Path, venue: str) -> None:
    """Nothing is written for it or for the others."""
    unknown = load_venue(venue).read_product("ZZZZ-USD" if venue == "coinbase" else "ZZZZUSDT")
    async with exchange(venue, days=1.5, history_days=0.1) as server:
        options = options_of(server, venue, tmp_path, days=1)
        options = FetchOptions(
            options.venue, options.rest_url, (*options.products, unknown), DAY, DAY + DAY_S,
            "1m", tmp_path,
        )  # fmt: skip
        with pytest.raises(UsageError, match=f"has no product {unknown}"):
            await fetch(options)

    assert [] == CandleStore(tmp_path).all_series()


async def test_simulated_candles_do_not_mix_with_real_ones(tmp_path: Path) -> None:
    """A series of a real venue takes none of a simulated one."""
    async with exchange("coinbase", days=1.5, history_days=0.1) as server:
        options = options_of(server, "coinbase", tmp_path, days=1)
        await fetch(options)
        series = series_of(options)
        manifest = CandleStore(tmp_path).folder_of(series) / "manifest.json"
        manifest.write_text(manifest.read_text().replace("(simulated)", ""))
        CandleStore(tmp_path).file(series, DAY).unlink()
        with pytest.raises(UsageError, match="is a simulated exchange; use another ARENA_HOME"):
            await fetch(options)


async def test_future_has_no_candles(tmp_path: Path) -> None:
    """A range after the venue's time is refused."""
    async with exchange("coinbase", days=-1, history_days=0.1) as server:
        with pytest.raises(UsageError, match="is closed: Coinbase Exchange has 2025-12-31"):
            await fetch(options_of(server, "coinbase", tmp_path, days=1))


async def test_unreachable_venue_is_a_missing_dependency(tmp_path: Path) -> None:
    """The error says what cannot be reached, and that the fetch can be repeated."""
    async with exchange("coinbase", days=1.5, history_days=0.1) as server:
        options = options_of(server, "coinbase", tmp_path, days=1)
    with pytest.raises(DependencyMissing, match="cannot reach 127.0.0.1.*run the same command"):
        await fetch(options, factor=100.0)


async def test_output_is_json_or_nothing(tmp_path: Path) -> None:
    """What fails on the way is logged on standard error, and the exit code says it."""
    async with exchange("coinbase", days=1.5, history_days=0.1) as server:
        options = options_of(server, "coinbase", tmp_path, days=1)
        done = await command(options, "2026-01-02", "--json")
        printed, _ = await done.communicate()
        CandleStore(tmp_path).file(series_of(options), DAY).unlink()
        await inject_fault(server, "rest_429", seconds=20, retry_after=3_000)
        failed = await command(options, "2026-01-02", "--json")
        nothing, why = await failed.communicate()

    assert (0, 3) == (done.returncode, failed.returncode)
    assert 1 == json.loads(printed)["series"][0]["fetched_days"]
    assert b"" == nothing
    assert b"asks for no requests before" in why.splitlines()[-1]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
async def test_stopped_fetch_continues(tmp_path: Path, number: signal.Signals) -> None:
    """A fetch that was killed or stopped leaves whole days; the next one asks for the rest."""
    async with exchange("coinbase", days=5.02) as server:
        options = options_of(server, "coinbase", tmp_path, days=5)
        store, series = CandleStore(tmp_path), series_of(options)
        process = await command(options, "2026-01-06")
        await eventually(lambda: store.file(series, DAY + DAY_S).exists(), "two days")
        process.send_signal(number)
        _, said = await process.communicate()
        kept = store.whole_days(series, DAY, DAY + 5 * DAY_S).days
        result = await fetch(options)

    assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL)
    assert b"Traceback" not in said
    assert 2 <= len(kept) < 5
    assert (len(kept), 5 - len(kept)) == (result.series[0].cached, result.series[0].fetched)
    assert 5 * 1_440 == result.series[0].rows
    assert result.series[0].requests <= (5 - len(kept)) * 5


def test_pages_cover_missing_days_once() -> None:
    """Days that follow each other share requests; none is larger than the venue allows."""
    days = [DAY, DAY + DAY_S, DAY + 4 * DAY_S]
    for step_s, rows in ((60, 300), (60, 1_000), (3_600, 300), (DAY_S, 300)):
        pages = pages_of(days, DAY + 5 * DAY_S, step_s, rows)
        starts = [s for first, last in pages for s in range(first, last + 1, step_s)]
        assert starts == [s for day in days for s in range(day, day + DAY_S, step_s)]
        assert all((last - first) // step_s < rows for first, last in pages)
    assert [(DAY, DAY + HOUR_S - 60)] == pages_of([DAY], DAY + HOUR_S, 60, 300)


def test_candle_is_closed_a_minute_after_its_end() -> None:
    """The newest candles of a venue may still change."""
    assert DAY + 60 == closed_until(DAY + 120, 60)
    assert DAY == closed_until(DAY + 119.9, 60)
    assert DAY == closed_until(DAY + HOUR_S + 59, HOUR_S)


def test_collector_gives_each_day_once() -> None:
    """A day is complete with its last page, also if it has no candle."""
    collector = DayCollector(DAY + 2 * DAY_S, 60)

    assert {} == collector.take((DAY, DAY + 18_000 - 60), [])
    assert {DAY: {}} == collector.take((DAY + 18_000, DAY + DAY_S + 600 - 60), [])
    assert {DAY + DAY_S: {}} == collector.take((DAY + DAY_S + 600, DAY + 2 * DAY_S - 60), [])
