"""The list of products: an answer that cannot be meant, and products that the feed refuses."""

from collections.abc import Iterable
from random import Random
from typing import cast

import pytest

from arena.bus.memory import MemoryBus
from arena.errors import UsageError
from arena.messages import Product
from arena.node import Node
from arena.settings import Settings
from connectors.coinbase.feed import Feed
from connectors.coinbase.keeper import ProductKeeper
from connectors.coinbase.protocol_products import Listing
from connectors.coinbase.publisher import TickerPublisher
from connectors.coinbase.refresh import Refresher
from connectors.coinbase.rest import CoinbaseRest, RestFailed
from connectors.coinbase.snapshot import Origin
from tests.connectors.builders import FastClock
from tests.trading_tools.helpers import product

WANTED = ("BTC-USD", "SOL-USD")


class ListedRest:
    """A venue whose list of products is what the test says it is."""

    origin = Origin()

    def __init__(self, *online: Product) -> None:
        """List these."""
        self.online = online
        self.rejected: dict[str, str] = {}

    async def products(self, wanted: Iterable[str]) -> Listing:
        """The list; what is wanted and not in it is unlisted."""
        ids = {one.product_id for one in self.online}
        unlisted = dict.fromkeys(set(wanted) - ids, "unlisted")
        return Listing(self.online, (), unlisted | self.rejected)


def keeper_of(rest: ListedRest, bus: MemoryBus) -> ProductKeeper:
    """A keeper that asks this venue."""
    node = Node("connector", "coinbase", Settings(), bus, FastClock(1.0))
    feed = Feed()
    publisher = TickerPublisher(bus, feed, node.clock, node.counters)
    venue = cast(CoinbaseRest, rest)
    refresher = Refresher(venue, feed, clock=node.clock, rng=Random(7), counters=node.counters)
    return ProductKeeper(WANTED, node, venue, feed, refresher, publisher, reconnect=lambda: None)


async def test_a_list_without_any_product_is_believed_the_second_time(
    memory_bus: MemoryBus,
) -> None:
    """A truncated answer does not end the connector; a venue that says it twice does."""
    rest = ListedRest(product("BTC-USD"), product("SOL-USD"))
    keeper = keeper_of(rest, memory_bus)
    await keeper.list_first()
    rest.online = ()

    with pytest.raises(RestFailed, match="none of the products"):
        await keeper.list_again()
    assert set(WANTED) == set(keeper.products)
    await keeper.list_again()
    assert {"unlisted"} == {one.status for one in keeper.closed.values()}
    with pytest.raises(UsageError, match="BTC-USD is unlisted; SOL-USD is unlisted"):
        await keeper.look_after(0.0)


async def test_what_the_feed_refuses_is_asked_for_again_when_its_rules_change(
    memory_bus: MemoryBus,
) -> None:
    """Until then it is closed, with the feed's word for it, however often the list has it."""
    rest = ListedRest(product("BTC-USD"), product("SOL-USD"))
    keeper = keeper_of(rest, memory_bus)
    await keeper.list_first()
    keeper.refuse("SOL-USD", "SOL-USD is not a valid product")
    await keeper.list_again()
    closed = keeper.closed["SOL-USD"].status
    rest.online = (product("BTC-USD"), product("SOL-USD").model_copy(update={"modes": ("a_only",)}))
    await keeper.list_again()

    assert ("unlisted", ["BTC-USD", "SOL-USD"]) == (closed, sorted(keeper.products))
    assert {} == keeper.closed


async def test_none_that_is_online_is_an_error_with_every_reason(memory_bus: MemoryBus) -> None:
    """Each product is named with what the venue says of it."""
    rest = ListedRest()
    rest.rejected = {"SOL-USD": "unreadable: base_increment is 'x'"}

    with pytest.raises(UsageError, match="BTC-USD is unlisted; SOL-USD is unreadable"):
        await keeper_of(rest, memory_bus).list_first()
