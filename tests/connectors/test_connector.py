"""The connector against the simulated exchange, with and without faults."""

import asyncio
from collections import deque
from itertools import pairwise
from pathlib import Path

import pytest

from arena.bus.memory import MemoryBus
from arena.errors import UsageError
from arena.messages import DeadLetter, MarketSnapshot, ProductView
from connectors.market.events import HeartbeatSeen, TickerSeen
from connectors.market.recording import read_frames
from connectors.venues.coinbase.protocol import parse
from tests.connectors.venue import (
    PRODUCTS,
    RunningConnector,
    eventually,
    inject_fault,
    running_connector,
    running_exchange,
)


def all_fresh(snapshot: MarketSnapshot) -> bool:
    """True if no online product is stale."""
    return all(not view.stale for view in snapshot.products if view.status == "online")


def _view_of(watched: RunningConnector, product_id: str) -> ProductView:
    """A product in the newest snapshot."""
    view = watched.snapshots[-1].view(product_id)
    assert view is not None
    return view


async def wait_for_snapshots(watched: RunningConnector, snapshots: int = 1) -> None:
    """Wait for the first snapshots."""
    await eventually(lambda: len(watched.snapshots) >= snapshots, f"{snapshots} snapshots")


async def wait_until_fresh(watched: RunningConnector) -> None:
    """Wait for a new snapshot without stale products."""
    seen = len(watched.snapshots)
    await eventually(
        lambda: any(all_fresh(s) for s in watched.snapshots[seen:]), "a fresh snapshot"
    )


async def test_snapshots_are_complete_and_follow_venue_time(memory_bus: MemoryBus) -> None:
    """They have tickers, ages and full windows of every product, a venue minute apart."""
    async with (
        running_exchange() as server,
        running_connector(server, memory_bus, factor=1.0) as watched,
    ):
        await wait_for_snapshots(watched, 4)
        snapshots = watched.snapshots

    first = snapshots[0]
    assert [True] * len(snapshots) == [all_fresh(s) for s in snapshots]
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


async def test_snapshot_names_the_offsets_of_its_tickers(memory_bus: MemoryBus) -> None:
    """A reader at the named offset has every ticker the snapshot was made from."""
    async with running_exchange() as server, running_connector(server, memory_bus) as watched:
        await wait_for_snapshots(watched, 3)
        records, snapshots = list(watched.records), watched.snapshots

    log = {r.offset: r.message() for r in records if r.topic == "market.tickers"}
    for snapshot in snapshots:
        known = [message for offset, message in log.items() if offset < snapshot.ticker_offsets[0]]
        assert all(view.ticker in known for view in snapshot.products)


async def test_quiet_product_is_published_again(memory_bus: MemoryBus) -> None:
    """The same ticker is repeated with a newer confirmation, at most every five seconds."""
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


async def test_stalled_connection_is_replaced(memory_bus: MemoryBus) -> None:
    """If the socket stays open and silent, the watchdog ends it and the connector reconnects."""
    async with running_exchange() as server, running_connector(server, memory_bus) as watched:
        await wait_for_snapshots(watched)
        await inject_fault(server, "stall", seconds=3)
        await eventually(lambda: watched.count("reconnects_silent") >= 1, "the watchdog")
        await wait_until_fresh(watched)

        assert watched.feed.stream.epoch >= 2
        assert watched.snapshots[-1].connection_epoch >= 2


async def test_silent_venue_leads_to_stale_snapshots(memory_bus: MemoryBus) -> None:
    """The last fresh snapshot is followed by stale ones, so that no agent trades on it."""
    async with (
        running_exchange() as server,
        running_connector(server, memory_bus, factor=60.0) as watched,
    ):
        await wait_for_snapshots(watched)
        await inject_fault(server, "stall", seconds=30)
        await eventually(lambda: not all_fresh(watched.snapshots[-1]), "a stale snapshot")
        last = watched.snapshots[-1]

    assert [True] * len(PRODUCTS) == [view.stale for view in last.products]
    assert all((view.age_ms or 0) > 5_000 for view in last.products)
    ids = [snapshot.snapshot_id for snapshot in watched.snapshots]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1009, 1012])
