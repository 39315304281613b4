"""What every venue must do: these tests run for each package of `connectors.venues`.

A new venue is found by its name, and needs `tests/connectors/fixtures/<name>_frames.jsonl`: a few
frames of its feed, of two connections, with at least one ticker. The tests of its REST API and of a
whole connector need its protocol in the simulated exchange, and are left out until it has one.
"""

import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import groupby, pairwise
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.bus.memory import MemoryBus
from arena.clock import SystemClock
from arena.messages import DeadLetter, MarketSnapshot, Product, Ticker
from arena.products import split_key
from arena.trading_modes import ONLINE, UNLISTED, takes_market_orders
from connectors.market.events import Event, FrameMalformed, TickerSeen
from connectors.market.http_client import HttpClient
from connectors.market.recording import read_frames
from connectors.market.session import Close, Settled, Stable
from connectors.market.venue import Decoder, MarketRest
from connectors.simulator.server import ExchangeServer
from tests.connectors.venue import (
    eventually,
    inject_fault,
    running_connector,
    running_exchange,
)
from tests.connectors.venues.cases import (
    NAMES,
    SIMULATED,
    Case,
    Loop,
    case_of,
    events_of,
    folded,
)

EVENTS = get_args(Event)

every_venue = pytest.mark.parametrize("name", NAMES)
every_simulated_venue = pytest.mark.parametrize("name", SIMULATED)


def frames_of(case: Case) -> list[bytes]:
    """The raw frames of the recording."""
    return [frame.raw for frame in read_frames(case.recording)]


@every_venue
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_decoder_never_raises(name: str, data: st.DataObject) -> None:
    """Arbitrary bytes, and frames of the recording with a value replaced, give an event."""
    case = case_of(name)
    decode = case.venue.decoder()
    values = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats()
    for raw in data.draw(st.lists(st.binary(max_size=64), max_size=3)):
        assert isinstance(decode(raw), EVENTS)
    for raw in data.draw(st.lists(st.sampled_from(frames_of(case)), max_size=6)):
        try:
            body = json.loads(raw)
        except ValueError:
            assert isinstance(decode(raw), FrameMalformed)
            continue
        holder = body["data"] if isinstance(body.get("data"), dict) else body
        holder[data.draw(st.sampled_from(sorted(holder)))] = data.draw(values)
        assert isinstance(decode(json.dumps(body).encode()), EVENTS)


@every_venue
def test_recorded_frames_are_tickers_of_the_venue(name: str) -> None:
    """Ids name the venue; bids are not above asks; times and sequences of a connection grow."""
    case = case_of(name)
    tickers = folded(case)

    assert tickers
    assert {case.venue.name} == {ticker.venue for ticker in tickers}
    assert {case.venue.name} == {split_key(ticker.product_id).venue for ticker in tickers}
    assert all(0 < ticker.best_bid <= ticker.best_ask for ticker in tickers)
    by_product = sorted(tickers, key=lambda t: (t.product_id, t.connection_epoch))
    for _, group in groupby(by_product, key=lambda t: (t.product_id, t.connection_epoch)):
        for one, next_one in pairwise(group):
            assert one.sequence < next_one.sequence
            assert one.event_time <= next_one.event_time


@every_venue
def test_malformed_frames_are_events(name: str) -> None:
    """The recording has one, and frames of two connections."""
    events = list(events_of(case_of(name)))

    assert any(isinstance(event, FrameMalformed) for _, event in events)
    assert {1, 2} == {epoch for epoch, _ in events}


@every_venue
def test_new_decoder_has_no_quotes(name: str) -> None:
    """The ticker of a first frame shows quotes of that frame, not of an earlier connection."""
    case = case_of(name)
    for raw in frames_of(case):
        event = case.venue.decoder()(raw)
        if isinstance(event, TickerSeen):
            text = raw.decode()
            assert f"{event.best_bid:f}" in text
            assert f"{event.best_ask:f}" in text


@every_venue
def test_products_are_read_in_any_case_and_keep_their_id(name: str) -> None:
    """An id is read as itself; a product without known rules takes no orders."""
    venue = case_of(name).venue
    for product_id in venue.default_products:
        symbol = split_key(product_id).symbol
        assert {product_id} == {
            venue.read_product(text) for text in (product_id, symbol, symbol.lower())
        }
        unknown = venue.unknown_product(product_id, UNLISTED)
        assert (venue.name, product_id) == (unknown.venue, unknown.product_id)
        assert not takes_market_orders(unknown.status, unknown.modes)


