"""The subscription manager: incomplete lists, and products that the feed refuses."""

from collections.abc import Iterable
from random import Random
from typing import cast

import pytest

from arena.bus.memory import MemoryBus
from arena.errors import UsageError
from arena.messages import Product
from arena.node import Node
from arena.settings import Settings
from connectors.market.feed import Feed
from connectors.market.http_client import RestFailed
from connectors.market.listing import ProductListing
from connectors.market.publisher import TickerPublisher
from connectors.market.refresh import Refresher
from connectors.market.snapshot import Origin
from connectors.market.subscription_manager import SubscriptionManager
from connectors.market.venue import MarketRest
from connectors.venues.coinbase.venue import VENUE as COINBASE
from tests.connectors.builders import FastClock
from tests.trading_tools.helpers import product

WANTED = ("BTC-USD", "SOL-USD")


class ListedRest:
    """A REST client whose list of products the test sets."""

    origin = Origin()

    def __init__(self, *online: Product) -> None:
        """List these products as online."""
        self.online = online
        self.rejected: dict[str, str] = {}

    async def products(self, wanted: Iterable[str]) -> ProductListing:
        """The list; wanted products that are not in it are unlisted."""
        ids = {one.product_id for one in self.online}
        unlisted = dict.fromkeys(set(wanted) - ids, "unlisted")
        return ProductListing(self.online, (), unlisted | self.rejected)


def manager_of(rest: ListedRest, bus: MemoryBus) -> SubscriptionManager:
    """A subscription manager with this REST client."""
    node = Node("connector", "coinbase", Settings(), bus, FastClock(1.0))
    feed = Feed("coinbase")
    publisher = TickerPublisher(bus, feed, node.clock, node.counters)
    requests = cast(MarketRest, rest)
    refresher = Refresher(requests, feed, clock=node.clock, rng=Random(7), counters=node.counters)
    return SubscriptionManager(
        WANTED, node, COINBASE, requests, feed, refresher, publisher, reconnect=lambda: None
    )


async def test_empty_list_is_believed_the_second_time(
    memory_bus: MemoryBus,
) -> None:
    """One truncated list does not end the connector; two in a row do."""
    rest = ListedRest(product("BTC-USD"), product("SOL-USD"))
    manager = manager_of(rest, memory_bus)
    await manager.list_first()
    rest.online = ()

    with pytest.raises(RestFailed, match="none of the products"):
        await manager.list_again()
    assert set(WANTED) == set(manager.products)
    await manager.list_again()
    assert {"unlisted"} == {one.status for one in manager.closed.values()}
    with pytest.raises(UsageError, match="BTC-USD is unlisted; SOL-USD is unlisted"):
        await manager.check_list(0.0)


async def test_refused_product_is_followed_again_when_its_rules_change(
    memory_bus: MemoryBus,
) -> None:
    """Until then it stays closed with the feed's reason, although it is listed."""
    rest = ListedRest(product("BTC-USD"), product("SOL-USD"))
    manager = manager_of(rest, memory_bus)
    await manager.list_first()
    manager.refuse("SOL-USD", "SOL-USD is not a valid product")
    await manager.list_again()
    closed = manager.closed["SOL-USD"].status
    rest.online = (product("BTC-USD"), product("SOL-USD").model_copy(update={"modes": ("a_only",)}))
    await manager.list_again()

    assert ("unlisted", ["BTC-USD", "SOL-USD"]) == (closed, sorted(manager.products))
    assert {} == manager.closed


async def test_no_online_product_is_an_error_with_every_reason(memory_bus: MemoryBus) -> None:
    """Each product is named with its status."""
    rest = ListedRest()
    rest.rejected = {"SOL-USD": "unreadable: base_increment is 'x'"}

    with pytest.raises(UsageError, match="BTC-USD is unlisted; SOL-USD is unreadable"):
        await manager_of(rest, memory_bus).list_first()
