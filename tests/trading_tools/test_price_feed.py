"""The price feed among markers and unreadable records."""

import asyncio

import pytest

from arena import topics
from arena.bus.base import Record
from arena.bus.memory import MemoryBus
from arena.clock import SystemClock
from arena.node import Node
from arena.settings import Settings
from tests.trading_tools.helpers import ticker
from trading_tools import prices
from trading_tools.prices import PriceFeed, newest_first

TICKERS = topics.TICKERS.name


@pytest.fixture
def feed(memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch) -> PriceFeed:
    """A feed with a short time-out."""
    monkeypatch.setattr(prices, "LOAD_TIMEOUT_S", 2.0)
    return PriceFeed(Node("tools", "test", Settings(), memory_bus, SystemClock()))


async def test_marker_at_the_end_does_not_block_a_start(
    memory_bus: MemoryBus, feed: PriceFeed
) -> None:
    """The end marker of a transaction has an offset, and no record comes for it."""
    await memory_bus.append(TICKERS, ticker("1", "2"), key="BTC-USD")
    memory_bus.cluster.append_marker(TICKERS, 0)

    await feed.open()

    assert feed.covers({0: 2})
    await feed.close()


async def test_unreadable_record_replaces_no_price(memory_bus: MemoryBus, feed: PriceFeed) -> None:
    """The newest readable record of a product counts."""
    await memory_bus.append(TICKERS, ticker("1", "2"), key="BTC-USD")
    memory_bus.cluster.append(TICKERS, 0, b"BTC-USD", b"rot", [("type", b"Ticker")])

    await feed.open()

    assert feed.market.quotes["BTC-USD"].offset == 0
    await feed.close()


async def test_lagging_leader_is_waited_for(memory_bus: MemoryBus, feed: PriceFeed) -> None:
    """The topic seems to end before the prices of the snapshot, and they come in time."""
    await memory_bus.append(TICKERS, ticker("1", "2"), key="BTC-USD")
    await feed.open()
    following = asyncio.create_task(feed.run())
    waiting = asyncio.create_task(feed.catch_up({0: 2}, 2.0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await memory_bus.append(TICKERS, ticker("1", "2"), key="BTC-USD")

    assert await waiting
    assert not await feed.catch_up({0: 4_000}, 0.05)
    assert not await feed.catch_up({9: 1}, 2.0)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await feed.close()


async def test_missing_prices_are_waited_for_again_after_the_topic_grew(
    memory_bus: MemoryBus, feed: PriceFeed
) -> None:
    """Not before, and a missing offset not before the topic has reached it."""
    await memory_bus.append(TICKERS, ticker("1", "2"), key="BTC-USD")
    await feed.open()
    before = await feed.cannot_catch_up({0: 9})
    feed.note_timeout({0: 9})
    ended = [await feed.cannot_catch_up({0: offset}) for offset in (1, 2, 9)]
    await memory_bus.append(TICKERS, ticker("1", "2"), key="BTC-USD")
    grown = [await feed.cannot_catch_up({0: offset}) for offset in (2, 3, 9)]
    for _ in range(7):
        await memory_bus.append(TICKERS, ticker("1", "2"), key="BTC-USD")
    await feed.close()
    await feed.open()
    reached = [await feed.cannot_catch_up({0: offset}) for offset in (9, 10)]

    assert not before
    assert [False, True, True] == ended
    assert [False, False, True] == grown
    assert [False, False] == reached
    assert await feed.cannot_catch_up({9: 1})
    await feed.close()


def test_the_newest_of_two_partitions_is_taken_last() -> None:
    """A product that moved to an added partition has its new price."""
    moved = [
        Record(TICKERS, 0, 7, 1_000, b"BTC-USD", b"old", {"type": b"Ticker"}),
        Record(TICKERS, 1, 0, 2_000, b"BTC-USD", b"new", {"type": b"Ticker"}),
    ]

    assert [b"old", b"new"] == [same[0].value for same in newest_first(moved)]
