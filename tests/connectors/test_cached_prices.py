"""A replay of the cache gives the snapshots of a file with the same candles."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from arena.candle_cache.series import DAY_S, Series
from arena.candle_cache.store import CandleStore, NewDay
from arena.errors import UsageError
from arena.indicators import parse_feature_set
from arena.messages import MarketSnapshot
from connectors.market.lockstep.lockstep_publisher import LockstepTimeouts
from connectors.market.lockstep.run import LockstepOptions, build_replay
from connectors.simulator.run import ExchangeOptions, open_market

DAY = 1_767_225_600
"""2026-01-01."""
START = datetime(2026, 1, 1, tzinfo=UTC)
PRODUCTS = ("BTC-USD", "ETH-USD")


def lines_of(product: int) -> dict[int, str]:
    """Minutes of a day, with a hole."""
    return {
        DAY + 60 * n: f"{100 + n % (7 + product)},{120 + product},{90 - product},{101 + n % 5},3,,"
        for n in range(1_440)
        if not 600 <= n < 610
    }


def snapshots_of(options: LockstepOptions) -> list[MarketSnapshot]:
    """The snapshots of a replay, without the name of their source."""
    replay, found = build_replay(options), []
    for index in range(5):
        if index:
            replay.step()
        tickers, candles = len(replay.tickers()), len(replay.take_candles())
        snapshot = replay.snapshot({0: tickers}, START, {0: candles})
        found.append(snapshot.model_copy(update={"source": ""}))
    return found


def options(prices: tuple[Path, ...], home: Path, start: datetime | None) -> LockstepOptions:
    """Hourly snapshots of the first half of the day."""
    return LockstepOptions(
        ("a",),
        PRODUCTS,
        prices,
        None,
        start,
        3600.0,
        5,
        timeouts=LockstepTimeouts(60, 60),
        end=START + timedelta(hours=12),
        home=home,
        features=parse_feature_set("none"),
    )


def test_cache_and_files_give_the_same_market(tmp_path: Path) -> None:
    """The first snapshot comes an hour after the start of the range, with its candles."""
    files = []
    for number, product in enumerate(PRODUCTS):
        lines = lines_of(number)
        new = NewDay(lines, ((DAY, DAY + DAY_S),), "test")
        CandleStore(tmp_path).replace(Series("coinbase", product), {DAY: new}, START)
        files.append(tmp_path / f"{product}.csv")
        rows = [f"{ts},{line.removesuffix(',,')}" for ts, line in lines.items()]
        files[-1].write_text("\n".join(["ts,open,high,low,close,volume", *rows]))
    cached = options((Path("cache:coinbase"),) * 2, tmp_path, START)
    from_cache = snapshots_of(cached)
    from_files = snapshots_of(options(tuple(files), tmp_path, None))

    assert from_files == from_cache
    assert START + timedelta(hours=1) == from_cache[0].as_of
    assert "cache:BTC-USD 1m (Coinbase), cache:ETH-USD 1m" in build_replay(cached).source
    assert "; rows " in build_replay(cached).source


def test_hours_of_the_cache_are_a_market_of_hours(tmp_path: Path) -> None:
    """The cache is asked for candles of the market's length; others are of no use."""
    files = []
    for product in PRODUCTS:
        lines = {DAY + 3_600 * n: f"{100 + n},{120 + n},90,{101 + n},3,," for n in range(24)}
        new = NewDay(lines, ((DAY, DAY + DAY_S),), "test")
        series = Series("coinbase", product, "1h")
        CandleStore(tmp_path).replace(series, {DAY: new}, START)
        files.append(tmp_path / f"{product}.csv")
        rows = [f"{ts},{line.removesuffix(',,')}" for ts, line in lines.items()]
        files[-1].write_text("\n".join(["ts,open,high,low,close,volume", *rows]))
    cached = options((Path("cache:coinbase"),) * 2, tmp_path, START)
    hours = replace(cached, granularity="1h")

    assert snapshots_of(options(tuple(files), tmp_path, None)) == snapshots_of(hours)
    with pytest.raises(UsageError, match="coinbase BTC-USD 1m: 2026-01-01"):
        build_replay(cached)


def test_simulated_exchange_plays_the_cache(tmp_path: Path) -> None:
    """Clients may join after the history; the prices end with the range."""
    new = NewDay(lines_of(0), ((DAY, DAY + DAY_S),), "test")
    CandleStore(tmp_path).replace(Series("coinbase", "BTC-USD"), {DAY: new}, START)
    started = open_market(
        ExchangeOptions(
            ("BTC-USD",),
            prices=(Path("cache:coinbase"),),
            start=START,
            end=START + timedelta(hours=12),
            history_s=3600,
            home=tmp_path,
        ),
        START,
    )

    assert DAY + 3600 == started.venue_s
    assert DAY + 12 * 3600 == started.market.end_s
    assert 60 == len(started.market.candles("BTC-USD", 60, DAY, DAY + 3600 - 60))
