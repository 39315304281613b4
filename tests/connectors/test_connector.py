"""The connector against the simulated exchange, in good weather and in every bad one."""

import asyncio
from collections import deque
from itertools import pairwise
from pathlib import Path

import pytest

from arena.bus.memory import MemoryBus
from arena.errors import UsageError
from arena.messages import DeadLetter, MarketSnapshot, ProductView
from connectors.coinbase.events import HeartbeatSeen, TickerSeen
from connectors.coinbase.protocol import parse
from connectors.coinbase.recording import read_frames
from tests.connectors.venue import (
    PRODUCTS,
    Watched,
    break_it,
    eventually,
    running_connector,
    running_exchange,
)


def fresh(snapshot: MarketSnapshot) -> bool:
    """True if every product that the venue trades has a price to trade on."""
    return all(not view.stale for view in snapshot.products if view.status == "online")


def _view_of(watched: Watched, product_id: str) -> ProductView:
    """A product in the newest snapshot."""
    view = watched.snapshots[-1].view(product_id)
    assert view is not None
    return view


async def settled(watched: Watched, snapshots: int = 1) -> None:
    """Wait for the first snapshots."""
    await eventually(lambda: len(watched.snapshots) >= snapshots, f"{snapshots} snapshots")


async def recovered(watched: Watched) -> None:
    """Wait for a fresh snapshot made after now."""
    seen = len(watched.snapshots)
    await eventually(lambda: any(fresh(s) for s in watched.snapshots[seen:]), "a fresh snapshot")


async def test_snapshots_are_whole_and_follow_venue_time(memory_bus: MemoryBus) -> None:
    """Tickers, ages and full windows for every product, a venue minute apart."""
    async with (
        running_exchange() as server,
        running_connector(server, memory_bus, factor=1.0) as watched,
    ):
        await settled(watched, 4)
        snapshots = watched.snapshots

    first = snapshots[0]
    assert [True] * len(snapshots) == [fresh(s) for s in snapshots]
    assert sorted(PRODUCTS) == [view.product_id for view in first.products]
    assert (True, 60.0, "coinbase") == (first.simulated, first.speed, first.venue)
    steps = [(b.as_of - a.as_of).total_seconds() for a, b in pairwise(snapshots)]
    assert all(30 < step < 90 for step in steps)
    btc = next(view for view in first.products if view.product_id == "BTC-USD")
    sizes = {name: len(window.candles) for name, window in btc.windows.items()}
    assert 10 == sizes["15m"]
    assert 12 <= sizes["5m"] <= 16
    assert 20 <= sizes["1m"] <= 24
    assert [] == [gap for window in btc.windows.values() for gap in window.gaps]
    assert sorted(PRODUCTS) == sorted({p.product_id for p in watched.products})


async def test_a_snapshot_names_the_offsets_of_its_tickers(memory_bus: MemoryBus) -> None:
    """Whoever reads up to the named offset has every ticker the snapshot was made from."""
    async with running_exchange() as server, running_connector(server, memory_bus) as watched:
        await settled(watched, 3)
        records, snapshots = list(watched.records), watched.snapshots

    log = {r.offset: r.message() for r in records if r.topic == "market.tickers"}
    for snapshot in snapshots:
        known = [message for offset, message in log.items() if offset < snapshot.ticker_offsets[0]]
        assert all(view.ticker in known for view in snapshot.products)


async def test_a_quiet_product_is_published_again(memory_bus: MemoryBus) -> None:
    """The same ticker with a newer confirmation, at most every five seconds of our clock."""
    async with (
        running_exchange(products=("AERO-USD",), speed=1.0) as server,
        running_connector(server, memory_bus, products=("AERO-USD",)) as watched,
    ):
        await eventually(lambda: watched.count("tickers_repeated") >= 3, "three repeats")
        tickers = watched.tickers

    same = [t for t in tickers if t.sequence == tickers[0].sequence]
    assert len(same) >= 2
    confirmed = [t.confirmed_at for t in same if t.confirmed_at]
    assert sorted(set(confirmed)) == confirmed
    assert 1 == len({t.received_at for t in same})


