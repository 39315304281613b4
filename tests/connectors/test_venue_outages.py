"""Venues that are down when a connector starts, and bans: what the snapshots and heartbeats say."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import orjson
import pytest

from arena.bus.memory import MemoryBus
from arena.errors import DependencyMissing
from arena.liveness import FEED_DOWN, VENUE_BANS
from arena.messages import MarketSnapshot
from arena.node import Node
from arena.settings import Settings
from connectors.market import connector as connector_module
from connectors.market.bans import Ban, BanFile
from connectors.market.connector import LiveConnector
from connectors.market.options import ConnectorOptions, MarketOptions
from connectors.simulator.binance.protocol import BinanceProtocol
from connectors.simulator.server import ExchangeServer
from connectors.venues.binance.venue import VENUE as BINANCE
from tests.connectors.builders import FastClock
from tests.connectors.test_two_venues import DOLLARS, TETHERS, connected, is_stale
from tests.connectors.venue import (
    RunningConnector,
    eventually,
    inject_fault,
    running_connector,
    running_exchange,
)

ETHER = "binance:ETHUSDT"
Address = tuple[str, str]


@asynccontextmanager
async def exchanges() -> AsyncIterator[tuple[dict[str, Address], ExchangeServer]]:
    """A simulated Coinbase and a simulated Binance; their addresses, and the second one."""
    async with (
        running_exchange(products=(DOLLARS,)) as coinbase,
        running_exchange(products=(TETHERS, ETHER), protocol=BinanceProtocol) as binance,
    ):
        yield (
            {
                "coinbase": (coinbase.ws_url, coinbase.rest_url),
                "binance": (binance.ws_url, binance.rest_url),
            },
            binance,
        )


def age_ms(snapshot: MarketSnapshot) -> int:
    """The age of the price in tethers."""
    view = snapshot.view(TETHERS)
    assert view is not None
    assert view.age_ms is not None
    return view.age_ms


def note_ban(home: Path, host: str, status: int, seconds: float) -> None:
    """Write the ban that an earlier process noted."""
    now = datetime.now(UTC)
    BanFile(home / "bans" / "binance.json").keep(
        host, Ban(status, now, now + timedelta(seconds=seconds))
    )


def ban_of(node: Node) -> str:
    """What the heartbeats say about bans of Binance."""
    bans = node.details.get(VENUE_BANS)
    return str(bans.get("binance", "")) if isinstance(bans, dict) else ""


async def test_venue_that_is_down_at_a_restart_keeps_its_stale_rows(memory_bus: MemoryBus) -> None:
    """With the last ticker and candles and growing ages, until it has prices again."""
    async with running_exchange(products=(DOLLARS,)) as coinbase:
        addresses = {"coinbase": (coinbase.ws_url, coinbase.rest_url)}
        async with running_exchange(products=(TETHERS,), protocol=BinanceProtocol) as binance:
            port, addresses["binance"] = binance.port, (binance.ws_url, binance.rest_url)
            async with connected(memory_bus, addresses) as (watched, _):
                await eventually(
                    lambda: any(not is_stale(s, TETHERS) for s in watched.snapshots), "prices"
                )
        bus = MemoryBus(memory_bus.cluster)
        async with connected(bus, addresses) as (watched, _):
            await watched_since_start(watched)
            before = watched.snapshots[-1]
            known = len(watched.snapshots)
            await eventually(lambda: len(watched.snapshots) >= known + 3, "snapshots without it")
            down = watched.snapshots[known:]
            async with running_exchange(products=(TETHERS,), protocol=BinanceProtocol, port=port):
                await eventually(lambda: not is_stale(watched.snapshots[-1], TETHERS), "a price")
                fresh = watched.snapshots[-1]

    old = before.view(TETHERS)
    assert old is not None
    for snapshot in down:
        view = snapshot.view(TETHERS)
        assert view is not None
        assert view.stale
        assert old.ticker == view.ticker
        assert view.windows["15m"].candles
        assert not is_stale(snapshot, DOLLARS)
        assert before.ticker_offsets.keys() <= snapshot.ticker_offsets.keys()
    assert all(age_ms(a) < age_ms(b) for a, b in pairwise([before, *down]))
    assert age_ms(fresh) < age_ms(down[-1])


async def watched_since_start(watched: RunningConnector) -> None:
    """Wait until the snapshots of the earlier process were read."""
    await eventually(lambda: bool(watched.snapshots), "snapshots of the earlier process")


async def test_product_that_is_not_configured_any_more_does_not_come_back(
    memory_bus: MemoryBus,
) -> None:
    """Of the newest snapshot, only rows of configured products are used."""
    async with exchanges() as (addresses, _):
        async with connected(memory_bus, addresses) as (watched, _):
            await eventually(lambda: bool(watched.snapshots), "snapshots of both")
        addresses["binance"] = ("ws://127.0.0.1:9", "http://127.0.0.1:9")
        bus = MemoryBus(memory_bus.cluster)
        async with connected(bus, addresses, second=ETHER) as (watched, _):
            await watched_since_start(watched)
            known = len(watched.snapshots)
            await eventually(lambda: len(watched.snapshots) >= known + 2, "snapshots")

    assert watched.snapshots[known - 1].view(TETHERS) is not None
    assert watched.snapshots[-1].view(TETHERS) is None


async def test_ban_is_in_the_heartbeats_while_prices_come(
    memory_bus: MemoryBus, home: Path
) -> None:
    """It is the reason of a feed that is down once no price comes; requests end with it."""
    async with exchanges() as (addresses, binance), connected(memory_bus, addresses) as (run, _):
        node = run.connector.node
        await eventually(lambda: len(run.snapshots) >= 2, "snapshots of both")
        await inject_fault(binance, "rest_418", seconds=60, retry_after="7200")
        await eventually(lambda: bool(ban_of(node)), "the ban")
        assert "answered 418: it asks for no requests before 20" in ban_of(node)
        assert FEED_DOWN not in node.details
        await eventually(lambda: not is_stale(run.snapshots[-1], TETHERS), "prices by the feed")

        await inject_fault(binance, "silent", seconds=60)
        await eventually(
            lambda: "answered 418" in str(node.details.get(FEED_DOWN)), "a feed that is down"
        )
        assert node.counters["rest_429"] <= 4

    (host,) = orjson.loads((home / "bans" / "binance.json").read_bytes())
    assert binance.rest_url == host


async def test_restart_does_not_ask_a_venue_that_banned_it(
    memory_bus: MemoryBus, home: Path
) -> None:
    """The other venue is published, and the heartbeats say until when and why."""
    async with exchanges() as (addresses, binance):
        note_ban(home, binance.rest_url, 418, 7200.0)
        async with connected(memory_bus, addresses) as (watched, _):
            details = watched.connector.node.details
            await eventually(lambda: len(watched.snapshots) >= 2, "snapshots of one venue")
            (feed,) = [one for one in watched.connector.feeds if one.feed.venue == "binance"]

    assert "answered 418: it asks for no requests before 20" in str(details[FEED_DOWN])
    assert "UTC" in ban_of(watched.connector.node)
    assert {DOLLARS} == {v.product_id for s in watched.snapshots for v in s.products}
    assert (None, 0) == (feed.feed.clock.now, feed.stream.epoch)


async def test_only_venue_is_awaited_to_the_end_of_a_ban(
    memory_bus: MemoryBus, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that ended instead would be restarted until the supervisor gives up.

    The last attempt of the ban ends just after it, and the venue still has time to answer.
    """
    monkeypatch.setattr(connector_module, "START_DEADLINE_S", 100.0)
    async with running_exchange(products=(TETHERS,), protocol=BinanceProtocol) as binance:
        note_ban(home, binance.rest_url, 418, 199.0)
        async with running_connector(
            binance, memory_bus, venue=BINANCE, products=(TETHERS,), factor=60.0
        ) as watched:
            details = watched.connector.node.details
            await eventually(lambda: "answered 418" in str(details.get(FEED_DOWN)), "the ban")
            assert 0 == watched.count("rest_requests")
            await eventually(lambda: bool(watched.snapshots), "a snapshot")
            await eventually(lambda: FEED_DOWN not in details, "the end")
            assert VENUE_BANS not in details