async def test_reconnects_after_every_close(memory_bus: MemoryBus, code: int) -> None:
    """A clean close is a failure, too: the connector connects and subscribes again."""
    async with running_exchange() as server, running_connector(server, memory_bus) as watched:
        await wait_for_snapshots(watched)
        await inject_fault(server, "close", code=code)
        await eventually(lambda: watched.feed.stream.epoch >= 2, "a second connection")
        await wait_until_fresh(watched)

        assert 1 == watched.count(f"reconnects_close_{code}")


async def test_products_are_published_again_after_a_reconnect(memory_bus: MemoryBus) -> None:
    """A reader that started late learns the trading rules."""
    async with running_exchange() as server, running_connector(server, memory_bus) as watched:
        await wait_for_snapshots(watched)
        before = len(watched.products)
        await inject_fault(server, "drop")
        await eventually(lambda: len(watched.products) >= before + len(PRODUCTS), "products")


async def test_reconnects_after_a_frame_that_is_too_large(memory_bus: MemoryBus) -> None:
    """A frame of 5 MB closes the connection with 1009, and the next one works."""
    async with running_exchange() as server, running_connector(server, memory_bus) as watched:
        await wait_for_snapshots(watched)
        await inject_fault(server, "big_frame")
        await eventually(lambda: watched.count("reconnects_close_1009") == 1, "1009")
        await wait_until_fresh(watched)


async def test_refused_handshake_is_retried_after_its_delay(memory_bus: MemoryBus) -> None:
    """After a 429 there is no connect before its Retry-After."""
    async with running_exchange() as server, running_connector(server, memory_bus) as watched:
        await wait_for_snapshots(watched)
        await inject_fault(server, "ws_429", seconds=1, retry_after=8)
        await inject_fault(server, "drop")
        await eventually(lambda: watched.count("reconnects_http_429") >= 1, "a refusal")
        await wait_until_fresh(watched)

        assert watched.count("reconnects_http_429") <= 3


@pytest.mark.parametrize("kind", ["rest_429", "html"])
async def test_candles_that_cannot_be_fetched_are_stale(memory_bus: MemoryBus, kind: str) -> None:
    """While REST fails, tickers continue, and the missing minutes are gaps."""
    async with (
        running_exchange() as server,
        running_connector(server, memory_bus, factor=30.0) as watched,
    ):
        await wait_for_snapshots(watched)
        await inject_fault(server, kind, seconds=5)

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


async def test_bad_print_is_not_published(memory_bus: MemoryBus) -> None:
    """A price at a thousandth is dropped and counted."""
    async with running_exchange() as server, running_connector(server, memory_bus) as watched:
        await wait_for_snapshots(watched)
        await inject_fault(server, "bad_print", product="BTC-USD")
        await eventually(lambda: watched.count("dropped_bad_print") == 1, "the drop")
        await wait_until_fresh(watched)

        assert min(t.price for t in watched.tickers if t.product_id == "BTC-USD") > 10_000


async def test_old_ticker_is_dropped(memory_bus: MemoryBus) -> None:
    """The sequence numbers of a product only grow in the topic."""
    async with running_exchange() as server, running_connector(server, memory_bus) as watched:
        await wait_for_snapshots(watched)
        before = watched.count("dropped_out_of_order")
        await inject_fault(server, "reorder", product="BTC-USD")
        await eventually(lambda: watched.count("dropped_out_of_order") > before, "the drop")
        sequences = [t.sequence for t in watched.tickers if t.product_id == "BTC-USD"]

    assert sorted(sequences) == sequences


async def test_malformed_frame_goes_to_dead_letters(memory_bus: MemoryBus) -> None:
    """Its bytes are kept, and the connection stays open."""
    async with running_exchange() as server, running_connector(server, memory_bus) as watched:
        await wait_for_snapshots(watched)
        await inject_fault(server, "garbage")
        await eventually(
            lambda: any(isinstance(m, DeadLetter) for m in watched.messages), "a dead letter"
        )

        assert 1 == watched.feed.stream.epoch
        assert 1 == watched.count("malformed")


