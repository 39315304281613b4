"""The REST side of the venue without sockets: one GET to one answer. Pure.

Same paths, parameters, bodies and errors as Coinbase Exchange: candles are arrays of numbers,
newest first, both ends included, at most 300, the open bucket among them, none where nothing
traded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import orjson

from arena.money import decimal_text
from connectors.exchange.desk import iso
from connectors.exchange.listing import DELISTED, Listed, listed
from connectors.exchange.market import Book, Market

GRANULARITIES: Final = (60, 300, 900, 3600, 21_600, 86_400)
ROWS_MAX: Final = 300
TRADES_MAX: Final = 1_000
"""Rows of a page of trades, also where no limit is asked for."""
JSON: Final = "application/json; charset=utf-8"
TOO_MANY: Final = (
    "granularity too small for the requested time range. "
    f"Count of aggregations requested exceeds {ROWS_MAX}"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


def answer(market: Market, target: str, at: datetime) -> Answer:
    """Answer `GET target` at a venue time."""
    url = urlsplit(target)
    query = dict(parse_qsl(url.query))
    parts = [part for part in url.path.split("/") if part]
    if parts == ["time"]:
        return _json({"iso": iso(at), "epoch": at.timestamp()})
    if parts == ["products"]:
        return _json(_products(market))
    if len(parts) == 3 and parts[0] == "products" and parts[1] in market.books:
        book = market.books[parts[1]]
        if parts[2] == "ticker":
            return _ticker(book)
        if parts[2] == "trades":
            return _trades(book, query)
        if parts[2] == "candles":
            return _candles(market, parts[1], query)
    return problem(404, "NotFound")


def problem(status: int, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    """An error as the venue words it."""
    return Answer(status, orjson.dumps({"message": message}), headers=headers or {})


def _json(body: object, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(200, orjson.dumps(body), headers=headers or {})


def _products(market: Market) -> list[dict[str, object]]:
    living = [_listed(book) for book in market.books.values() if not book.unlisted]
    return living + [_product(listed(gone), "delisted") for gone in DELISTED]


def _listed(book: Book) -> dict[str, object]:
    """A product as it is listed now; a mode that is not among the flags is one flag more."""
    flags = dict.fromkeys(book.modes, True)
    return _product(book.tape.product, book.status) | flags | book.terms


def _product(product: Listed, status: str) -> dict[str, object]:
    return {
        "id": product.product_id,
        "base_currency": product.base_currency,
        "quote_currency": product.quote_currency,
        "quote_increment": decimal_text(product.quote_increment),
        "base_increment": decimal_text(product.base_increment),
        "display_name": product.product_id.replace("-", "/"),
        "min_market_funds": decimal_text(product.min_market_funds),
        "margin_enabled": False,
        "post_only": False,
        "limit_only": False,
        "cancel_only": False,
        "status": status,
        "status_message": "",
        "trading_disabled": status != "online",
        "fx_stablecoin": False,
        "max_slippage_percentage": "0.03000000",
        "auction_mode": False,
    }


def _ticker(book: Book) -> Answer:
    if not book.prints or book.tick is None:
        return problem(404, "NotFound")
    last = book.prints[-1]
    return _json(
        {
            "ask": decimal_text(book.tick.ask),
            "bid": decimal_text(book.tick.bid),
            "volume": decimal_text(book.volume_24h),
            "trade_id": last.trade_id,
            "price": decimal_text(last.trade.price),
            "size": decimal_text(last.trade.size),
            "time": iso(last.at),
        }
    )


def _trades(book: Book, query: Mapping[str, str]) -> Answer:
    """A page, newest first: the newest below `after` and above `before`, ids not included.

    The headers carry the page's first and last id as cursors, where it has any.
    """
    after, before = _whole(query.get("after")), _whole(query.get("before"))
    limit = min(_whole(query.get("limit")) or TRADES_MAX, TRADES_MAX)
    rows = [
        p
        for p in reversed(book.prints)
        if (after is None or p.trade_id < after) and (before is None or p.trade_id > before)
    ][:limit]
    cursors = (
        {"CB-BEFORE": str(rows[0].trade_id), "CB-AFTER": str(rows[-1].trade_id)} if rows else {}
    )
    return _json(
        [
            {
                "trade_id": p.trade_id,
                "side": "sell" if p.trade.taker_side == "buy" else "buy",
                "size": decimal_text(p.trade.size),
                "price": decimal_text(p.trade.price),
                "time": iso(p.at),
            }
            for p in rows
        ],
        cursors,
    )


def _candles(market: Market, product_id: str, query: Mapping[str, str]) -> Answer:
    granularity = _whole(query.get("granularity", "60"))
    if granularity not in GRANULARITIES:
        return problem(400, "Unsupported granularity")
    start, end = _moment(query.get("start")), _moment(query.get("end"))
    if start is None or end is None:
        end = market.now_s
        start = end - (ROWS_MAX - 1) * granularity
    if (end - start) // granularity > ROWS_MAX:
        return problem(400, TOO_MANY)
    rows = (
        f"[{bucket},{bar.low:f},{bar.high:f},{bar.open:f},{bar.close:f},{bar.volume:f}]"
        for bucket, bar in market.candles(product_id, granularity, start, end)
    )
    return Answer(200, f"[{','.join(rows)}]".encode())


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else None


def _moment(text: str | None) -> int | None:
    """Unix seconds of a parameter in either form, seconds or ISO 8601."""
    if (seconds := _whole(text)) is not None:
        return seconds
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
