"""The tools for technical metrics: what they see, what they answer, and their errors."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.clock import SystemClock
from arena.indicators import ProductIndicators, parse_feature_set, parse_spec
from arena.messages import Candle, ClosedCandle, ToolResult
from arena.node import Node
from arena.settings import Settings
from tests.alongside import alongside
from tests.arena.candle_rows import START, candle, candles
from tests.trading_tools.helpers import tool_call
from trading_tools.candle_follower import CandleFollower
from trading_tools.candle_store import KEPT, RECORDS_SEEN, REMEMBERED_MAX, CandleStore, CandleView
from trading_tools.context import Answer, MarketContext
from trading_tools.registry import load_catalogue, tool, tool_of
from trading_tools.server import ToolServer
from trading_tools.technical_metrics import computed, listed_metrics

COMPUTE = "compute_technical_metrics"
RSI = '{"product_id": "BTC-USD", "metric": "rsi", "granularity": "1m", "length": 14}'


def closed(one: Candle, product_id: str = "BTC-USD", rewinds: int = 0) -> ClosedCandle:
    """A record of `market.candles`."""
    return ClosedCandle(venue="coinbase", product_id=product_id, candle=one, rewinds=rewinds)


def view_of(
    found: Iterable[Candle], offsets: dict[int, int] | None = None, product_id: str = "BTC-USD"
) -> CandleView:
    """The view of a store with these records, from offset 0 on."""
    store = CandleStore()
    for offset, one in enumerate(found):
        store.add(0, offset, closed(one, product_id))
    return store.view(offsets or {})


# Any: the JSON value of an answer.
def value_of(answer: Answer) -> dict[str, Any]:
    """The value of an answer that succeeded."""
    assert "" == answer.error, answer.text
    assert isinstance(answer.value, dict)
    return cast(dict[str, Any], answer.value)


def test_values_are_those_of_the_snapshot_indicators() -> None:
    """Every metric of the standard set, also with gaps and corrections, up to an offset."""
    records = candles([*range(90), *range(95, 400)])
    records[200:200] = [candle(199, 3), records[199]]
    features = parse_feature_set("standard")
    indicators = ProductIndicators(features)
    for one in records[:350]:
        indicators.take(one)
    view = view_of(records, {0: 350})

    for granularity, window in indicators.windows().items():
        for spec in features.specs[granularity]:
            answer = value_of(computed(view, "BTC-USD", spec.text, granularity, None))
            assert {name: window.values[name] for name in spec.names} == answer["values"]
            assert (window.bars, False) == (answer["bars"], answer["truncated"])


def test_answer_says_what_it_was_computed_from() -> None:
    """Bars, their start, and the newest bar with its close."""
    answer = computed(view_of([candle(n, 100 + n) for n in range(22)]), "BTC-USD", "ema", "5m", 3)

    assert (
        "BTC-USD 5m: ema_3 = 114; computed from 4 bars since 2026-01-01 00:00 UTC; "
        "newest bar 2026-01-01 00:15 to 2026-01-01 00:20, close 119."
    ) == answer.text
    assert {"start": "2026-01-01 00:15", "end": "2026-01-01 00:20", "close": "119"} == (
        value_of(answer)["newest_bar"]
    )


def test_answer_before_warm_up_says_how_many_bars_are_missing() -> None:
    """The value is none; that is not an error."""
    answer = computed(view_of(candles(range(10))), "BTC-USD", "rsi", "1m", None)
    empty = computed(view_of(candles(range(10))), "BTC-USD", "rsi", "1h", None)

    assert {"rsi_14": None} == value_of(answer)["values"]
    assert "rsi_14 = none; computed from 10 bars" in answer.text
    assert "it needs 15 bars, 5 are missing" in answer.text
    assert "no bar of 1h has closed yet; it needs 15 bars, 15 are missing" in empty.text
    assert value_of(empty)["newest_bar"] is None


def test_gap_is_named() -> None:
    """The bars before it are not used, and the answer says since when."""
    answer = computed(view_of(candles([*range(50), *range(60, 80)])), "BTC-USD", "sma", "1m", 5)

    assert 20 == value_of(answer)["bars"]
    assert "since 2026-01-01 01:00 UTC; bars before 2026-01-01 00:59 are not used" in answer.text


def test_long_run_says_that_it_is_cut() -> None:
    """A run that began before the oldest kept record is computed from what is kept."""
    answer = computed(view_of(candles(range(RECORDS_SEEN + 100))), "BTC-USD", "ema", "1m", 20)

    assert (True, RECORDS_SEEN) == (value_of(answer)["truncated"], value_of(answer)["bars"])
    assert "as many as are kept" in answer.text


@pytest.mark.parametrize(
    ("product_id", "metric", "granularity", "length", "error", "text"),
    [
        ("BTC-EUR", "rsi", "1m", 14, "unknown_product",
         "no candles of 'BTC-EUR'; the products are BTC-USD."),
        ("BTC-USD", "rsl", "1m", 14, "unknown_metric",
         "unknown metric 'rsl'; the metrics are rsi"),
        ("BTC-USD", "macd_signal", "1m", None, "unknown_metric", "ask for 'macd'"),
        ("BTC-USD", "rsi", "2m", 14, "unknown_granularity",
         "the granularities are 1m, 5m, 15m, 1h, 1d"),
        ("BTC-USD", "rsi", "1m", 1, "bad_length", "must be 2 to 500, got 1"),
        ("BTC-USD", "rsi", "1m", -5, "bad_length", "must be 2 to 500, got -5"),
        ("BTC-USD", "rsi_7", "1m", 14, "bad_length", "'rsi_7' has its numbers, and length is 14"),
        ("BTC-USD", "macd", "1m", 14, "bad_length",
         "macd has no length but fast, slow, signal; length was 14; leave out length"),
        ("BTC-USD", "macd_26_12_9", "1m", None, "bad_length", "must be less than the slow one"),
        ("BTC-USD", "sma", "1h", 100, "bad_length",
         "sma_100 needs 100 bars of 1h: 6,000 minutes of candles; use a shorter length"),
    ],
)  # fmt: skip
def test_wrong_argument_is_refused_with_value_and_remedy(
    product_id: str, metric: str, granularity: str, length: int | None, error: str, text: str
) -> None:
    """The agent reads what was wrong, and what exists."""
    answer = computed(view_of(candles(range(30))), product_id, metric, granularity, length)

    assert error == answer.error
    assert text in answer.text


def test_length_of_bollinger_is_that_of_its_mean() -> None:
    """The bands are two deviations wide; other widths are in the metric's text."""
    view = view_of(candles(range(30)))

    assert ["bollinger_upper_10_2", "bollinger_middle_10_2", "bollinger_lower_10_2"] == list(
        value_of(computed(view, "BTC-USD", "bollinger", "1m", 10))["values"]
    )
    assert (
        "bollinger_upper_10_1.5"
        in (value_of(computed(view, "BTC-USD", "bollinger_10_1.5", "1m", None))["values"])
    )