async def test_a_stall_is_told_and_ended(memory_bus: MemoryBus) -> None:
    """The socket stays open and silent: stale snapshots say so, then a new connection."""
    async with running_exchange() as server, running_connector(server, memory_bus) as watched:
        await settled(watched)
        await break_it(server, "stall", seconds=3)
        await eventually(lambda: watched.count("reconnects_silent") >= 1, "the watchdog")
        await recovered(watched)

        assert watched.connector.stream.epoch >= 2
        assert watched.snapshots[-1].connection_epoch >= 2


async def test_a_standing_venue_still_gives_stale_snapshots(memory_bus: MemoryBus) -> None:
    """Nobody trades on the last good snapshot: a stale one follows it."""
    async with (
        running_exchange() as server,
        running_connector(server, memory_bus, factor=60.0) as watched,
    ):
        await settled(watched)
        await break_it(server, "stall", seconds=30)
        await eventually(lambda: not fresh(watched.snapshots[-1]), "a stale snapshot")
        last = watched.snapshots[-1]

    assert [True] * len(PRODUCTS) == [view.stale for view in last.products]
    assert all((view.age_ms or 0) > 5_000 for view in last.products)
    ids = [snapshot.snapshot_id for snapshot in watched.snapshots]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1009, 1012])
async def test_every_close_is_survived(memory_bus: MemoryBus, code: int) -> None:
    """Also a clean close is a failure: connect and subscribe again."""
    async with running_exchange() as server, running_connector(server, memory_bus) as watched:
        await settled(watched)
        await break_it(server, "close", code=code)
        await eventually(lambda: watched.connector.stream.epoch >= 2, "a second connection")
        await recovered(watched)

        assert 1 == watched.count(f"reconnects_close_{code}")


async def test_products_are_published_again_after_a_reconnect(memory_bus: MemoryBus) -> None:
    """Who joined late learns the trading rules."""
    async with running_exchange() as server, running_connector(server, memory_bus) as watched:
        await settled(watched)
        before = len(watched.products)
        await break_it(server, "drop")
        await eventually(lambda: len(watched.products) >= before + len(PRODUCTS), "products")


async def test_a_frame_too_large_is_refused_and_survived(memory_bus: MemoryBus) -> None:
    """5 MB close the connection with 1009, and the next one works."""
    async with running_exchange() as server, running_connector(server, memory_bus) as watched:
        await settled(watched)
        await break_it(server, "big_frame")
        await eventually(lambda: watched.count("reconnects_close_1009") == 1, "1009")
        await recovered(watched)


async def test_a_refused_handshake_is_waited_out(memory_bus: MemoryBus) -> None:
    """429 with Retry-After: no connect before that, then all is well."""
    async with running_exchange() as server, running_connector(server, memory_bus) as watched:
        await settled(watched)
        await break_it(server, "ws_429", seconds=1, retry_after=8)
        await break_it(server, "drop")
        await eventually(lambda: watched.count("reconnects_http_429") >= 1, "a refusal")
        await recovered(watched)

        assert watched.count("reconnects_http_429") <= 3


@pytest.mark.parametrize("kind", ["rest_429", "html"])
async def test_candles_late_by_a_refusing_api_are_flagged(memory_bus: MemoryBus, kind: str) -> None:
    """While REST answers nonsense tickers go on, and the minutes that are missing are named."""
    async with (
        running_exchange() as server,
        running_connector(server, memory_bus, factor=30.0) as watched,
    ):
        await settled(watched)
        await break_it(server, kind, seconds=5)

        def lagging() -> bool:
            view = watched.snapshots[-1].view("BTC-USD")
            return view is not None and view.windows["1m"].stale

        await eventually(lagging, "a stale window")
        flagged = watched.snapshots[-1]
        await eventually(lambda: not lagging(), "candles again")

    view = flagged.view("BTC-USD")
    assert view is not None
    assert not view.stale
    assert view.windows["1m"].gaps
    assert watched.count("rest_errors") > 0


async def test_a_bad_print_reaches_nobody(memory_bus: MemoryBus) -> None:
    """A price at a thousandth is dropped and counted."""
    async with running_exchange() as server, running_connector(server, memory_bus) as watched:
        await settled(watched)
        await break_it(server, "bad_print", product="BTC-USD")
        await eventually(lambda: watched.count("dropped_bad_print") == 1, "the drop")
        await recovered(watched)

        assert min(t.price for t in watched.tickers if t.product_id == "BTC-USD") > 10_000


