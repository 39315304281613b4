"""One client's requests to Binance's streams, answered. Pure.

Like the real venue, it acknowledges streams of symbols that do not exist, and sends nothing on
them. A connection has at most 1,024 streams.
"""

from typing import Final

import orjson

from connectors.simulator.binance.wire import product_of

STREAMS_MAX: Final = 1_024
ID_CHARS_MAX: Final = 36
INVALID_REQUEST: Final = 2
INVALID_JSON: Final = 3
METHODS: Final = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS")


def error_frame(code: int, message: str, request_id: object = None) -> str:
    """An error, with the id of the request if it had a valid one."""
    body: dict[str, object] = {"error": {"code": code, "msg": message}}
    return orjson.dumps(body | ({} if request_id is None else {"id": request_id})).decode()


class StreamSession:
    """One client's streams.

    Attributes:
        pairs: Pairs (kind of stream, product) that the client gets.
    """

    def __init__(self) -> None:
        """Create a session without streams."""
        self.pairs: set[tuple[str, str]] = set()

    def wants(self, channels: tuple[str, ...], product_id: str) -> bool:
        """True if the client gets one of the kinds of streams for the product."""
        return any((channel, product_id) in self.pairs for channel in channels)

    def on_message(self, text: str | bytes, *, forget: str | None = None) -> list[str]:
        """Handle a request.

        Args:
            text: The request.
            forget: A product; a request that names it is carried out but not acknowledged (a
                fault).

        Returns:
            Frames for this client: the acknowledgement or an error.
        """
        try:
            body = orjson.loads(text)
        except orjson.JSONDecodeError:
            return [error_frame(INVALID_JSON, "Invalid JSON: expected value at line 1 column 1")]
        if not isinstance(body, dict) or "method" not in body:
            return [error_frame(INVALID_REQUEST, "Invalid request: missing field `method`")]
        request_id = body.get("id")
        if not _is_id(request_id):
            return [error_frame(INVALID_REQUEST, "Invalid request: request ID must be valid")]
        method, params = body["method"], body.get("params", [])
        if method not in METHODS:
            message = f"Invalid request: unknown variant `{str(method)[:40]}`"
            return [error_frame(INVALID_REQUEST, message, request_id)]
        if method == "LIST_SUBSCRIPTIONS":
            streams = sorted(_stream(pair) for pair in self.pairs)
            return [_result(streams, request_id)]
        if not isinstance(params, list) or not all(isinstance(p, str) for p in params):
            message = "Invalid request: params must be a list of strings"
            return [error_frame(INVALID_REQUEST, message, request_id)]
        pairs = {_pair(stream) for stream in params}
        changed = self.pairs | pairs if method == "SUBSCRIBE" else self.pairs - pairs
        if len(changed) > STREAMS_MAX:
            message = f"Invalid request: more than {STREAMS_MAX} streams"
            return [error_frame(INVALID_REQUEST, message, request_id)]
        self.pairs = changed
        if forget is not None and any(product == forget for _, product in pairs):
            return []
        return [_result(None, request_id)]


def _is_id(value: object) -> bool:
    if isinstance(value, str):
        return value.isalnum() and len(value) <= ID_CHARS_MAX
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


def _result(result: object, request_id: object) -> str:
    return orjson.dumps({"result": result, "id": request_id}).decode()


def _pair(stream: str) -> tuple[str, str]:
    """A stream's kind and product: ("kline_1m", "binance:BTCUSDT") of "btcusdt@kline_1m"."""
    symbol, _, kind = stream.partition("@")
    # Symbols are in lower case here; one in upper case is another stream, which has no data.
    return kind, product_of(
        symbol.upper() if symbol.islower() or symbol.isdigit() else symbol + "?"
    )


def _stream(pair: tuple[str, str]) -> str:
    return f"{pair[1].partition(':')[2].lower()}@{pair[0]}"
