"""No snapshot and no prompt depends on a record that came after it.

A contest's topics are read whole, and cut at each snapshot: what is computed from them for that
snapshot is the same bytes, and equal to what was published.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.candle_fold import CandleFold
from arena.context.visible import ContextBook, VisibleContext
from arena.indicators.feature_sets import STANDARD, parse_feature_set
from arena.messages import (
    ClosedCandle,
    ContextItem,
    MarketSnapshot,
    Message,
    Product,
    Ticker,
)
from arena.wire import encode
from connectors.market.candles import CandleBook
from connectors.market.lockstep.run import START
from connectors.market.snapshot import Origin, PublishedCandles, compose
from routers.prompt import render_market, render_system, render_user
from routers.strategy import load_strategy, shipped_names
from tests.connectors.lockstep_agents import ScriptedAgent, logged, running_agents
from tests.connectors.test_lockstep_publisher import lockstep_publisher
from tests.connectors.test_snapshot_replay import replay_of

SNAPSHOTS = 12
FEATURES = parse_feature_set(STANDARD)


class RecordedAges:
    """The ages in a recorded snapshot: they are wall time, and in no other topic."""

    def __init__(self, snapshot: MarketSnapshot) -> None:
        """Take the ages of a snapshot."""
        self._views = {view.product_id: view for view in snapshot.products}

    def age_s(self, product_id: str, now_s: float) -> float | None:
        """The recorded age."""
        age_ms = self._views[product_id].age_ms
        return None if age_ms is None else age_ms / 1000

    def stale(self, product_id: str, now_s: float) -> bool:
        """The recorded word."""
        return self._views[product_id].stale


def computed(
    like: MarketSnapshot,
    tickers: Sequence[Message],
    candles: Sequence[Message],
    context: Sequence[Message],
) -> MarketSnapshot:
    """The snapshot that the topics give, with the time, the ages and the offsets of a recorded one.

    Args:
        like: The recorded snapshot.
        tickers: Records of `market.tickers`, whole or cut.
        candles: Records of `market.candles`, whole or cut.
        context: Records of `market.context`, whole or cut.
    """
    news = ContextBook()
    for item in context[: like.context_offsets.get(0, 0)]:
        assert isinstance(item, ContextItem)
        news.take(item)
    published: dict[str, Ticker] = {}
    terms: dict[str, Product] = {}
    for message in tickers[: like.ticker_offsets[0]]:
        if isinstance(message, Ticker):
            published[message.product_id] = message
        elif isinstance(message, Product):
            terms[message.product_id] = message
    books = {product_id: CandleBook() for product_id in terms}
    fold = CandleFold(FEATURES)
    for record in candles[: like.candle_offsets[0]]:
        assert isinstance(record, ClosedCandle)
        books[record.product_id].keep(record.candle)
        fold.take(record)
    return compose(
        venue=like.venue,
        freshness=RecordedAges(like),
        books=books,
        published=published,
        terms=terms,
        ticker_offsets=like.ticker_offsets,
        as_of=like.as_of,
        windows_at=like.as_of,
        now_s=0.0,
        now=like.published_at,
        interval_s=like.interval_s,
        origin=Origin(like.simulated, like.speed, like.recorded, like.source),
        epoch=like.connection_epoch,
        rewinds=like.rewinds,
        context=VisibleContext(news.visible(like.as_of, books.keys()), like.context_offsets),
        candles=PublishedCandles({p: fold.windows(p) for p in books}, like.candle_offsets),
    )


def prompts_of(snapshot: MarketSnapshot) -> list[str]:
    """The prompts of every shipped strategy in every size."""
    found = []
    for name in shipped_names():
        strategy = load_strategy(name)
        for size in ("full", "compact", "tiny"):
            market = render_market(snapshot, size, ("indicators", "context"))
            found.append(render_system(strategy.prompt, None, size))
            found.append(render_user(market, snapshot, None, (), size))
    return found


def news(number: int, at_minute: int) -> ContextItem:
    """An item that is published so many minutes after the first snapshot."""
    return ContextItem(
        item_id=f"item-{number}",
        product_id="BTC-USD",
        kind="news",
        published_at=START + timedelta(minutes=at_minute),
        title=f"News of minute {at_minute}",
    )


async def append_news_late(bus: MemoryBus) -> None:
    """Append news of earlier and of later minutes while the contest runs."""
    for number in range(1, SNAPSHOTS):
        while len(bus.cluster.logs[topics.SNAPSHOTS.name, 0]) < number:
            await asyncio.sleep(0.001)
        for at_minute in (5 * number - 12, 5 * number + 12):
            item = news(2 * number + (at_minute > 5 * number), at_minute)
            await bus.append(topics.CONTEXT.name, item, key=item.product_id)


async def test_snapshots_and_prompts_do_not_look_ahead(memory_bus: MemoryBus) -> None:
    """From the whole topics, and from the topics cut at the snapshot, they are the same bytes."""
    replay = replay_of(snapshots=SNAPSHOTS, interval_s=300)
    await memory_bus.ensure_topics([topics.CONTEXT, topics.SNAPSHOTS])
    async with running_agents(memory_bus, ScriptedAgent("a")), asyncio.timeout(60):
        late = asyncio.create_task(append_news_late(memory_bus))
        await lockstep_publisher(memory_bus, "a", replay=replay).serve()
        await late
    names = (topics.TICKERS.name, topics.CANDLES.name, topics.CONTEXT.name)
    logs = [await logged(memory_bus, name) for name in names]
    snapshots = await logged(memory_bus, topics.SNAPSHOTS.name)

    assert SNAPSHOTS == len(snapshots)
    for snapshot in snapshots:
        assert isinstance(snapshot, MarketSnapshot)
        ends = (snapshot.ticker_offsets, snapshot.candle_offsets, snapshot.context_offsets)
        parts = [log[: end.get(0, 0)] for log, end in zip(logs, ends, strict=True)]
        cut = computed(snapshot, *parts)
        whole = computed(snapshot, *logs)
        assert encode(snapshot).value == encode(whole).value == encode(cut).value
        assert prompts_of(whole) == prompts_of(cut) == prompts_of(snapshot)
        assert all(item.published_at <= snapshot.as_of for item in snapshot.context)
        assert all(view.indicators["1m"].bars >= 300 for view in snapshot.products[1:])
    assert any("## Indicators" in text for text in prompts_of(whole))
    assert any("News of minute" in text for text in prompts_of(whole))


async def test_values_do_not_depend_on_how_much_of_the_past_is_read(
    memory_bus: MemoryBus,
) -> None:
    """Values over a window of bars are exactly equal; recursive ones settle to 1e-9."""
    replay = replay_of(snapshots=2, interval_s=60, products=("BTC-USD",))
    replay.step()
    candles = replay.take_candles()
    whole, late = CandleFold(FEATURES), CandleFold(FEATURES)
    for number, message in enumerate(candles):
        whole.take(message)
        if number >= len(candles) // 2:
            late.take(message)
    a, b = whole.windows("BTC-USD")["1m"].values, late.windows("BTC-USD")["1m"].values

    for name in ("sma_20", "high_20", "low_20", "bollinger_upper_20_2", "return_4"):
        assert a[name] == pytest.approx(b[name], rel=1e-11), name
    assert a["ema_20"] == pytest.approx(b["ema_20"], rel=1e-9)
    assert a["rsi_14"] == pytest.approx(b["rsi_14"], rel=1e-4)