async def test_lost_tickers_are_fetched_by_rest(memory_bus: MemoryBus) -> None:
    """If heartbeats name newer trades than the ticker, trades and quotes are fetched."""
    async with (
        running_exchange(products=("BTC-USD",)) as server,
        running_connector(server, memory_bus, products=("BTC-USD",), factor=20.0) as watched,
    ):
        await wait_for_snapshots(watched)
        await inject_fault(server, "gap", seconds=4)
        await eventually(lambda: watched.count("trades_backfilled") >= 1, "a backfill")
        await eventually(lambda: any(t.sequence == 0 for t in watched.tickers), "its ticker")
        repaired = next(t for t in watched.tickers if t.sequence == 0)
        prints = {p.trade_id: p for p in server.market.products["BTC-USD"].prints}
        await wait_until_fresh(watched)

        assert watched.count("trades_missed") == watched.count("trades_backfilled")
    last = prints[repaired.trade_id or 0]
    assert (last.trade.price, last.trade.size) == (repaired.price, repaired.last_size)
    assert last.trade.taker_side == repaired.taker_side
    assert repaired.event_time >= last.at


async def test_trades_that_cannot_be_fetched_are_counted(memory_bus: MemoryBus) -> None:
    """If the exchange no longer has the older ones, they are counted as missed."""
    async with (
        running_exchange(products=("BTC-USD",)) as server,
        running_connector(server, memory_bus, products=("BTC-USD",), factor=20.0) as watched,
    ):
        await wait_for_snapshots(watched)
        await inject_fault(server, "gap", seconds=4)
        book = server.market.products["BTC-USD"]
        book.prints = deque(book.prints, maxlen=2)
        await eventually(lambda: watched.count("trades_missed") >= 1, "a backfill")

        assert 1 <= watched.count("trades_backfilled") <= 2
        assert watched.count("trades_missed") > watched.count("trades_backfilled")


async def test_delisted_product_keeps_its_last_price(memory_bus: MemoryBus) -> None:
    """It is published as delisted, and later snapshots have its last ticker as stale."""
    async with (
        running_exchange() as server,
        running_connector(server, memory_bus, factor=20.0) as watched,
    ):
        await wait_for_snapshots(watched)
        await inject_fault(server, "delist", product="SOL-USD")

        def gone() -> bool:
            return "delisted" == _view_of(watched, "SOL-USD").status

        await eventually(gone, "a snapshot with the status")
        view, published = _view_of(watched, "SOL-USD"), watched.products
        last = [t for t in watched.tickers if t.product_id == "SOL-USD"][-1]
        assert all_fresh(watched.snapshots[-1])

    statuses = {p.product_id: p.status for p in published}
    assert {"AERO-USD": "online", "BTC-USD": "online", "SOL-USD": "delisted"} == statuses
    assert (last, True, {}) == (view.ticker, view.stale, view.windows)


async def test_product_refused_by_the_feed_is_dropped_at_once(memory_bus: MemoryBus) -> None:
    """If it was delisted after the listing, it is dropped and the others are subscribed."""
    async with running_exchange() as server, running_connector(server, memory_bus) as watched:
        await wait_for_snapshots(watched)
        await inject_fault(server, "delist", product="SOL-USD")
        await inject_fault(server, "drop")
        await eventually(lambda: "SOL-USD" not in watched.feed.subscriptions.products, "the drop")
        await wait_until_fresh(watched)

        assert watched.feed.stream.settled.is_set()
        assert watched.count("venue_errors") <= 1


