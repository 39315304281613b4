"""Decides which products are followed, and publishes their trading rules.

Requests the list of products at start, at every new connection, every `LIST_EVERY_S`, and when one
product is silent while others are not. Changes are published at once, all products every five
minutes. A product that is not online, or that the venue does not list, is not followed; its rules
are published nevertheless, with its last ticker, so that orders in it are refused with the reason
and positions in it keep their last price.
"""

import asyncio
from collections.abc import Callable, Iterable
from math import inf
from typing import Final

from arena.errors import UsageError
from arena.messages import Product
from arena.node import Node
from arena.trading_modes import UNLISTED, UNREADABLE, restriction
from connectors.market.feed import Feed
from connectors.market.http_client import RestFailed
from connectors.market.listing import ProductListing
from connectors.market.publisher import TickerPublisher
from connectors.market.refresh import Refresher
from connectors.market.venue import MarketRest, Venue

LIST_EVERY_S: Final = 15.0
"""Venue seconds between two requests for the list; wall seconds at real time."""
LIST_EVERY_S_MIN: Final = 1.0
PUBLISH_EVERY_S: Final = 300.0
SILENT_S: Final = 20.0
SILENT_CHECK_EVERY_S: Final = 30.0
DELISTED: Final = "delisted"


class SubscriptionManager:
    """Keeps the list of products current.

    Args:
        wanted: Ids of the requested products.
        node: The process.
        venue: The venue.
        rest: The venue's REST API.
        feed: Forgets products that are no longer followed.
        refresher: Keeps the candles of the followed products.
        publisher: Publishes the products.
        reconnect: Called when the feed must be subscribed to more products.

    Attributes:
        products: The followed products by id, as the venue describes them.
        closed: The requested products that are not followed, with a status other than online.
    """

    def __init__(
        self,
        wanted: tuple[str, ...],
        node: Node,
        venue: Venue,
        rest: MarketRest,
        feed: Feed,
        refresher: Refresher,
        publisher: TickerPublisher,
        *,
        reconnect: Callable[[], None],
    ) -> None:
        """Create a manager without products; call `list_first` to fetch them."""
        self.products: dict[str, Product] = {}
        self.closed: dict[str, Product] = {}
        self._wanted = wanted
        self._node = node
        self._venue = venue
        self._rest = rest
        self._feed = feed
        self._refresher = refresher
        self._publisher = publisher
        self._reconnect = reconnect
        self._refused: dict[str, tuple[str, Product]] = {}
        self._changed: set[str] = set()
        self._all_lost = False
        self._listed_s = 0.0
        self._checked_s = 0.0
        self._published_s = 0.0
        self._tasks: asyncio.TaskGroup | None = None

    async def list_first(self) -> None:
        """Fetch the requested products.

        Raises:
            RestFailed: The venue did not answer.
            UsageError: None of them is online.
        """
        await self.list_again()
        if not self.products:
            raise self._no_products_error()

    def follow_all(self, tasks: asyncio.TaskGroup) -> None:
        """Keep the candles of every product current in tasks of this group."""
        self._tasks = tasks
        for product_id in self.products:
            tasks.create_task(self._refresher.follow(product_id))

    def refuse(self, product_id: str, reason: str) -> None:
        """Close a product that the feed refuses, until the venue lists it differently."""
        product = self.products.get(product_id)
        if product is not None:
            status = DELISTED if DELISTED in reason else UNLISTED
            self._refused[product_id] = (status, product)
            self._drop(product_id, reason)
            self._close(product.model_copy(update={"status": status, "modes": ()}))

    async def check_list(self, now_s: float) -> None:
        """Request the list if it is due; publish what has changed.

        Raises:
            UsageError: No product is left.
        """
        silent = now_s - self._checked_s >= SILENT_CHECK_EVERY_S and self._some_silent(now_s)
        if silent or now_s - self._listed_s >= self._list_every_s:
            try:
                await self.list_again()
            except RestFailed as error:
                self._listed_s = self._checked_s = now_s
                error.log(self._node.log, "products not listed")
        if self._publisher.active and now_s - self._published_s >= PUBLISH_EVERY_S:
            await self.publish()
        elif self._publisher.active and self._changed:
            await self._publish(sorted(self._changed))
        if not self.products:
            raise self._no_products_error()

    async def publish(self) -> None:
        """Publish the rules of every product, and the last tickers of those without a feed."""
        self._published_s = self._node.clock.monotonic()
        await self._publish([*self.products, *self.closed])

    async def list_again(self) -> None:
        """Request the list; drop, add and update products accordingly.

        Raises:
            RestFailed: The venue did not answer as documented.
        """
        self._listed_s = self._checked_s = self._node.clock.monotonic()
        listing = await self._rest.products(self._wanted)
        if self._is_blank(listing):
            raise RestFailed("/products", 200, "none of the products is in the list")
        online, closed = self._sorted(listing)
        for product_id in self.products.keys() - online.keys():
            reason = listing.rejected.get(product_id, closed[product_id].status)
            self._drop(product_id, reason)
        for product_id in closed.keys() - self.closed.keys() if self._tasks is None else ():
            self._drop(product_id, listing.rejected.get(product_id, closed[product_id].status))
        for product in closed.values():
            self._close(product)
        self._open(online)

    @property
    def _list_every_s(self) -> float:
        return max(LIST_EVERY_S / self._rest.origin.speed, LIST_EVERY_S_MIN)

    def _is_blank(self, listing: ProductListing) -> bool:
        """True the first time that the list has none of the followed products.

        If the next list also has none of them, it is believed.
        """
        lost = bool(self.products) and all(
            listing.rejected.get(product_id) == UNLISTED for product_id in self.products
        )
        first, self._all_lost = lost and not self._all_lost, lost
        return first

    def _sorted(self, listing: ProductListing) -> tuple[dict[str, Product], dict[str, Product]]:
        """The products to follow from now on, and the others."""
        online: dict[str, Product] = {}
        closed = {product.product_id: product for product in listing.closed}
        for product in listing.online:
            refused = self._refused.get(product.product_id)
            if refused is not None and refused[1] == product:
                update = {"status": refused[0], "modes": ()}
                closed[product.product_id] = product.model_copy(update=update)
            else:
                online[product.product_id] = product
                self._refused.pop(product.product_id, None)
        for product_id, reason in listing.rejected.items():
            status = UNLISTED if reason == UNLISTED else UNREADABLE
            known = self.products.get(product_id) or self.closed.get(product_id)
            closed[product_id] = (
                self._venue.unknown_product(product_id, status)
                if known is None
                else known.model_copy(update={"status": status, "modes": ()})
            )
        return online, closed

    def _open(self, online: dict[str, Product]) -> None:
        """Follow the products that are online; log changed rules."""
        fresh = [product_id for product_id in online if product_id not in self.products]
        for product_id, product in online.items():
            before = self.products.get(product_id) or self.closed.pop(product_id, None)
            if before != product:
                self._changed.add(product_id)
                self._log_change(product, before)
            self.products[product_id] = product
        for product_id in fresh:
            self._feed.adopt(product_id)
        if self._tasks is not None and fresh:
            self._node.log.info("products followed again", products=fresh)
            for product_id in fresh:
                self._tasks.create_task(self._refresher.follow(product_id))
            self._reconnect()

    def _log_change(self, product: Product, before: Product | None) -> None:
        """Log a mode that began or ended, and changed rules."""
        log, name = self._node.log, product.product_id
        words = restriction(product.status, product.modes)
        if words:
            log.warning("product restricted", product=name, reason=words)
        elif before is not None and before.modes:
            log.info("product trades again", product=name)
        if before is not None and (product.modes, product.status) == (before.modes, before.status):
            log.warning(
                "product rules changed",
                product=name,
                base_increment=str(product.base_increment),
                quote_increment=str(product.quote_increment),
                min_market_funds=str(product.min_market_funds),
            )
        self._node.counters["products_changed"] += before is not None

    def _close(self, product: Product) -> None:
        if self.closed.get(product.product_id) != product:
            self._changed.add(product.product_id)
        self.closed[product.product_id] = product

    def _drop(self, product_id: str, reason: str) -> None:
        """Stop following a product; its last ticker is kept."""
        self._node.log.warning("product dropped", product=product_id, reason=reason)
        self._node.counters["products_dropped"] += 1
        self._feed.forget(product_id)
        self._refresher.forget(product_id)
        self.products.pop(product_id, None)

    async def _publish(self, product_ids: Iterable[str]) -> None:
        known = self.products | self.closed
        found = [known[product_id] for product_id in product_ids if product_id in known]
        await self._publisher.publish_products(found)
        for product in found:
            # A newer version that was listed meanwhile is still to be published.
            now = self.products.get(product.product_id) or self.closed.get(product.product_id)
            if now == product:
                self._changed.discard(product.product_id)
            if product.product_id in self.closed:
                self._publisher.offer_last(product.product_id)

    def _no_products_error(self) -> UsageError:
        why = "; ".join(
            f"{product_id} is {self.closed[product_id].status}"
            for product_id in self._wanted
            if product_id in self.closed
        )
        return UsageError(f"no product is online: {why}", remedy="choose other products")

    def _some_silent(self, now_s: float) -> bool:
        """True if one product has recent heartbeats and another has not."""
        silences = [self._feed.silence_s(product_id, now_s) for product_id in self.products]
        longest = [inf if s is None else s for s in silences]
        return bool(longest) and min(longest) < SILENT_S < max(longest)
