"""REST bodies, decoded. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from arena.messages import Candle, Product
from arena.money import why_not_carried
from arena.products import base_of, quote_of, split_key
from arena.trading_modes import ONLINE, UNLISTED, UNREADABLE
from connectors.market.candles import valid_candle
from connectors.market.events import TickerSeen, TradeSeen
from connectors.market.json_bodies import (
    Body,
    RestMalformed,
    load,
    parse_integer,
    parse_number,
)
from connectors.market.listing import UNKNOWN_STEP, ProductListing
from connectors.venues._template.protocol import NAME, parse_time


def read_time(body: bytes) -> datetime:
    """The venue's time.

    Raises:
        RestMalformed: It has none.
    """
    moment = parse_time(_object(body).get("time"))
    if moment is None:
        raise RestMalformed("no time")
    return moment


def read_ticker(body: bytes, product_id: str) -> TickerSeen:
    """The quotes of a product.

    Raises:
        RestMalformed: A field is missing or not a number.
    """
    entry = _object(body)
    try:
        return TickerSeen(
            product_id,
            price=parse_number(entry, "price"),
            best_bid=parse_number(entry, "bid"),
            best_ask=parse_number(entry, "ask"),
            sequence=0,
            time=parse_time(entry.get("time")),
            trade_id=parse_integer(entry, "trade_id"),
        )
    except ValueError as error:
        raise RestMalformed(f"ticker: {error}") from None


def list_products(body: bytes, wanted: Iterable[str]) -> ProductListing:
    """The wanted products in the list of all.

    Raises:
        RestMalformed: The body is not a list.
    """
    entries = {str(entry.get("symbol")): entry for entry in _rows(body)}
    found: list[Product] = []
    rejected: dict[str, str] = {}
    for product_id in dict.fromkeys(wanted):
        entry = entries.get(split_key(product_id).symbol)
        if entry is None:
            rejected[product_id] = UNLISTED
            continue
        try:
            found.append(_product(product_id, entry))
        except ValueError as error:
            rejected[product_id] = f"{UNREADABLE}: {error}"
    online = tuple(product for product in found if product.status == ONLINE)
    closed = tuple(product for product in found if product.status != ONLINE)
    return ProductListing(online, closed, rejected)


def unknown_product(product_id: str, status: str) -> Product:
    """The rules of a product without a usable entry."""
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


def read_candles(body: bytes) -> list[Candle]:
    """The valid candles, oldest first.

    Raises:
        RestMalformed: The body is not a list.
    """
    found: dict[datetime, Candle] = {}
    for row in _rows(body):
        try:
            values = [parse_number(row, name) for name in ("open", "high", "low", "close")]
            start_s, volume = parse_integer(row, "start"), parse_number(row, "volume")
        except ValueError:
            continue
        candle = valid_candle(start_s, values[0], values[1], values[2], values[3], volume)
        if candle is not None:
            found[candle.start] = candle
    return [found[start] for start in sorted(found)]


def read_trades(body: bytes, product_id: str) -> list[TradeSeen]:
    """The valid trades, newest first.

    Raises:
        RestMalformed: The body is not a list.
    """
    found: dict[int, TradeSeen] = {}
    for row in _rows(body):
        try:
            trade_id = parse_integer(row, "trade_id")
            price, size = parse_number(row, "price"), parse_number(row, "size")
        except ValueError:
            continue
        side, time = row.get("taker"), parse_time(row.get("time"))
        if side == "buy" or side == "sell":
            found[trade_id] = TradeSeen(product_id, trade_id, price, size, 0, side, time)
    return [found[trade_id] for trade_id in sorted(found, reverse=True)]


def _product(product_id: str, entry: Body) -> Product:
    product = Product(
        venue=NAME,
        product_id=product_id,
        base_currency=base_of(product_id),
        quote_currency=quote_of(product_id),
        base_increment=parse_number(entry, "quantity_step"),
        quote_increment=parse_number(entry, "price_step"),
        min_market_funds=parse_number(entry, "min_notional"),
        status=str(entry.get("status"))[:40],
    )
    if why := why_not_carried(product.base_increment, product.quote_increment):
        raise ValueError(why)
    return product


def _object(body: bytes) -> Mapping[str, object]:
    entry = load(body)
    if not isinstance(entry, dict):
        raise RestMalformed("expected an object")
    return entry


def _rows(body: bytes) -> list[Body]:
    rows = load(body)
    if not isinstance(rows, list):
        raise RestMalformed("expected a list")
    return [row for row in rows if isinstance(row, dict)]
