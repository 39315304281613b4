"""What the faults of the simulated exchange do: invalid frames, and connections that end."""

from collections.abc import Iterable
from typing import Final

import orjson
from websockets.asyncio.server import ServerConnection

from connectors.simulator.faults import VenueFault
from connectors.simulator.feed_session import ticker_frame
from connectors.simulator.simulated_market import SimulatedMarket

BIG_FRAME_BYTES: Final = 5_000_000
ABNORMAL: Final = 1006
"""A close code that must not be sent: the connection is cut instead."""
HTML: Final = (
    b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body></body></html>"
)
GARBAGE: Final = '{"type":"ticker","price":'
_CHEAPER: Final = 1000


def faulty_frame(market: SimulatedMarket, product: str, kind: str, earlier: str | None) -> str:
    """A frame that the real venue should not send.

    Args:
        market: The market; a bad print advances the product's sequence number.
        product: Id of the product that the frame is about.
        kind: "big_frame", "bad_print", "reorder" or "garbage".
        earlier: The last ticker frame that was sent, for "reorder".
    """
    if kind == "big_frame":
        return '{"type":"status","padding":"' + "x" * BIG_FRAME_BYTES + '"}'
    if kind == "garbage":
        return GARBAGE
    state = market.products[product]
    text = ticker_frame(market, product) or GARBAGE
    if kind == "reorder":
        body = orjson.loads(earlier or text)
        body["sequence"] -= 1
        return orjson.dumps(body).decode()
    state.sequence += 1
    body = orjson.loads(ticker_frame(market, product) or "{}")
    for name, price in (
        ("price", state.prints[-1].trade.price if state.prints else 0),
        ("best_bid", state.tick.bid if state.tick else 0),
        ("best_ask", state.tick.ask if state.tick else 0),
    ):
        body[name] = f"{price / _CHEAPER:f}"
    return orjson.dumps(body).decode()


async def disconnect(connections: Iterable[ServerConnection], fault: VenueFault) -> None:
    """End every connection with the fault's close code, or cut it without a close frame."""
    for connection in list(connections):
        if fault.kind == "drop" or fault.code == ABNORMAL:
            connection.transport.abort()
        else:
            await connection.close(fault.code, "as requested")
