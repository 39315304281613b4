"""Requests to the feed of Binance spot, within its limits. Pure.

A connection may send five messages a second (pings and pongs count) and listen to 1,024 streams.
Source: "WebSocket Limits", github.com/binance/binance-spot-api-docs, web-socket-streams.md. The
venue acknowledges a request by its id. It also acknowledges streams of symbols that do not exist,
and sends nothing on them, so an acknowledgement does not prove that a product is listed.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, Literal

import orjson

from connectors.venues.binance.symbols import symbol_of

STREAMS: Final = ("bookTicker", "kline_1m", "miniTicker")
"""The streams of a product."""
PULSE: Final = "btcusdt@miniTicker"
"""A stream that always moves: it is subscribed to as well, so that silence means a dead feed."""
BATCH_STREAMS_MAX: Final = 60
"""Most streams of one request, about 1,500 bytes. The venue documents no limit."""
MESSAGES_PER_S_MAX: Final = 3
"""Of the venue's five messages a second; pings and pongs need the rest."""

Verb = Literal["SUBSCRIBE", "UNSUBSCRIBE"]


def streams_of(product_id: str) -> tuple[str, ...]:
    """Names of a product's streams, such as "btcusdt@bookTicker"."""
    symbol = symbol_of(product_id).lower()
    return tuple(f"{symbol}@{stream}" for stream in STREAMS)


def request_text(verb: Verb, streams: Sequence[str], request_id: int) -> str:
    """The JSON text of a request."""
    return orjson.dumps({"method": verb, "params": list(streams), "id": request_id}).decode()


def batches_of(product_ids: Iterable[str]) -> list[tuple[str, ...]]:
    """The products in batches of at most `BATCH_STREAMS_MAX` streams."""
    unique = list(dict.fromkeys(product_ids))
    size = BATCH_STREAMS_MAX // len(STREAMS)
    return [tuple(unique[start : start + size]) for start in range(0, len(unique), size)]


class Outbox:
    """Texts to send, released at most `MESSAGES_PER_S_MAX` a second."""

    def __init__(self) -> None:
        """Create an empty outbox."""
        self._waiting: deque[str] = deque()
        self._sent_s: deque[float] = deque(maxlen=MESSAGES_PER_S_MAX)

    def put(self, text: str) -> None:
        """Queue a text."""
        self._waiting.append(text)

    def release(self, now_s: float) -> list[str]:
        """The texts that may be sent now."""
        texts: list[str] = []
        while self._waiting:
            full = len(self._sent_s) == MESSAGES_PER_S_MAX
            if full and now_s - self._sent_s[0] < 1.0:
                break
            self._sent_s.append(now_s)
            texts.append(self._waiting.popleft())
        return texts
