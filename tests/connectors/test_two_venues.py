"""Two venues in one connector: products of both, in snapshots as of one time."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from arena.bus.memory import MemoryBus
from arena.errors import DependencyMissing, UsageError
from arena.messages import MarketSnapshot
from arena.node import Node
from arena.settings import Settings
from connectors.cli_markets import read_markets
from connectors.market.connector import LiveConnector
from connectors.market.feed_status import FeedStatus, details_of, gauges_of
from connectors.market.options import ConnectorOptions, MarketOptions
from connectors.market.snapshot import Origin, merged_origin
from connectors.simulator.binance.protocol import BinanceProtocol
from connectors.simulator.run import ExchangeOptions, options_by_venue
from connectors.simulator.server import ExchangeServer
from connectors.venues import load_venue
from tests.connectors.builders import FastClock
from tests.connectors.venue import (
    RunningConnector,
    eventually,
    inject_fault,
    running_connector,
    running_exchange,
)

DOLLARS, TETHERS = "BTC-USD", "binance:BTCUSDT"
START = datetime(2026, 9, 10, 12, 0, tzinfo=UTC)
HALF_USD, HALF_USDT = (
    ",".join(f"P{number}{quote}" for number in range(31)) for quote in ("-USD", "USDT")
)
"""Half as many products as a snapshot holds, and one more."""


@asynccontextmanager
async def running(
    bus: MemoryBus, *, behind: timedelta = timedelta(0)
) -> AsyncIterator[tuple[RunningConnector, ExchangeServer]]:
    """A connector to two simulated venues; the time of the second one may be behind."""
    async with (
        running_exchange(products=(DOLLARS,), start=START) as coinbase,
        running_exchange(
            products=(TETHERS,), start=START - behind, protocol=BinanceProtocol
        ) as binance,
    ):
        addresses = {
            "coinbase": (coinbase.ws_url, coinbase.rest_url),
            "binance": (binance.ws_url, binance.rest_url),
        }
        async with connected(bus, addresses) as (watched, _):
            yield watched, binance


@asynccontextmanager
async def connected(
    bus: MemoryBus,
    addresses: Mapping[str, tuple[str, str]],
    factor: float = 10.0,
    second: str = TETHERS,
) -> AsyncIterator[tuple[RunningConnector, asyncio.Task[None]]]:
    """A connector to two venues at these addresses, with one product of each."""
    markets = tuple(
        MarketOptions(load_venue(name), products, *addresses[name])
        for name, products in (("coinbase", (DOLLARS,)), ("binance", (second,)))
    )
    options = ConnectorOptions(markets, 60.0)
    node = Node("connector", options.venue, Settings(), bus, FastClock(factor))
    connector = LiveConnector(options, node, random.Random(7))
    reader = await bus.log_reader("market.tickers", "market.snapshots", "dead_letters")
    watched = RunningConnector(connector, reader)
    serving = asyncio.create_task(connector.serve())
    tasks = [serving, asyncio.create_task(watched.read_forever())]
    try:
        yield watched, serving
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_snapshots_hold_both_venues_as_of_one_time(memory_bus: MemoryBus) -> None:
    """A venue that is silent makes its own products stale, and no snapshot late."""
    async with running(memory_bus) as (watched, binance):
        await eventually(lambda: len(watched.snapshots) >= 2, "two snapshots")
        await inject_fault(binance, "stall", seconds=60)
        await inject_fault(binance, "html", seconds=60)
        before = len(watched.snapshots)
        await eventually(
            lambda: any(is_stale(s, TETHERS) for s in watched.snapshots[before:]),
            "stale products of the silent venue",
        )

    first, last = watched.snapshots[0], watched.snapshots[-1]
    assert "binance+coinbase" == first.venue
    assert [DOLLARS, TETHERS] == sorted(view.product_id for view in first.products)
    assert {"coinbase", "binance"} == {v.ticker.venue for v in first.products if v.ticker}
    assert first.as_of < last.as_of
    assert not is_stale(last, DOLLARS)
    assert {DOLLARS, TETHERS} == {product.product_id for product in watched.products}
    assert ["USD", "USDT"] == sorted({product.quote_currency for product in watched.products})
    assert f"{DOLLARS}, {TETHERS}" == watched.connector.node.details["products"]


async def test_venue_whose_time_is_behind_keeps_its_own_time(memory_bus: MemoryBus) -> None:
    """Its candles follow; two simulated markets that start one after the other differ like this."""
    behind = timedelta(minutes=10)
    async with running(memory_bus, behind=behind) as (watched, _):
        await eventually(lambda: len(watched.snapshots) >= 4, "snapshots")

    last = watched.snapshots[-1]
    view = last.view(TETHERS)
    assert view is not None
    assert view.ticker is not None
    assert timedelta(minutes=5) < last.as_of - view.ticker.event_time < timedelta(minutes=20)
    newest = view.windows["1m"].candles[-1].start
    assert last.as_of - newest < behind + timedelta(minutes=5)


async def test_venue_that_cannot_be_reached_joins_later(memory_bus: MemoryBus) -> None:
    """The other one is published meanwhile, and the heartbeats say which is down."""
    async with running_exchange(products=(TETHERS,), protocol=BinanceProtocol) as known:
        port, unreachable = known.port, (known.ws_url, known.rest_url)
    async with running_exchange(products=(DOLLARS,)) as coinbase:
        addresses = {"coinbase": (coinbase.ws_url, coinbase.rest_url), "binance": unreachable}
        async with connected(memory_bus, addresses) as (watched, _):
            details = watched.connector.node.details
            await eventually(lambda: len(watched.snapshots) >= 2, "snapshots of one venue")
            assert f"cannot reach 127.0.0.1:{port}" in str(details["feed_down"])
            assert DOLLARS == details["products"]
            async with running_exchange(products=(TETHERS,), protocol=BinanceProtocol, port=port):
                await eventually(
                    lambda: (
                        watched.snapshots[-1].view(TETHERS) is not None
                        and not is_stale(watched.snapshots[-1], TETHERS)
                    ),
                    "prices of both",
                )
                await eventually(lambda: "feed_down" not in details, "both are up")

    assert {"binance+coinbase"} == {snapshot.venue for snapshot in watched.snapshots}
    assert [DOLLARS] == [view.product_id for view in watched.snapshots[0].products]


async def test_late_venue_without_products_is_reported_as_such(memory_bus: MemoryBus) -> None:
    """It answers now: the heartbeats do not name the cause of the time before."""
    async with running_exchange(products=(TETHERS,), protocol=BinanceProtocol) as known:
        port, unreachable = known.port, (known.ws_url, known.rest_url)
    async with running_exchange(products=(DOLLARS,)) as coinbase:
        addresses = {"coinbase": (coinbase.ws_url, coinbase.rest_url), "binance": unreachable}
        async with connected(memory_bus, addresses) as (watched, _):
            details = watched.connector.node.details
            await eventually(lambda: "cannot reach" in str(details.get("feed_down")), "the cause")
            other = ("binance:ETHUSDT",)
            async with running_exchange(products=other, protocol=BinanceProtocol, port=port):
                await eventually(
                    lambda: "no product is online" in str(details["feed_down"]), "the new cause"
                )

    assert "cannot reach" not in str(details["feed_down"])


async def test_venue_with_unreadable_answers_is_reported_as_such(memory_bus: MemoryBus) -> None:
    """A body that is not the venue's has another cause and remedy than a refusal."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()
        writer.close()

    async with (
        running_exchange(products=(DOLLARS,)) as coinbase,
        await asyncio.start_server(answer, "127.0.0.1", 0) as odd,
    ):
        port = odd.sockets[0].getsockname()[1]
        addresses = {
            "coinbase": (coinbase.ws_url, coinbase.rest_url),
            "binance": (f"ws://127.0.0.1:{port}", f"http://127.0.0.1:{port}"),
        }
        async with connected(memory_bus, addresses) as (watched, _):
            details = watched.connector.node.details
            await eventually(lambda: len(watched.snapshots) >= 2, "snapshots of one venue")
            wanted = f"127.0.0.1:{port} did not answer as the venue documents: time: no serverTime"
            assert wanted in str(details["feed_down"])


