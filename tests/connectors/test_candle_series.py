"""Series on `market.candles` after a restart: as warm as the set asks, and folded alike."""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

from arena.bus.memory import MemoryBus
from arena.candle_fold import CandleFold
from arena.indicators.feature_sets import FeatureSet, parse_feature_set
from arena.messages import ClosedCandle, MarketSnapshot
from connectors.market.candle_log import CandleLog
from connectors.market.candles import CandleBook
from tests.connectors.test_candle_log import (
    BTC,
    FEATURES,
    T0,
    candles_in,
    minute,
    snapshot_of,
    started,
)
from trading_tools.candle_store import CandleStore

LARGER = parse_feature_set("ema_100@5m,high_20@1m")


def book_of(numbers: Iterable[int]) -> CandleBook:
    """A book of 600 minutes, with those of some numbers."""
    book = CandleBook(600)
    for number in numbers:
        book.keep(minute(number))
    return book


async def restarted(
    bus: MemoryBus, newest: MarketSnapshot | None, numbers: range, features: FeatureSet
) -> CandleLog:
    """A new process that has loaded some minutes and appended them."""
    log = CandleLog(bus, features, Counter(), book_minutes=505)
    await log.resume(newest)
    await log.publish({BTC: book_of(numbers)}, T0 + timedelta(minutes=numbers.stop))
    return log


async def assert_readers_agree(bus: MemoryBus, log: CandleLog, features: FeatureSet) -> None:
    """A fold of the whole topic, and the tool server, have the indicators of the log."""
    fold, store = CandleFold(features), CandleStore()
    for offset, record in enumerate(await candles_in(bus)):
        fold.take(record)
        store.add(0, offset, record)
    made = log.published([BTC])
    assert made.indicators[BTC] == fold.windows(BTC)
    view = store.view(made.offsets)
    for granularity, specs in features.specs.items():
        for spec in specs:
            window = view.indicators(BTC, granularity, spec)
            assert window.values.items() <= made.indicators[BTC][granularity].values.items()
            assert window.bars == made.indicators[BTC][granularity].bars


async def test_a_larger_set_after_a_restart_is_warm(memory_bus: MemoryBus) -> None:
    """The longer history is older than the series in the log: the series starts again with it."""
    log = await started(memory_bus)
    await log.publish({BTC: book_of(range(500, 560))}, T0 + timedelta(minutes=560))
    other = await restarted(memory_bus, snapshot_of(log, 560), range(10, 562), LARGER)
    window = other.published([BTC]).indicators[BTC]["5m"]

    assert (109, True) == (window.bars, window.values["ema_100"] is not None)
    assert 60 + 552 == len(await candles_in(memory_bus))
    await assert_readers_agree(memory_bus, other, LARGER)
    again = await restarted(memory_bus, snapshot_of(other, 562), range(60, 563), LARGER)
    assert 60 + 553 == len(await candles_in(memory_bus))
    await assert_readers_agree(memory_bus, again, LARGER)


async def test_a_process_killed_while_it_starts_the_series_again(memory_bus: MemoryBus) -> None:
    """The next one folds what arrived, and appends the rest."""
    log = await started(memory_bus)
    await log.publish({BTC: book_of(range(500, 560))}, T0 + timedelta(minutes=560))
    newest = snapshot_of(log, 560)
    await restarted(memory_bus, newest, range(58, 300), LARGER)
    other = await restarted(memory_bus, newest, range(62, 565), LARGER)
    window = other.published([BTC]).indicators[BTC]["5m"]

    assert window.bars > 100
    assert minute(58).start == other.published([BTC]).indicators[BTC]["1m"].since
    await assert_readers_agree(memory_bus, other, LARGER)


async def test_a_series_that_no_snapshot_names_starts_again(memory_bus: MemoryBus) -> None:
    """A process killed before its first snapshot, or a product that came back, leaves minutes."""
    await restarted(memory_bus, None, range(300), FEATURES)
    other = await restarted(memory_bus, None, range(10, 311), FEATURES)

    assert minute(10).start == other.published([BTC]).indicators[BTC]["1m"].since
    await assert_readers_agree(memory_bus, other, FEATURES)


async def test_a_series_that_is_long_enough_continues(memory_bus: MemoryBus) -> None:
    """The book of a standby may begin earlier, if a product is quiet: no restart."""
    log = await started(memory_bus)
    await log.append(
        ClosedCandle(venue="coinbase", product_id=BTC, candle=minute(number))
        for number in [0, 1, *range(100, 560)]
    )
    other = CandleLog(memory_bus, FEATURES, Counter(), book_minutes=315)
    await other.resume(snapshot_of(log, 560))
    await other.publish({BTC: book_of([0, 1, *range(100, 561)])}, T0 + timedelta(minutes=561))

    assert not any(record.restarts for record in await candles_in(memory_bus))
    assert minute(100).start == other.published([BTC]).indicators[BTC]["1m"].since


async def test_slow_indicators_are_the_same_after_a_restart(memory_bus: MemoryBus) -> None:
    """Averages of long bars remember more than three days: a restart folds as many minutes."""
    features = parse_feature_set("rsi_14@1h")
    log = CandleLog(memory_bus, features, Counter())
    days = 18 * 24 * 60
    for begin in range(0, days, 600):
        numbers = range(begin, min(begin + 600, days))
        await log.publish({BTC: book_of(numbers)}, T0 + timedelta(minutes=numbers.stop))
    other = CandleLog(memory_bus, features, Counter())
    await other.resume(snapshot_of(log, days))
    one, two = (
        found.published([BTC]).indicators[BTC]["1h"].values["rsi_14"] for found in (log, other)
    )

    assert one is not None
    assert two is not None
    assert abs(one - two) < 1e-7
