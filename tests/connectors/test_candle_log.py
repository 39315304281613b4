"""`market.candles` and the indicators of snapshots: appended once, folded alike by every reader."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.candle_fold import CandleFold
from arena.indicators.feature_sets import parse_feature_set
from arena.messages import Candle, ClosedCandle, MarketSnapshot, ProductView
from connectors.market import candle_log
from connectors.market.candle_log import CandleLog
from connectors.market.candles import CandleBook
from tests.connectors.lockstep_agents import logged

FEATURES = parse_feature_set("ema_20,rsi_14,high_20@1m")
T0 = datetime(2026, 3, 1, 10, 7, tzinfo=UTC)
BTC = "BTC-USD"


def minute(number: int, close: str | None = None) -> Candle:
    """The candle of a minute after T0."""
    price = Decimal(close or 100 + number % 7)
    return Candle(
        start=T0 + timedelta(minutes=number),
        open=price,
        high=price + 1,
        low=price - 1,
        close=price,
        volume=Decimal(5),
    )


def book_of(*minutes: Candle) -> CandleBook:
    """A book with some minutes."""
    book = CandleBook()
    for candle in minutes:
        book.keep(candle)
    return book


def snapshot_of(log: CandleLog, minutes: int, rewinds: int = 0) -> MarketSnapshot:
    """A snapshot with the indicators of a log."""
    made = log.published([BTC])
    as_of = T0 + timedelta(minutes=minutes)
    return MarketSnapshot(
        snapshot_id="s",
        venue="coinbase",
        as_of=as_of,
        interval_s=60,
        rewinds=rewinds,
        candle_offsets=dict(made.offsets),
        products=(ProductView(product_id=BTC, indicators=made.indicators[BTC]),),
        published_at=as_of,
    )


async def started(bus: MemoryBus) -> CandleLog:
    """A log on an empty topic."""
    await bus.ensure_topics([topics.CANDLES])
    return CandleLog(bus, FEATURES, Counter())


async def candles_in(bus: MemoryBus) -> list[ClosedCandle]:
    """Every record of the topic."""
    return [m for m in await logged(bus, topics.CANDLES.name) if isinstance(m, ClosedCandle)]


async def test_a_minute_is_appended_once_it_closed_and_when_it_changes(
    memory_bus: MemoryBus,
) -> None:
    """An open minute waits, a corrected one is appended again, an unchanged one is not."""
    log, book = await started(memory_bus), book_of(minute(0), minute(1))
    await log.publish({BTC: book}, T0 + timedelta(seconds=90))
    first = [m.candle for m in await candles_in(memory_bus)]
    book.keep(minute(1, "120"))
    await log.publish({BTC: book}, T0 + timedelta(minutes=2))
    book.keep(minute(1, "120"))
    await log.publish({BTC: book}, T0 + timedelta(minutes=2))
    book.keep(minute(1, "121"))
    await log.publish({BTC: book}, T0 + timedelta(minutes=2))

    assert [minute(0)] == first
    found = [m.candle for m in await candles_in(memory_bus)]
    assert [minute(0), minute(1, "120"), minute(1, "121")] == found
    assert {0: 3} == log.published([BTC]).offsets


async def test_a_reader_of_the_topic_has_the_same_indicators(memory_bus: MemoryBus) -> None:
    """Folded up to the offsets of a snapshot, with corrections and a gap, values are identical."""
    log, book = await started(memory_bus), CandleBook()
    made = []
    for number in range(90):
        if number != 40:
            book.keep(minute(number))
        if number % 9 == 0 and number:
            book.keep(minute(number - 2, str(90 + number % 5)))
        await log.publish({BTC: book}, T0 + timedelta(minutes=number + 1))
        made.append(snapshot_of(log, number + 1))
    records = await candles_in(memory_bus)

    for snapshot in made:
        fold = CandleFold(FEATURES)
        for record in records[: snapshot.candle_offsets[0]]:
            fold.take(record)
        assert snapshot.products[0].indicators == fold.windows(BTC)
    window = made[-1].products[0].indicators["1m"]
    assert (minute(41).start, minute(40).start, 49) == (window.since, window.gap, window.bars)
    assert made[-1].products[0].indicators["5m"].since == T0 + timedelta(minutes=3)


async def test_a_process_that_takes_over_continues_the_series(memory_bus: MemoryBus) -> None:
    """It folds the log as far back as the newest snapshot says, and appends nothing again."""
    log = await started(memory_bus)
    await log.publish({BTC: book_of(*map(minute, range(500)))}, T0 + timedelta(minutes=500))
    newest = snapshot_of(log, 500)
    counters: Counter[str] = Counter()
    other = CandleLog(memory_bus, FEATURES, counters)
    await other.resume(newest)
    after_restart = other.published([BTC])
    await other.publish({BTC: book_of(*map(minute, range(300, 501)))}, T0 + timedelta(minutes=501))
    await log.publish({BTC: book_of(minute(500))}, T0 + timedelta(minutes=501))

    assert newest.products[0].indicators == after_restart.indicators[BTC]
    assert newest.candle_offsets == after_restart.offsets
    assert 1 == counters["candles"]
    assert log.published([BTC]).indicators == other.published([BTC]).indicators


async def test_a_log_that_is_too_long_is_folded_from_its_newest_days(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The series then begins later, and the snapshot says so by `since`."""
    monkeypatch.setattr(candle_log, "BACK_MINUTES_MAX", 320)
    monkeypatch.setattr(candle_log, "CHUNK", 100)
    features = parse_feature_set("high_20@1m")
    log = CandleLog(memory_bus, features, Counter())
    for until in range(100, 701, 100):
        minutes = map(minute, range(until - 100, until))
        await log.publish({BTC: book_of(*minutes)}, T0 + timedelta(minutes=until))
    newest = snapshot_of(log, 700)
    other = CandleLog(memory_bus, features, Counter())
    await other.resume(newest)
    before, after = newest.products[0].indicators, other.published([BTC]).indicators[BTC]

    # At least the minutes of a book, and an hour.
    assert (T0, minute(340).start) == (before["1m"].since, after["1m"].since)
    assert before["1m"].values["high_20"] == after["1m"].values["high_20"]


async def test_a_market_that_started_again_begins_a_new_series(memory_bus: MemoryBus) -> None:
    """After the venue's clock went back, older minutes count again, also for a new process."""
    log = await started(memory_bus)
    await log.publish({BTC: book_of(*map(minute, range(60)))}, T0 + timedelta(minutes=60))
    again = book_of(*map(minute, range(20)))
    await log.publish({BTC: again}, T0 + timedelta(minutes=20), rewinds=1)
    other = CandleLog(memory_bus, FEATURES, Counter())
    await other.resume(snapshot_of(log, 20, rewinds=1))

    assert 20 == log.published([BTC]).indicators[BTC]["1m"].bars
    assert log.published([BTC]).indicators == other.published([BTC]).indicators
    assert 80 == len(await candles_in(memory_bus))
