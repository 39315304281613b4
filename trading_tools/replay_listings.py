"""Finds the listings by which a recorded order was decided. Pure.

An event names the `Product` record that its order was decided by. Events of older executors do not;
for those it is the newest record before the end of the agent's snapshot. A refusal may also name
the traded products. Which ones the executor knew of is only in that text, so any record of the
topic may be the reason why a product is named or left out.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from arena.messages import Product, RejectReason
from trading_tools.quotes import Listing, listing_of
from trading_tools.refusals import NOT_TRADED_HERE, TRADED_ARE

Event = dict[str, Any]  # Any: a decoded event of the account log
Place = tuple[int, int]
NAMES_PRODUCTS = (RejectReason.UNKNOWN_PRODUCT, RejectReason.NOT_TRADABLE)


class ListingHistory:
    """Every listing of `market.tickers`, by product and offset."""

    def __init__(self) -> None:
        """Start without records; `take` adds them in the order of the topic."""
        self._found: dict[str, tuple[list[int], list[Listing]]] = defaultdict(lambda: ([], []))
        self._at: dict[Place, Listing] = {}

    def take(self, product: Product, place: Place) -> None:
        """Add a record, unless its amounts cannot be expressed: the executor dead-lettered it."""
        with suppress(ArithmeticError, ValueError):
            listing = listing_of(product, place)
            offsets, found = self._found[product.product_id]
            offsets.append(place[1])
            found.append(listing)
            self._at[place] = listing

    def at(self, event: Event, offset: int) -> dict[str, Listing]:
        """The listings by which an order was decided.

        Args:
            event: The order's event.
            offset: The offset up to which its executor had read at least.
        """
        known = {product_id: self._newest(product_id, offset) for product_id in self._found}
        product_id, used, detail = event["product_id"], event.get("listing"), event["detail"]
        if event["reason"] in NAMES_PRODUCTS:
            known |= self._named_in_refusal(known, detail)
        if used is not None:
            listing = self._at.get((used["partition"], used["offset"]))
            if listing is not None and listing.product_id == product_id:
                return known | {product_id: listing}
        elif event["reason"] == RejectReason.UNKNOWN_PRODUCT and NOT_TRADED_HERE in detail:
            known.pop(product_id, None)
        return known

    def are_kept(self, event: Event, offset: int, first: Mapping[int, int]) -> bool:
        """True if retention has not deleted the listing by which an order was decided.

        Args:
            event: The order's event.
            offset: The offset up to which its executor had read at least.
            first: Partition of `market.tickers` -> the oldest offset that is left.
        """
        used = event.get("listing")
        if used is not None:
            return bool(used["offset"] >= first.get(used["partition"], 0))
        offsets, _ = self._found.get(event["product_id"], ((), ()))
        return any(one < offset for one in offsets)

    def _newest(self, product_id: str, offset: int) -> Listing:
        """The newest listing before an offset, or the oldest one; without its place."""
        offsets, listings = self._found[product_id]
        index = bisect_right(offsets, max(offset - 1, offsets[0])) - 1
        return replace(listings[index], place=None)

    def _named_in_refusal(self, known: dict[str, Listing], detail: str) -> dict[str, Listing]:
        """Listings that agree with a refusal's text about traded products, if there are any."""
        named, _, more = detail.rpartition(TRADED_ARE)[2].partition(" and ")
        names = frozenset(named.split(", "))
        agreeing_listings: dict[str, Listing] = {}
        for product_id, listing in known.items():
            traded = product_id in names
            if traded == listing.open or (more and not traded):
                continue
            agreeing = (one for one in self._found[product_id][1] if one.open == traded)
            if (one := next(agreeing, None)) is not None:
                agreeing_listings[product_id] = replace(one, place=None)
        return agreeing_listings