async def test_no_venue_that_answers_ends_the_connector(memory_bus: MemoryBus) -> None:
    """With the cause, like a connector of one venue."""
    nowhere = ("ws://127.0.0.1:9", "http://127.0.0.1:9")
    addresses = {"coinbase": nowhere, "binance": nowhere}
    async with connected(memory_bus, addresses, 100.0) as (_, serving):
        with pytest.raises(DependencyMissing, match="cannot reach"):
            await serving


async def test_venue_without_products_leaves_the_other_alone(memory_bus: MemoryBus) -> None:
    """Its list is requested again, and it is followed again when a product is back."""
    async with running(memory_bus) as (watched, binance):
        details = watched.connector.node.details
        await eventually(lambda: len(watched.snapshots) >= 2, "two snapshots")
        await inject_fault(binance, "status", product=TETHERS, status="break")
        await eventually(lambda: "is break" in str(details.get("feed_down")), "the reason")
        before = len(watched.snapshots)
        await eventually(lambda: len(watched.snapshots) > before + 1, "snapshots of the other")
        await inject_fault(binance, "status", product=TETHERS, status="online")
        await eventually(lambda: "feed_down" not in details, "both are up")

    assert "binance: no product is online" not in str(details)
    assert not is_stale(watched.snapshots[-1], DOLLARS)


