"""Pages of trades of the Coinbase Exchange REST API, decoded. Pure.

`GET /products/{id}/trades` gives the newest trades first, at most 1,000 a page; `after` requests
the page of older ids. (`before` gives the newest page above an id, not the next one, so it is not
used.) Source: Coinbase Exchange, "Get product trades" and "Pagination"
(docs.cdp.coinbase.com/exchange/rest-api/pagination).
"""

from collections.abc import Mapping
from typing import Final

from connectors.market.events import Side, TradeSeen
from connectors.market.json_bodies import INTEGER_MAX, RestMalformed, parse_number, read_rows
from connectors.venues.coinbase.protocol import PRODUCT_ID, parse_time

TAKER_OF: Final[Mapping[object, Side]] = {"buy": "sell", "sell": "buy"}
"""Maker's side, which the venue gives -> taker's side."""


def read_trades(body: bytes | str, product_id: str) -> tuple[list[TradeSeen], int]:
    """The trades of `GET /products/{id}/trades`, newest first, one per id.

    Returns:
        The trades, without sequence numbers (0), and the number of invalid rows.

    Raises:
        RestMalformed: The body is not a list.
    """
    if not PRODUCT_ID.fullmatch(product_id):
        raise RestMalformed("trades: expected a list")
    trades, wrong = read_rows(
        body, "trades", lambda row: _trade(row, product_id), lambda trade: trade.trade_id
    )
    return trades[::-1], wrong


def _trade(row: object, product_id: str) -> TradeSeen | None:
    if not isinstance(row, dict):
        return None
    trade_id, taker = row.get("trade_id"), TAKER_OF.get(str(row.get("side")))
    if type(trade_id) is not int or not 0 <= trade_id <= INTEGER_MAX or taker is None:
        return None
    try:
        price, size = parse_number(row, "price"), parse_number(row, "size")
    except ValueError:
        return None
    if price <= 0 or size < 0:
        return None
    time = parse_time(row.get("time"))
    return TradeSeen(product_id, trade_id, price, size, sequence=0, taker_side=taker, time=time)
