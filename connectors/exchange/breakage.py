"""How the simulated exchange breaks things: odd frames, and connections that end."""

from collections.abc import Iterable
from typing import Final

import orjson
from websockets.asyncio.server import ServerConnection

from connectors.exchange.desk import ticker_frame
from connectors.exchange.faults import Fault
from connectors.exchange.market import Market

BIG_FRAME_BYTES: Final = 5_000_000
ABNORMAL: Final = 1006
"""A close code no peer may send: the connection is cut instead."""
HTML: Final = (
    b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body></body></html>"
)
GARBAGE: Final = '{"type":"ticker","price":'
_CHEAPER: Final = 1000


def frame(market: Market, product: str, kind: str, earlier: str | None) -> str:
    """A frame that should not be.

    Args:
        market: Its sequence number moves on for a bad print.
        product: Which product it is about.
        kind: "big_frame", "bad_print", "reorder" or "garbage".
        earlier: The last ticker frame that was sent, for "reorder".
    """
    if kind == "big_frame":
        return '{"type":"status","padding":"' + "x" * BIG_FRAME_BYTES + '"}'
    if kind == "garbage":
        return GARBAGE
    book = market.books[product]
    text = ticker_frame(market, product) or GARBAGE
    if kind == "reorder":
        body = orjson.loads(earlier or text)
        body["sequence"] -= 1
        return orjson.dumps(body).decode()
    book.sequence += 1
    body = orjson.loads(ticker_frame(market, product) or "{}")
    for name, price in (
        ("price", book.prints[-1].trade.price if book.prints else 0),
        ("best_bid", book.tick.bid if book.tick else 0),
        ("best_ask", book.tick.ask if book.tick else 0),
    ):
        body[name] = f"{price / _CHEAPER:f}"
    return orjson.dumps(body).decode()


async def disconnect(connections: Iterable[ServerConnection], fault: Fault) -> None:
    """End every connection: with the fault's close code, or cut without a goodbye."""
    for connection in list(connections):
        if fault.kind == "drop" or fault.code == ABNORMAL:
            connection.transport.abort()
        else:
            await connection.close(fault.code, "as requested")
