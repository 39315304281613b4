"""Which products are followed: lists them, drops what is gone, takes in what comes back.

Asks `GET /products` at start, every five minutes, and when one product falls silent beside others
that do not. A product that disappears is published once more as what the venue now calls it.
"""

import asyncio
from collections.abc import Callable
from math import inf
from typing import Final

from arena.errors import UsageError
from arena.messages import Product
from arena.node import Node
from connectors.coinbase.feed import Feed
from connectors.coinbase.publisher import TickerPublisher
from connectors.coinbase.refresh import Refresher
from connectors.coinbase.rest import CoinbaseRest, RestFailed

LIST_EVERY_S: Final = 300.0
SILENT_S: Final = 20.0
SILENT_CHECK_EVERY_S: Final = 30.0


class ProductKeeper:
    """Keeps the list of products.

    Args:
        wanted: Ids that were asked for.
        node: The process.
        rest: The venue's REST API.
        feed: Told what is gone.
        refresher: Told what to follow.
        publisher: Publishes the products.
        reconnect: Called when the feed must be subscribed to more products.

    Attributes:
        products: Those that are followed, as the venue describes them.
    """

    def __init__(
        self,
        wanted: tuple[str, ...],
        node: Node,
        rest: CoinbaseRest,
        feed: Feed,
        refresher: Refresher,
        publisher: TickerPublisher,
        *,
        reconnect: Callable[[], None],
    ) -> None:
        """Nothing is followed yet."""
        self.products: dict[str, Product] = {}
        self._wanted = wanted
        self._node = node
        self._rest = rest
        self._feed = feed
        self._refresher = refresher
        self._publisher = publisher
        self._reconnect = reconnect
        self._refused: set[str] = set()
        self._gone: list[Product] = []
        self._listed_s = 0.0
        self._checked_s = 0.0
        self._tasks: asyncio.TaskGroup | None = None

    async def list_first(self) -> None:
        """Learn which of the wanted products trade.

        Raises:
            RestFailed: The venue did not answer.
            UsageError: None of them trades.
        """
        await self._list()
        if not self.products:
            raise UsageError(
                f"none of {', '.join(self._wanted)} trades there",
                remedy="choose others with --products",
            )

    def follow_all(self, tasks: asyncio.TaskGroup) -> None:
        """Keep the candles of every product current, in tasks of this group."""
        self._tasks = tasks
        for product_id in self.products:
            tasks.create_task(self._refresher.follow(product_id))

    def refuse(self, product_id: str, reason: str) -> None:
        """The feed refuses a product: it is never asked for again."""
        self._refused.add(product_id)
        self._drop(product_id, reason)

    async def look_after(self, now_s: float) -> None:
        """List again where it is time to; publish what has gone.

        Raises:
            UsageError: No product is left.
        """
        silent = now_s - self._checked_s >= SILENT_CHECK_EVERY_S and self._someone_silent(now_s)
        if silent or now_s - self._listed_s >= LIST_EVERY_S:
            try:
                await self._list()
            except RestFailed as error:
                self._listed_s = self._checked_s = now_s
                self._node.log.warning("products not listed", error=str(error))
            await self.publish()
        if self._gone and self._publisher.active:
            gone, self._gone = self._gone, []
            await self._publisher.publish_products(gone)
        if not self.products:
            raise UsageError("no product is left", remedy="choose others with --products")

    async def publish(self) -> None:
        """Publish the trading rules of every product."""
        await self._publisher.publish_products(self.products.values())

    async def _list(self) -> None:
        """Check the wanted products; drop those that are gone, take in those that came."""
        self._listed_s = self._checked_s = self._node.clock.monotonic()
        first = self._tasks is None
        listing = await self._rest.products(self._wanted)
        for product_id, reason in listing.rejected.items():
            if first or product_id in self.products:
                self._drop(product_id, reason)
        online = [p for p in listing.online if p.product_id not in self._refused]
        fresh = [p.product_id for p in online if p.product_id not in self.products]
        self.products |= {product.product_id: product for product in online}
        self._node.details["products"] = ", ".join(sorted(self.products))
        for product_id in fresh:
            self._feed.adopt(product_id)
        if self._tasks is not None and fresh:
            self._node.log.info("products came back", products=fresh)
            for product_id in fresh:
                self._tasks.create_task(self._refresher.follow(product_id))
            self._reconnect()

    def _drop(self, product_id: str, reason: str) -> None:
        """Stop following a product and say so."""
        self._node.log.warning("product dropped", product=product_id, reason=reason)
        self._node.counters["products_dropped"] += 1
        self._feed.forget(product_id)
        self._refresher.forget(product_id)
        self._publisher.forget(product_id)
        product = self.products.pop(product_id, None)
        if product is not None:
            self._gone.append(product.model_copy(update={"status": "delisted"}))

    def _someone_silent(self, now_s: float) -> bool:
        """True where one product has heartbeats and another has none, or none any more."""
        silences = [self._feed.silence_s(product_id, now_s) for product_id in self.products]
        longest = [inf if s is None else s for s in silences]
        return bool(longest) and min(longest) < SILENT_S < max(longest)
