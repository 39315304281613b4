"""The venue's REST API without sockets: one GET to one response. Pure.

Same paths, parameters, bodies and errors as Coinbase Exchange: candles are arrays of numbers,
newest first, both ends inclusive, at most 300, with the open bucket, without buckets in which
nothing traded.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import orjson

from arena.money import decimal_text
from connectors.simulator.coinbase.feed_session import iso
from connectors.simulator.listing import DELISTED, ListedProduct, listed_product
from connectors.simulator.simulated_market import ProductState, SimulatedMarket
from connectors.simulator.venue_protocol import RestResponse

GRANULARITIES: Final = (60, 300, 900, 3600, 21_600, 86_400)
ROWS_MAX: Final = 300
TRADES_MAX: Final = 1_000
"""Most rows of a page of trades, and the default."""
TOO_MANY: Final = (
    "granularity too small for the requested time range. "
    f"Count of aggregations requested exceeds {ROWS_MAX}"
)


def respond(market: SimulatedMarket, target: str, at: datetime) -> RestResponse:
    """The response to `GET target` at a venue time."""
    url = urlsplit(target)
    query = dict(parse_qsl(url.query))
    parts = [part for part in url.path.split("/") if part]
    if parts == ["time"]:
        return _json({"iso": iso(at), "epoch": at.timestamp()})
    if parts == ["products"]:
        return _json(_products(market))
    if len(parts) == 3 and parts[0] == "products" and parts[1] in market.products:
        state = market.products[parts[1]]
        if parts[2] == "ticker":
            return _ticker(state)
        if parts[2] == "trades":
            return _trades(state, query)
        if parts[2] == "candles":
            return _candles(market, parts[1], query)
    return error_response(404, "NotFound")


def error_response(
    status: int, message: str, headers: Mapping[str, str] | None = None
) -> RestResponse:
    """An error response with a message in the venue's format."""
    return RestResponse(status, orjson.dumps({"message": message}), headers=headers or {})


def _json(body: object, headers: Mapping[str, str] | None = None) -> RestResponse:
    return RestResponse(200, orjson.dumps(body), headers=headers or {})


def _products(market: SimulatedMarket) -> list[dict[str, object]]:
    listed = [_entry(state) for state in market.products.values() if not state.unlisted]
    return listed + [_product(listed_product(gone), "delisted") for gone in DELISTED]


def _entry(state: ProductState) -> dict[str, object]:
    """A product's present entry in the list; a mode without a flag adds one."""
    flags = dict.fromkeys(state.modes, True)
    return _product(state.price_path.product, state.status) | flags | state.terms


def _product(product: ListedProduct, status: str) -> dict[str, object]:
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


def _ticker(state: ProductState) -> RestResponse:
    if not state.prints or state.tick is None:
        return error_response(404, "NotFound")
    last = state.prints[-1]
    return _json(
        {
            "ask": decimal_text(state.tick.ask),
            "bid": decimal_text(state.tick.bid),
            "volume": decimal_text(state.volume_24h),
            "trade_id": last.trade_id,
            "price": decimal_text(last.trade.price),
            "size": decimal_text(last.trade.size),
            "time": iso(last.at),
        }
    )


def _trades(state: ProductState, query: Mapping[str, str]) -> RestResponse:
    """A page, newest first: the newest trades below `after` and above `before`, both exclusive.

    The headers carry the page's first and last id as cursors, unless the page is empty.
    """
    after, before = _whole(query.get("after")), _whole(query.get("before"))
    limit = min(_whole(query.get("limit")) or TRADES_MAX, TRADES_MAX)
    rows = [
        p
        for p in reversed(state.prints)
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


def _candles(market: SimulatedMarket, product_id: str, query: Mapping[str, str]) -> RestResponse:
    granularity = _whole(query.get("granularity", "60"))
    if granularity not in GRANULARITIES:
        return error_response(400, "Unsupported granularity")
    start, end = _moment(query.get("start")), _moment(query.get("end"))
    if start is None or end is None:
        end = market.now_s
        start = end - (ROWS_MAX - 1) * granularity
    if (end - start) // granularity > ROWS_MAX:
        return error_response(400, TOO_MANY)
    rows = (
        f"[{bucket},{bar.low:f},{bar.high:f},{bar.open:f},{bar.close:f},{bar.volume:f}]"
        for bucket, bar in market.candles(product_id, granularity, start, end)
    )
    return RestResponse(200, f"[{','.join(rows)}]".encode())


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else None


def _moment(text: str | None) -> int | None:
    """A parameter as Unix seconds; it is either seconds or ISO 8601."""
    if (seconds := _whole(text)) is not None:
        return seconds
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