async def test_attempt_that_outlived_a_ban_is_repeated(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was left of it after the ban was too short for an answer."""
    market = MarketOptions(BINANCE, (TETHERS,), "ws://127.0.0.1:1", "http://127.0.0.1:1", None)
    node = Node("connector", BINANCE.name, Settings(), memory_bus, FastClock(100.0))
    connector = LiveConnector(ConnectorOptions((market,), 60.0), node, random.Random(7))
    (feed,) = connector.feeds
    attempts: list[float] = []

    async def start(deadline_s: float) -> None:
        attempts.append(deadline_s)
        if len(attempts) == 1:
            feed.rest_ban.note(418, 1.0)
            await node.clock.sleep(2.0)
            assert 0 == feed.rest_ban.left_s
            raise DependencyMissing("the venue did not answer")

    monkeypatch.setattr(feed, "start", start)
    await connector._start_alone(feed)

    assert 2 == len(attempts)


async def test_restart_does_not_repeat_a_refused_handshake(
    memory_bus: MemoryBus, home: Path
) -> None:
    """It connects at the end of the ban; REST, which is not banned, is asked meanwhile."""
    async with running_exchange(products=(TETHERS,), protocol=BinanceProtocol) as binance:
        note_ban(home, binance.ws_url, 429, 90.0)
        async with running_connector(
            binance, memory_bus, venue=BINANCE, products=(TETHERS,), factor=20.0
        ) as watched:
            node = watched.connector.node
            await eventually(lambda: "answered 429: it asks" in ban_of(node), "the ban")
            began_s = node.clock.monotonic()
            await eventually(
                lambda: "answered 429: it asks" in str(node.details.get(FEED_DOWN)), "the reason"
            )
            await eventually(lambda: watched.feed.stream.epoch >= 1, "a connection")
            assert node.clock.monotonic() - began_s > 20.0
            await eventually(lambda: FEED_DOWN not in node.details, "the end")
