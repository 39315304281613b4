"""The venues and product ids of an ARENA.toml. Pure, except that it looks up the venues' names."""

import importlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from arena.candle_cache.names import PREFIX, for_each_product
from arena.errors import UsageError
from arena.products import DEFAULT_VENUE, SEPARATOR, product_key, split_key
from arena.unknown_names import closest_first, listed
from operations.specs.errors import SpecFault

if TYPE_CHECKING:
    from operations.specs.arena_spec import ArenaSpec
    from operations.specs.market import MarketTable

Spec = TypeVar("Spec", bound="ArenaSpec")

VENUES_MODULE = "connectors.venues"
"""Loaded by name: `operations` imports no room."""


# Any: a room's protocol, `connectors.market.venue.Venue`.
def load_venue(name: str) -> Any:
    """The venue of a name, from its package.

    Raises:
        UsageError: It does not exist.
    """
    return importlib.import_module(VENUES_MODULE).load_venue(name)


def venue_names() -> tuple[str, ...]:
    """Names of the venues that have a package, sorted."""
    names: tuple[str, ...] = importlib.import_module(VENUES_MODULE).venue_names()
    return names


def by_venue(products: Iterable[str]) -> dict[str, list[str]]:
    """Venue -> its products, in the given order."""
    found: dict[str, list[str]] = {}
    for product_id in products:
        found.setdefault(split_key(product_id).venue, []).append(product_id)
    return found


def with_venues(spec: Spec) -> Spec:
    """The specification with the venue in every product id, and the price files of all markets.

    Raises:
        SpecFault: A venue is unknown or named twice, or a product has no valid id.
    """
    _check_tables(spec)
    market, arena = spec.market, spec.arena
    if spec.markets:
        names = [(table.venue, symbol) for table in spec.markets for symbol in table.products]
        prices = tuple(
            path for table in spec.markets for path in _prices_of(table.prices, table.products)
        )
        market = market.model_copy(update={"prices": prices or market.prices})
    elif market.venue == DEFAULT_VENUE or "products" in arena.model_fields_set:
        names = [(market.venue, symbol) for symbol in arena.products]
    else:
        names = [(market.venue, name) for name in load_venue(market.venue).default_products]
    products: list[str] = []
    for index, (venue, symbol) in enumerate(names):
        place = _place(spec, index)
        product_id = _read_product(venue, symbol, place)
        named = split_key(product_id).venue
        if spec.markets and named != venue:
            raise SpecFault(place, f"{product_id!r} is not a product of {venue}")
        if named != DEFAULT_VENUE and product_id in products:
            raise SpecFault(place, f"{product_id!r} is already named; remove one")
        products.append(product_id)
    market = market.model_copy(update={"prices": _prices_of(market.prices, products)})
    _check_range(market)
    arena = arena.model_copy(update={"products": tuple(products)})
    return spec.model_copy(update={"arena": arena, "market": market})


def _prices_of(prices: tuple[str, ...], products: Sequence[str]) -> tuple[str, ...]:
    """Prices with one entry per product.

    Raises:
        SpecFault: They name the cache without a venue.
    """
    try:
        return for_each_product(prices, products)
    except UsageError as error:
        raise SpecFault(("market", "prices"), f"{error}") from None


def _check_range(market: "MarketTable") -> None:
    """Check that a market of recorded prices has the range that it needs."""
    if market.end is not None and not market.prices:
        what = "end needs recorded prices; the length of a contest is [competition] snapshots"
        raise SpecFault(("market", "end"), what)
    if not market.from_cache:
        return
    for key in ("start", "end"):
        if getattr(market, key) is None:
            what = f"prices from the cache need {key}, such as {key} = 2026-01-01"
            raise SpecFault(("market", key if key in market.model_fields_set else "prices"), what)
    if not all(price.startswith(PREFIX) for price in market.prices):
        what = "prices name files and the cache; give one of them for all products"
        raise SpecFault(("market", "prices"), what)


def _read_product(venue: str, text: str, place: tuple[str | int, ...]) -> str:
    """The product id in a text, which may name its venue."""
    name, symbol = split_key(text) if SEPARATOR in text else (venue, text)
    if name == DEFAULT_VENUE:
        if "-" not in symbol:
            what = f"{symbol!r} is not a product of Coinbase; write it as BTC-USD"
            raise SpecFault(place, what)
        return product_key(name, symbol)
    try:
        product_id: str = load_venue(name).read_product(symbol)
    except UsageError as error:
        raise SpecFault(place, str(error)) from None
    return product_id


def _place(spec: "ArenaSpec", index: int) -> tuple[str | int, ...]:
    for number, table in enumerate(spec.markets):
        if index < len(table.products):
            return ("markets", number, "products")
        index -= len(table.products)
    return ("arena", "products")


def _check_tables(spec: "ArenaSpec") -> None:
    names, market = venue_names(), spec.market
    asked: list[tuple[tuple[str | int, ...], str]] = [(("market", "venue"), market.venue)]
    asked += [(("markets", n, "venue"), table.venue) for n, table in enumerate(spec.markets)]
    asked += [(("arena", "products"), venue) for venue in by_venue(spec.arena.products)]
    for place, venue in asked:
        if venue not in names:
            known = listed(closest_first(venue, names))
            raise SpecFault(place, f"unknown venue {venue!r}; there is {known}")
    if market.source == "coinbase" and market.venue != DEFAULT_VENUE:
        raise SpecFault(("market", "source"), f'write source = "live" for {market.venue}')
    if not spec.markets:
        return
    for name, key, given in (
        ("arena", "products", spec.arena.model_fields_set),
        ("market", "venue", market.model_fields_set),
    ):
        if key in given:
            raise SpecFault((name, key), f"{key} is in [[markets]] already; remove it here")
    for n, row in enumerate(spec.markets):
        if row.venue in [one.venue for one in spec.markets[:n]]:
            raise SpecFault(("markets", n, "venue"), f"{row.venue} is already used")
        prices = _prices_of(row.prices, row.products)
        if row.prices and len(prices) != len(row.products):
            what = f"{len(row.prices)} files for {len(row.products)} products"
            raise SpecFault(("markets", n, "prices"), f"{what}; give one per product")
        if row.prices and market.source not in ("exchange", "replay"):
            raise SpecFault(("markets", n, "prices"), 'prices need source = "replay"; remove them')
    if any(table.prices for table in spec.markets) and not all(t.prices for t in spec.markets):
        raise SpecFault(("markets",), "give price files for every venue or for none")