def test_list_has_formulas_bounds_and_what_snapshots_have() -> None:
    """With a product it says how many minutes there are."""
    view = view_of(candles(range(30)))
    answer = listed_metrics(view, {"1m": ("rsi_14", "atr_14")}, "BTC-USD")
    wrong = listed_metrics(view, {}, "ETH-USD")

    assert "Parameters: length 14 (2 to 500); rsi_14 needs 15 bars." in answer.text
    assert "In the snapshot, 1m: rsi_14, atr_14." in answer.text
    assert "BTC-USD: 30 minutes, 2026-01-01 00:00 to 2026-01-01 00:29 UTC." in answer.text
    assert 12 == len(value_of(answer)["metrics"])
    assert ("unknown_product", True) == (wrong.error, "the products are BTC-USD" in wrong.text)


def test_equal_calls_are_computed_once() -> None:
    """Agents on one snapshot share what was computed; a later snapshot gets its own."""
    store = CandleStore()
    for offset, one in enumerate(candles(range(30))):
        store.add(0, offset, closed(one))
    spec = parse_spec("rsi_14")
    first = store.view({0: 29}).indicators("BTC-USD", "1m", spec)

    assert first is store.view({0: 29}).indicators("BTC-USD", "1m", spec)
    assert first != store.view({0: 30}).indicators("BTC-USD", "1m", spec)
    for length in range(2, 400):
        store.view({}).indicators("BTC-USD", "1m", parse_spec(f"sma_{length}"))
    assert len(store._windows) <= REMEMBERED_MAX


def test_store_is_bounded_and_keeps_the_order_of_the_log() -> None:
    """Records that are read backwards in chunks give the same as those that were followed."""
    found = list(enumerate(closed(one) for one in candles(range(KEPT + 700))))
    followed, loaded = CandleStore(), CandleStore()
    for offset, message in found:
        followed.add(0, offset, message)
    for begin in range(len(found) - 500, -500, -500):
        loaded.add_older(0, found[max(0, begin) : begin + 500])
    offsets = {0: len(found) - 100}

    assert loaded.is_full(0)
    assert RECORDS_SEEN == len(loaded.records("BTC-USD", offsets))
    assert followed.records("BTC-USD", offsets) == loaded.records("BTC-USD", offsets)


def test_minutes_of_an_earlier_market_are_left_out() -> None:
    """After the venue's time went back, only the minutes since then are seen."""
    store = CandleStore()
    for offset, one in enumerate(candles(range(20))):
        store.add(0, offset, closed(one))
    for offset, one in enumerate(candles(range(5)), 20):
        store.add(0, offset, closed(one, rewinds=1))

    assert (5, 20) == (
        len(store.view({}).minutes("BTC-USD")),
        len(store.view({0: 20}).minutes("BTC-USD")),
    )