async def test_an_old_ticker_is_dropped(memory_bus: MemoryBus) -> None:
    """Sequences of a product only grow in the topic."""
    async with running_exchange() as server, running_connector(server, memory_bus) as watched:
        await settled(watched)
        before = watched.count("dropped_out_of_order")
        await break_it(server, "reorder", product="BTC-USD")
        await eventually(lambda: watched.count("dropped_out_of_order") > before, "the drop")
        sequences = [t.sequence for t in watched.tickers if t.product_id == "BTC-USD"]

    assert sorted(sequences) == sequences


async def test_a_malformed_frame_goes_to_the_dead_letters(memory_bus: MemoryBus) -> None:
    """Its bytes are kept; the connection goes on."""
    async with running_exchange() as server, running_connector(server, memory_bus) as watched:
        await settled(watched)
        await break_it(server, "garbage")
        await eventually(
            lambda: any(isinstance(m, DeadLetter) for m in watched.messages), "a dead letter"
        )

        assert 1 == watched.connector.stream.epoch
        assert 1 == watched.count("malformed")


async def test_lost_tickers_are_fetched_by_rest(memory_bus: MemoryBus) -> None:
    """Heartbeats name newer trades than the ticker: trades and quotes are asked for."""
    async with (
        running_exchange(products=("BTC-USD",)) as server,
        running_connector(server, memory_bus, products=("BTC-USD",), factor=20.0) as watched,
    ):
        await settled(watched)
        await break_it(server, "gap", seconds=4)
        await eventually(lambda: watched.count("trades_backfilled") >= 1, "a backfill")
        await eventually(lambda: any(t.sequence == 0 for t in watched.tickers), "its ticker")
        repaired = next(t for t in watched.tickers if t.sequence == 0)
        prints = {p.trade_id: p for p in server.market.books["BTC-USD"].prints}
        await recovered(watched)

        assert watched.count("trades_missed") == watched.count("trades_backfilled")
    last = prints[repaired.trade_id or 0]
    assert (last.trade.price, last.trade.size) == (repaired.price, repaired.last_size)
    assert last.trade.taker_side == repaired.taker_side
    assert repaired.event_time >= last.at


async def test_trades_that_cannot_be_had_are_told(memory_bus: MemoryBus) -> None:
    """The exchange has forgotten the older ones: they are missed and stay so."""
    async with (
        running_exchange(products=("BTC-USD",)) as server,
        running_connector(server, memory_bus, products=("BTC-USD",), factor=20.0) as watched,
    ):
        await settled(watched)
        await break_it(server, "gap", seconds=4)
        book = server.market.books["BTC-USD"]
        book.prints = deque(book.prints, maxlen=2)
        await eventually(lambda: watched.count("trades_missed") >= 1, "a backfill")

        assert 1 <= watched.count("trades_backfilled") <= 2
        assert watched.count("trades_missed") > watched.count("trades_backfilled")


async def test_a_delisted_product_keeps_its_last_price(memory_bus: MemoryBus) -> None:
    """It is published as delisted, and is in every later snapshot with its last ticker, stale."""
    async with (
        running_exchange() as server,
        running_connector(server, memory_bus, factor=20.0) as watched,
    ):
        await settled(watched)
        await break_it(server, "delist", product="SOL-USD")

        def gone() -> bool:
            return "delisted" == _view_of(watched, "SOL-USD").status

        await eventually(gone, "a snapshot that says so")
        view, published = _view_of(watched, "SOL-USD"), watched.products
        last = [t for t in watched.tickers if t.product_id == "SOL-USD"][-1]
        assert fresh(watched.snapshots[-1])

    statuses = {p.product_id: p.status for p in published}
    assert {"AERO-USD": "online", "BTC-USD": "online", "SOL-USD": "delisted"} == statuses
    assert (last, True, {}) == (view.ticker, view.stale, view.windows)