async def test_two_connectors_beside_each_other_are_named(memory_bus: MemoryBus) -> None:
    """Each says what is wrong and which command publishes both; one beside its standby does not."""
    async with (
        running_exchange(products=(DOLLARS,)) as coinbase,
        running_exchange(products=(TETHERS,), protocol=BinanceProtocol) as binance,
    ):
        buses = [MemoryBus(memory_bus.cluster) for _ in range(3)]
        other = {"venue": load_venue("binance"), "products": (TETHERS,)}
        with capture_logs() as entries:
            async with (
                running_connector(coinbase, buses[0], products=(DOLLARS,)) as watched,
                running_connector(coinbase, buses[1], products=(DOLLARS,)),
            ):
                await eventually(lambda: len(watched.snapshots) >= 4, "snapshots of one venue")
            assert [] == [entry for entry in entries if "remedy" in entry]
            async with (
                running_connector(coinbase, buses[0], products=(DOLLARS,)),
                running_connector(binance, buses[2], **other),  # type: ignore[arg-type]  # as given
            ):
                await eventually(
                    lambda: {"binance", "coinbase"} <= {e["venue"] for e in warnings_in(entries)},
                    "warnings",
                )

    remedy = "--market binance=PRODUCT,... --market coinbase=PRODUCT,..."
    assert all(remedy in entry["remedy"] for entry in warnings_in(entries))
    assert 2 == len(warnings_in(entries))


def warnings_in(entries: Iterable[MutableMapping[str, Any]]) -> list[MutableMapping[str, Any]]:
    """The log entries about another connector."""
    return [entry for entry in entries if "another connector" in entry["event"]]


def is_stale(snapshot: MarketSnapshot, product_id: str) -> bool:
    """True if the snapshot says that a product cannot be traded."""
    view = snapshot.view(product_id)
    assert view is not None
    return view.stale


def test_heartbeats_merge_the_states_of_venues() -> None:
    """One venue that is down is reported although the other is up."""
    up = FeedStatus(
        age_ms=20, connected=True, connection_epoch=1, simulated=False, products=("BTC-USD",)
    )
    down = FeedStatus(down="cannot reach it", stale_products=2, connection_epoch=3, speed=1.0)

    assert {
        "feed_age_ms": 20.0,
        "stale_products": 2.0,
        "connection_epoch": 4.0,
        "connected": 0.0,
    } == gauges_of([up, down])
    slow = FeedStatus(age_ms=90_000, connected=True)
    assert 90_000.0 == gauges_of([up, slow])["feed_age_ms"]
    assert "cannot reach it" == details_of([up, down])["feed_down"]
    assert "feed_down" not in details_of([up, up])
    assert "simulated" not in details_of([down])


def test_origins_of_venues_are_merged() -> None:
    """Simulated if one is; the fastest venue sets the speed."""
    merged = merged_origin([Origin(source="a"), Origin(simulated=True, speed=60, source="b")])

    assert Origin(simulated=True, speed=60, source="a; b") == merged


def test_markets_are_read_from_flags() -> None:
    """Products become ids of the arena; URLs replace the public ones."""
    texts = ["coinbase=btc-usd", "binance=btcusdt,ETH/USDT"]
    record = Path("run/frames.jsonl.zst")
    coinbase, binance = read_markets(texts, ["binance=ws://h:1,http://h:1"], record)

    assert ("BTC-USD",) == coinbase.products
    assert (TETHERS, "binance:ETHUSDT") == binance.products
    assert ("ws://h:1", "http://h:1") == (binance.ws_url, binance.rest_url)
    assert coinbase.ws_url.startswith("wss://")
    assert Path("run/frames-binance.jsonl.zst") == binance.record


@pytest.mark.parametrize(
    ("texts", "urls", "error"),
    [
        (["binance"], None, "write each venue once"),
        (["binance="], None, "write each venue once"),
        (["binance=BTCUSDT", "binance=ETHUSDT"], None, "write each venue once"),
        (["mtgox=BTCUSD"], None, "unknown venue 'mtgox'"),
        (["binance=BTCUSDT"], ["binance=ws://h:1"], "has 1 URLs"),
        (["binance=BTCUSDT"], ["coinbase=ws://h:1,http://h:1"], "which no --market names"),
        ([f"binance={HALF_USDT}", f"coinbase={HALF_USD}"], None, "too many products: 62"),
    ],
)
def test_wrong_markets_are_refused(texts: list[str], urls: list[str] | None, error: str) -> None:
    """With the value and the remedy."""
    with pytest.raises(UsageError) as caught:
        read_markets(texts, urls, None)

    assert error in f"{caught.value} {caught.value.remedy}"


def test_exchange_of_two_venues_has_a_server_for_each(tmp_path: Path) -> None:
    """On following ports, in the order of their names; each keeps its time in a file."""
    state = tmp_path / "market.json"
    options = ExchangeOptions(products=(DOLLARS, TETHERS), port=5, state=state)
    binance, coinbase = options_by_venue(options)

    assert ("binance", (TETHERS,), 5) == (binance.venue, binance.products, binance.port)
    assert ("coinbase", (DOLLARS,), 6) == (coinbase.venue, coinbase.products, coinbase.port)
    assert (tmp_path / "market-binance.json", state) == (binance.state, coinbase.state)
    one = ExchangeOptions(products=(DOLLARS,), port=5)
    assert [one] == options_by_venue(one)
    assert {0} == {part.port for part in options_by_venue(replace(options, port=0))}
