"""Venues that are down when a connector starts: what the snapshots say."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

from arena.bus.memory import MemoryBus
from arena.messages import MarketSnapshot
from connectors.simulator.binance.protocol import BinanceProtocol
from connectors.simulator.server import ExchangeServer
from tests.connectors.test_two_venues import DOLLARS, TETHERS, connected, is_stale
from tests.connectors.venue import (
    RunningConnector,
    eventually,
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