@every_simulated_venue
def test_session_settles_and_becomes_stable(name: str) -> None:
    """Once every subscription is acknowledged; stable after a minute of data."""
    loop = Loop(case_of(name))
    for second in range(1, 65):
        loop.tick(float(second))
        loop.play(float(second))

    assert [Settled(), Stable()] == loop.actions


@every_simulated_venue
def test_session_subscribes_again_if_no_acknowledgement_comes(name: str) -> None:
    """Data shows that the connection works; after the second request it settles."""
    first = len(Loop(case_of(name)).sent)
    loop = Loop(case_of(name), lost=first)
    for second in range(1, 30):
        loop.tick(float(second))
        loop.play(float(second))

    assert len(loop.sent) > first
    assert [Settled()] == loop.actions


@every_simulated_venue
def test_session_closes_if_it_is_never_acknowledged(name: str) -> None:
    """The connection is replaced."""
    loop = Loop(case_of(name), lost=1_000)
    for second in range(1, 60):
        loop.tick(float(second))
        loop.play(float(second))

    (action,) = loop.actions
    assert isinstance(action, Close)


@every_simulated_venue
def test_session_closes_on_silence(name: str) -> None:
    """A connection that is acknowledged and sends no data ends within 15 seconds."""
    loop = Loop(case_of(name))
    for second in range(1, 16):
        loop.tick(float(second))

    settled, action = loop.actions
    assert Settled() == settled
    assert isinstance(action, Close)
    assert "silent" == action.why


@every_simulated_venue
def test_session_unsubscribes(name: str) -> None:
    """The venue sends the products no more."""
    case = case_of(name)
    loop = Loop(case)
    assert set(case.products) <= {product for _, product in loop.client.pairs}
    for text in loop.session.unsubscribe_messages():
        loop.client.on_message(text)

    assert not any(
        product in case.products and channel.startswith(("quote", "ticker", "book"))
        for channel, product in loop.client.pairs
    )
    assert [] == loop.session.on_tick(1_000.0)


@asynccontextmanager
async def exchange_of(case: Case, *, speed: float = 60.0) -> AsyncIterator[ExchangeServer]:
    """A simulated exchange of the venue."""
    assert case.protocol is not None
    async with running_exchange(
        products=case.products, speed=speed, protocol=case.protocol
    ) as server:
        yield server


@asynccontextmanager
async def rest_of(case: Case, server: ExchangeServer) -> AsyncIterator[MarketRest]:
    """The venue's REST API at the simulated exchange."""
    counters: Counter[str] = Counter()
    http = HttpClient(
        server.rest_url,
        case.venue.rate_limit(),
        clock=SystemClock(),
        rng=random.Random(7),
        counters=counters,
    )
    rest = case.venue.rest(http, counters)
    try:
        yield rest
        assert 0 == counters["rest_rows_refused"]
    finally:
        await rest.close()


@every_simulated_venue
async def test_listing_gives_rules(name: str) -> None:
    """Listed products are online with increments; others are unlisted; a halt closes a product."""
    case = case_of(name)
    first, second = case.products
    unknown = case.venue.read_product("ZZZZ-USD" if "-" in first else "ZZZZUSDT")
    async with exchange_of(case) as server, rest_of(case, server) as rest:
        listing = await rest.products((unknown, first, second))
        await inject_fault(server, "status", product=second, status="HALT")
        halted = await rest.products((unknown, first, second))
        now = await rest.time()
        origin = rest.origin

    assert [first, second] == [product.product_id for product in listing.online]
    for product in listing.online:
        assert (case.venue.name, ONLINE, ()) == (product.venue, product.status, product.modes)
        assert min(product.base_increment, product.quote_increment) > 0
        assert product.min_market_funds >= 0
        assert product.base_currency
        assert product.quote_currency
    assert {unknown: UNLISTED} == dict(listing.rejected)
    assert ([first], [second]) == (
        [product.product_id for product in halted.online],
        [product.product_id for product in halted.closed],
    )
    assert halted.closed[0].status != ONLINE
    assert abs((server.venue_now() - now).total_seconds()) < 600
    assert (True, 60.0) == (origin.simulated, origin.speed)


@every_simulated_venue
async def test_candles_are_those_of_the_market(name: str) -> None:
    """A range of closed minutes, oldest first, both ends included, digit by digit."""
    case = case_of(name)
    product_id = case.products[0]
    async with exchange_of(case, speed=1.0) as server, rest_of(case, server) as rest:
        end_s = server.market.now_s // 60 * 60 - 60
        start_s = end_s - 250 * 60
        candles = await rest.candles(product_id, start_s, end_s)
        expected = server.market.candles(product_id, 60, start_s, end_s)[::-1]

    assert 251 == len(candles)
    assert [
        (start, bar.open, bar.high, bar.low, bar.close, bar.volume) for start, bar in expected
    ] == [(int(c.start.timestamp()), c.open, c.high, c.low, c.close, c.volume) for c in candles]