async def test_a_product_refused_by_the_feed_is_dropped_at_once(memory_bus: MemoryBus) -> None:
    """Delisted between the listing and the subscription: named, dropped, the rest subscribed."""
    async with running_exchange() as server, running_connector(server, memory_bus) as watched:
        await settled(watched)
        await break_it(server, "delist", product="SOL-USD")
        await break_it(server, "drop")
        await eventually(lambda: "SOL-USD" not in watched.connector.keeper.products, "the drop")
        await recovered(watched)

        assert watched.connector.stream.settled.is_set()
        assert watched.count("venue_errors") <= 1


async def test_unknown_products_are_left_out(memory_bus: MemoryBus) -> None:
    """One that trades is enough to begin; none is an error of usage."""
    asked = ("BTC-USD", "NOPE-USD", "LUNA-USD")
    async with running_exchange() as server:
        async with running_connector(server, memory_bus, products=asked) as watched:
            await settled(watched)
            assert ["BTC-USD"] == [v.product_id for v in watched.snapshots[0].products]
            assert 2 == watched.count("products_dropped")
        with pytest.raises(UsageError, match="NOPE-USD"):
            async with running_connector(server, memory_bus, products=asked[1:]) as watched:
                await watched.connector.serve()


async def test_an_incomplete_ack_is_asked_for_again(memory_bus: MemoryBus) -> None:
    """The acknowledgement leaves a product out; the second one does not."""
    async with running_exchange() as server:
        await break_it(server, "bad_ack", product="SOL-USD")
        async with running_connector(server, memory_bus) as watched:
            await eventually(watched.connector.stream.settled.is_set, "all acknowledged")
            assert 1 == watched.connector.stream.epoch


async def test_a_venue_that_restarts_with_another_clock_is_followed(
    memory_bus: MemoryBus,
) -> None:
    """Venue time goes back hours: windows and snapshots begin anew there."""
    async with (
        running_exchange(speed=600.0) as server,
        running_connector(server, memory_bus, factor=20.0) as watched,
    ):
        await settled(watched, 12)
        ahead = watched.snapshots[-1].as_of
        server._start_s -= 4 * 3600
        await break_it(server, "drop")
        await eventually(lambda: watched.snapshots[-1].as_of < ahead, "an earlier snapshot")


async def test_a_second_connector_stands_by_and_takes_over(memory_bus: MemoryBus) -> None:
    """Only one publishes; when it goes, the other one does at once."""
    bus_two = MemoryBus(memory_bus.cluster)
    await bus_two.start()
    async with running_exchange() as server, running_connector(server, memory_bus) as one:
        await settled(one)
        async with running_connector(server, bus_two) as two:
            await eventually(two.connector.stream.settled.is_set, "the standby connects")
            pair = (one.connector.publisher.active, two.connector.publisher.active)
            assert 1 == sum(pair)
            leader, standby = (one, two) if pair[0] else (two, one)
            before = standby.count("snapshots")
            leader.connector.leadership.leads = False
            standby.connector.leadership.leads = True
            for watched in (leader, standby):
                watched.connector.leadership.changed.set()
            await eventually(lambda: standby.count("snapshots") > before + 1, "the other one")


async def test_frames_are_recorded_as_they_came(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """The recording decodes to the events of the feed, with their times."""
    path = tmp_path / "frames.jsonl.zst"
    async with (
        running_exchange() as server,
        running_connector(server, memory_bus, record=path) as watched,
    ):
        await settled(watched, 2)
    frames = list(read_frames(path))
    events = [parse(frame.raw) for frame in frames]

    assert watched.count("frames") == len(frames) == watched.count("recorded")
    assert all(frame.at is not None and frame.epoch == 1 for frame in frames)
    assert any(isinstance(e, TickerSeen) for e in events)
    assert any(isinstance(e, HeartbeatSeen) for e in events)


async def test_it_takes_leave_of_the_venue(memory_bus: MemoryBus) -> None:
    """Cancelled, it unsubscribes, closes with 1000 and leaves no task behind."""
    before = asyncio.all_tasks()
    async with running_exchange() as server:
        async with running_connector(server, memory_bus) as watched:
            await settled(watched)
            (client,) = server.clients
        await eventually(lambda: not server.clients, "the connection is gone")
        assert 1000 == client.connection.close_code
        assert set() == client.desk.pairs
    await eventually(lambda: asyncio.all_tasks() <= before, "no task is left")