async def test_unknown_products_are_omitted(memory_bus: MemoryBus) -> None:
    """One online product is enough to start; without one the start is a usage error."""
    asked = ("BTC-USD", "NOPE-USD", "LUNA-USD")
    async with running_exchange() as server:
        async with running_connector(server, memory_bus, products=asked) as watched:
            await wait_for_snapshots(watched)
            assert ["BTC-USD"] == [v.product_id for v in watched.snapshots[0].products]
            assert 2 == watched.count("products_dropped")
        with pytest.raises(UsageError, match="NOPE-USD"):
            async with running_connector(server, memory_bus, products=asked[1:]) as watched:
                await watched.connector.serve()


async def test_incomplete_ack_is_requested_again(memory_bus: MemoryBus) -> None:
    """The first acknowledgement omits a product; the second is complete."""
    async with running_exchange() as server:
        await inject_fault(server, "bad_ack", product="SOL-USD")
        # At a low factor a machine that stands still for a second is not a silent venue.
        async with running_connector(server, memory_bus, factor=5.0) as watched:
            await eventually(watched.feed.stream.settled.is_set, "all acknowledged")
            assert 1 == watched.feed.stream.epoch


async def test_venue_whose_clock_goes_back_is_followed(
    memory_bus: MemoryBus,
) -> None:
    """If venue time goes back by hours, windows and snapshots start again there."""
    async with (
        running_exchange(speed=600.0) as server,
        running_connector(server, memory_bus, factor=20.0) as watched,
    ):
        await wait_for_snapshots(watched, 12)
        ahead = watched.snapshots[-1].as_of
        server._start_s -= 4 * 3600
        await inject_fault(server, "drop")
        await eventually(lambda: watched.snapshots[-1].as_of < ahead, "an earlier snapshot")


async def test_second_connector_is_a_standby_and_takes_over(memory_bus: MemoryBus) -> None:
    """Only one publishes; when it loses leadership, the other one starts at once."""
    bus_two = MemoryBus(memory_bus.cluster)
    await bus_two.start()
    async with running_exchange() as server, running_connector(server, memory_bus) as one:
        await wait_for_snapshots(one)
        async with running_connector(server, bus_two) as two:
            await eventually(two.feed.stream.settled.is_set, "the standby connects")
            pair = (one.feed.publisher.active, two.feed.publisher.active)
            assert 1 == sum(pair)
            leader, standby = (one, two) if pair[0] else (two, one)
            before = standby.count("snapshots")
            leader.connector.leadership.leads = False
            standby.connector.leadership.leads = True
            for watched in (leader, standby):
                watched.connector.leadership.changed.set()
            await eventually(lambda: standby.count("snapshots") > before + 1, "the other one")


async def test_frames_are_recorded_unchanged(memory_bus: MemoryBus, tmp_path: Path) -> None:
    """The recording decodes to the events of the feed, with their times and connections."""
    path = tmp_path / "frames.jsonl.zst"
    async with (
        running_exchange() as server,
        running_connector(server, memory_bus, record=path) as watched,
    ):
        await wait_for_snapshots(watched, 2)
    frames = list(read_frames(path))
    events = [parse(frame.raw) for frame in frames]

    assert watched.count("frames") == len(frames) == watched.count("recorded")
    assert all(frame.at is not None for frame in frames)
    epochs = [frame.epoch for frame in frames]
    assert epochs == sorted(epochs)
    # A busy machine may miss heartbeats of this fast exchange, and so connect again.
    assert set(epochs) == set(range(1, 2 + watched.count("reconnects_silent")))
    assert any(isinstance(e, TickerSeen) for e in events)
    assert any(isinstance(e, HeartbeatSeen) for e in events)


async def test_cancelled_connector_unsubscribes_and_closes(memory_bus: MemoryBus) -> None:
    """It closes with 1000 and leaves no task."""
    before = asyncio.all_tasks()
    async with running_exchange() as server:
        async with running_connector(server, memory_bus) as watched:
            await wait_for_snapshots(watched)
            (client,) = server.clients
        await eventually(lambda: not server.clients, "the end of the connection")
        assert 1000 == client.connection.close_code
        assert set() == client.session.pairs
    await eventually(lambda: asyncio.all_tasks() <= before, "the end of all tasks")