@every_simulated_venue
async def test_ticker_and_trades_are_those_of_the_market(name: str) -> None:
    """Trades are newest first; a page below an id has older ones only."""
    case = case_of(name)
    product_id = case.products[0]
    async with exchange_of(case, speed=1.0) as server, rest_of(case, server) as rest:
        seen = await rest.ticker(product_id)
        trades = await rest.trades(product_id)
        older = await rest.trades(product_id, trades[0].trade_id - 5)

    assert (product_id, 0, trades[0].price) == (seen.product_id, seen.sequence, seen.price)
    assert 0 < seen.best_bid <= seen.best_ask
    assert seen.trade_id == trades[0].trade_id
    ids = [trade.trade_id for trade in trades]
    assert sorted(ids, reverse=True) == ids
    assert [n for n in ids if n < ids[0] - 5][:50] == [trade.trade_id for trade in older][:50]


@every_simulated_venue
async def test_connector_publishes_rules_before_prices(name: str, memory_bus: MemoryBus) -> None:
    """Snapshots of all products have ids of their own, tickers and candles; a bad frame is kept."""
    case = case_of(name)
    async with (
        exchange_of(case) as server,
        running_connector(server, memory_bus, venue=case.venue, products=case.products) as watched,
    ):
        await eventually(lambda: len(watched.snapshots) >= 3, "snapshots")
        await inject_fault(server, "garbage")
        await eventually(
            lambda: any(isinstance(m, DeadLetter) for m in watched.messages), "a dead letter"
        )
        messages, snapshots = list(watched.messages), watched.snapshots

    for product_id in case.products:
        first = next(m for m in messages if _is_of(m, product_id))
        assert isinstance(first, Product)
    assert len(snapshots) == len({snapshot.snapshot_id for snapshot in snapshots})
    for snapshot in snapshots:
        assert case.venue.name == snapshot.venue
        assert sorted(case.products) == [view.product_id for view in snapshot.products]
        assert not any(view.stale for view in snapshot.products)
        assert all(view.ticker and view.windows["1m"].candles for view in snapshot.products)


def _is_of(message: object, product_id: str) -> bool:
    return isinstance(message, Product | Ticker) and message.product_id == product_id


@every_simulated_venue
async def test_prices_become_stale_if_the_venue_is_silent(name: str, memory_bus: MemoryBus) -> None:
    """The feed stalls and REST fails; snapshots say so, and are fresh again afterwards."""
    case = case_of(name)

    def stale(snapshot: MarketSnapshot) -> list[bool]:
        return [view.stale for view in snapshot.products]

    async with (
        exchange_of(case) as server,
        running_connector(
            server, memory_bus, venue=case.venue, products=case.products, factor=20.0
        ) as watched,
    ):
        await eventually(lambda: bool(watched.snapshots), "a snapshot")
        await inject_fault(server, "stall", seconds=3)
        await inject_fault(server, "html", seconds=3)
        await eventually(lambda: all(stale(watched.snapshots[-1])), "stale prices")
        await eventually(lambda: not any(stale(watched.snapshots[-1])), "fresh prices")
        assert watched.count("reconnects_silent") >= 1


@every_simulated_venue
@pytest.mark.parametrize("fault", [{"kind": "drop"}, {"kind": "lifetime", "seconds": 0.5}])
async def test_connector_reconnects(
    name: str,
    fault: dict[str, object],
    memory_bus: MemoryBus,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a cut and after the venue's own end of a connection, with a decoder for each."""
    case = case_of(name)
    made: list[Decoder] = []

    def decoder(make: Callable[[], Decoder] = case.venue.decoder) -> Decoder:
        made.append(make())
        return made[-1]

    monkeypatch.setattr(case.venue, "decoder", decoder)
    async with (
        exchange_of(case) as server,
        running_connector(server, memory_bus, venue=case.venue, products=case.products) as watched,
    ):
        await eventually(lambda: bool(watched.snapshots), "a snapshot")
        await inject_fault(server, **fault)  # type: ignore[arg-type]  # the words of a fault
        await eventually(lambda: watched.feed.stream.epoch >= 2, "a second connection")
        seen = len(watched.snapshots)
        await eventually(
            lambda: any(s.connection_epoch >= 2 for s in watched.snapshots[seen:]),
            "a snapshot of the second connection",
        )
        assert len(made) > watched.feed.stream.epoch
