"""The list of products of Binance spot, decoded: status, trading rules and modes. Pure.

`GET /api/v3/exchangeInfo` describes symbols by status, order types and filters. From "Filters"
(github.com/binance/binance-spot-api-docs, filters.md): a price is a multiple of
`PRICE_FILTER.tickSize`; a quantity is a multiple of `LOT_SIZE.stepSize`, and that of a market order
of `MARKET_LOT_SIZE.stepSize`, unless that is 0; price times quantity is at least
`NOTIONAL.minNotional` (`MIN_NOTIONAL.minNotional` for older symbols), for market orders if the
filter says so. Largest sizes and `LOT_SIZE.minQty` have no place in a `Product`.
"""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from arena.messages import Product
from arena.money import why_not_carried
from arena.products import base_of, quote_of
from arena.trading_modes import ONLINE, UNLISTED, UNREADABLE
from connectors.market.json_bodies import (
    ERROR_CHARS_MAX,
    Body,
    RestMalformed,
    load,
    parse_number,
)
from connectors.market.listing import UNKNOWN_STEP, ProductListing
from connectors.venues.binance.symbols import NAME, symbol_of

TRADING: Final = "TRADING"
STATUS: Final = re.compile(r"[A-Z][A-Z_]{0,39}", re.ASCII)
ASSET: Final = re.compile(r"[A-Z0-9]{1,20}", re.ASCII)
NOTIONALS: Final = (("NOTIONAL", "applyMinToMarket"), ("MIN_NOTIONAL", "applyToMarket"))
"""Filters with a smallest notional, and their flags that say whether market orders are bound."""


def read_symbols(body: bytes | str) -> dict[str, Body]:
    """The entries of `GET /api/v3/exchangeInfo` by symbol.

    Raises:
        RestMalformed: The body has no list of symbols.
    """
    entry = load(body)
    listed = entry.get("symbols") if isinstance(entry, dict) else None
    if not isinstance(listed, list):
        raise RestMalformed("exchangeInfo: expected a list of symbols")
    return {
        item["symbol"]: item
        for item in listed
        if isinstance(item, dict) and isinstance(item.get("symbol"), str)
    }


def list_products(entries: Mapping[str, Body], wanted: Iterable[str]) -> ProductListing:
    """The wanted products; an entry that cannot be read does not affect the others."""
    online: list[Product] = []
    closed: list[Product] = []
    rejected: dict[str, str] = {}
    for product_id in dict.fromkeys(wanted):
        entry = entries.get(symbol_of(product_id))
        if entry is None:
            rejected[product_id] = UNLISTED
            continue
        try:
            product = _product(product_id, entry)
        except ValueError as error:
            rejected[product_id] = f"{UNREADABLE}: {error}"[:ERROR_CHARS_MAX]
            continue
        (online if product.status == ONLINE else closed).append(product)
    return ProductListing(tuple(online), tuple(closed), rejected)


def unknown_product(product_id: str, status: str) -> Product:
    """The rules to publish for a product without a usable entry, so that no order is filled.

    Args:
        product_id: Id such as "binance:BTCUSDT"; the currencies are taken from it.
        status: `UNLISTED` or `UNREADABLE`.
    """
    return Product(
        venue=NAME,
        product_id=product_id,
        base_currency=base_of(product_id),
        quote_currency=quote_of(product_id),
        base_increment=UNKNOWN_STEP,
        quote_increment=UNKNOWN_STEP,
        min_market_funds=UNKNOWN_STEP,
        status=status,
    )


def _product(product_id: str, entry: Body) -> Product:
    filters = _filters(entry)
    product = Product(
        venue=NAME,
        product_id=product_id,
        base_currency=_asset(entry, "baseAsset"),
        quote_currency=_asset(entry, "quoteAsset"),
        base_increment=_lot_step(filters),
        quote_increment=_number(filters, "PRICE_FILTER", "tickSize"),
        min_market_funds=_min_notional(filters),
        status=_status(entry),
        modes=_modes(entry),
    )
    if why := why_not_carried(product.base_increment, product.quote_increment):
        raise ValueError(why)
    return product


def _filters(entry: Body) -> dict[str, Body]:
    listed = entry.get("filters")
    if not isinstance(listed, list):
        raise ValueError("it has no filters")
    return {str(item.get("filterType")): item for item in listed if isinstance(item, dict)}


def _number(filters: Mapping[str, Body], kind: str, name: str) -> Decimal:
    """A number of a filter, without the zeros that the venue adds up to eight decimals."""
    if kind not in filters:
        raise ValueError(f"it has no filter {kind}")
    number = parse_number(filters[kind], name)
    if number < 0:
        raise ValueError(f"{kind}.{name} is {number}; expected zero or more")
    text = f"{number:f}"
    return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)


def _lot_step(filters: Mapping[str, Body]) -> Decimal:
    """The coarser one of both steps of a market order's quantity."""
    step = _number(filters, "LOT_SIZE", "stepSize")
    kind = "MARKET_LOT_SIZE"
    return max(step, _number(filters, kind, "stepSize")) if kind in filters else step


def _min_notional(filters: Mapping[str, Body]) -> Decimal:
    """The smallest notional of a market order; 0 if no filter bounds it."""
    bounds = [
        _number(filters, kind, "minNotional")
        for kind, flag in NOTIONALS
        if kind in filters and filters[kind].get(flag) is not False
    ]
    return max(bounds, default=Decimal(0))


def _asset(entry: Body, name: str) -> str:
    value = entry.get(name)
    if not isinstance(value, str) or not ASSET.fullmatch(value):
        raise ValueError(f"{name} is {str(value)[:40]!r}; expected a currency such as USDT")
    return value


def _status(entry: Body) -> str:
    """The arena's word for TRADING; other statuses in lower case: "halt", "break"."""
    value = entry.get("status")
    if not isinstance(value, str) or not STATUS.fullmatch(value):
        raise ValueError(f"status is {str(value)[:40]!r}; expected a word such as {TRADING!r}")
    return ONLINE if value == TRADING else value.lower()


def _modes(entry: Body) -> tuple[str, ...]:
    """Restrictions in the arena's words: no spot trading, or no market orders."""
    modes = []
    types = entry.get("orderTypes")
    if isinstance(types, list) and "MARKET" not in types:
        modes.append("limit_only")
    if entry.get("isSpotTradingAllowed") is False:
        modes.append("trading_disabled")
    return tuple(modes)