async def publish(bus: MemoryBus, found: Iterable[Candle]) -> dict[int, int]:
    """Append candles; return the offsets after them."""
    await bus.ensure_topics([topics.CANDLES, topics.SNAPSHOTS])
    offsets: dict[int, int] = {}
    for one in found:
        ack = await bus.append(topics.CANDLES.name, closed(one), key="BTC-USD")
        offsets[ack.partition] = ack.offset + 1
    return offsets


@tool
def newest_close(ctx: MarketContext, product_id: str) -> Answer:
    """Return the newest close that the agent has seen."""
    return Answer(f"{ctx.candles.minutes(product_id)[-1].close:g}")


TOOLS = load_catalogue() | {"newest_close": tool_of(newest_close)}


def server(bus: MemoryBus, candles_of: CandleFollower) -> ToolServer:
    """A tool server."""
    return ToolServer(Node("tools", "t", Settings(), bus, SystemClock()), TOOLS, candles_of)


async def test_same_answer_however_far_the_server_has_read(memory_bus: MemoryBus) -> None:
    """A call on a snapshot sees the candles up to it, at once or much later."""
    follower = CandleFollower(memory_bus)
    offsets = await publish(memory_bus, candles(range(100)))
    call = tool_call("momentum", COMPUTE, RSI, candle_offsets=offsets)
    async with alongside(follower.run()):
        at_once = await server(memory_bus, follower).result(call)
        later_offsets = await publish(memory_bus, [candle(n, 7) for n in range(100, 200)])
        later = tool_call("momentum", COMPUTE, RSI, candle_offsets=later_offsets)
        newer = await server(memory_bus, follower).result(later)
        again = await server(memory_bus, follower).result(call)
    restarted = CandleFollower(memory_bus)
    await restarted.load()

    assert at_once == again == await server(memory_bus, restarted).result(call)
    assert at_once.value != newer.value
    assert at_once.ok


async def test_restarted_server_reads_back_what_it_keeps(memory_bus: MemoryBus) -> None:
    """A long log with several products gives the same view as to a server that followed it."""
    await memory_bus.ensure_topics([topics.CANDLES, topics.SNAPSHOTS])
    ends: dict[int, int] = {}
    followed = CandleStore()
    early = [closed(one, "OLD-USD") for one in candles(range(50))]
    later = [closed(one) for one in candles(range(KEPT + 900))]
    for message in [*early, *later]:
        ack = await memory_bus.append(topics.CANDLES.name, message, key=message.product_id)
        followed.add(ack.partition, ack.offset, message)
        ends[ack.partition] = ack.offset + 1
    restarted = CandleFollower(memory_bus)
    await restarted.load()
    view = await restarted.view(ends)

    assert followed.view(ends).records("BTC-USD") == view.records("BTC-USD")
    assert RECORDS_SEEN == len(view.records("BTC-USD"))
    assert ("BTC-USD", "OLD-USD") == view.products()


async def test_call_waits_for_the_candles_of_its_snapshot(memory_bus: MemoryBus) -> None:
    """It is answered when they arrive; without them it ends at its deadline."""
    follower = CandleFollower(memory_bus)
    offsets = await publish(memory_bus, candles(range(50)))
    wanted = {partition: offset + 1 for partition, offset in offsets.items()}
    arguments = '{"product_id": "BTC-USD"}'
    call = tool_call("a", "newest_close", arguments, candle_offsets=wanted)
    soon = tool_call("a", "newest_close", arguments, candle_offsets=wanted, life_s=0.2)
    async with alongside(follower.run()):
        expired = await server(memory_bus, follower).result(soon)
        waiting = asyncio.ensure_future(server(memory_bus, follower).result(call))
        await publish(memory_bus, [candle(50, 42)])
        result: ToolResult = await waiting

    assert "expired" == expired.error
    assert (True, "42") == (result.ok, result.text)


async def test_without_candles_the_answer_says_so(memory_bus: MemoryBus) -> None:
    """An empty topic is named as such."""
    follower = CandleFollower(memory_bus)
    await publish(memory_bus, [])
    await follower.load()
    result = await server(memory_bus, follower).result(tool_call("a", COMPUTE, RSI))

    assert "unknown_product" == result.error
    assert "no candles yet" in result.text


def test_view_corrects_minutes() -> None:
    """A newer record of a minute counts, unless it is more than eight minutes older."""
    found = [*candles(range(20)), candle(15, 5), candle(3, 5)]
    minutes = view_of(found).minutes("BTC-USD")

    assert 20 == len(minutes)
    assert (5.0, float(candles(range(20))[3].close)) == (minutes[15].close, minutes[3].close)
    assert datetime.fromtimestamp(minutes[0].start_s, UTC) == START
