"""A model that answers at once from a real HTTP endpoint with the Chat Completions protocol.

`python -m operations.bench.stub_model [--calls N]` prints its port and serves until terminated. A
request whose last message is a tool result gets closing text; any other gets N calls of
`execute_trade`. It uses asyncio's bare protocol, so that the measured cost is the arena's.
"""

import argparse
import asyncio
import json
from typing import cast

from operations.bench.market import PRODUCTS

HEADER_END = b"\r\n\r\n"
TOOL_MESSAGE = b'"role":"tool"'
BODY_BYTES_MAX = 4_000_000


def _answer(message: dict[str, object], finish_reason: str) -> bytes:
    body = json.dumps(
        {
            "id": "chatcmpl-stub",
            "object": "chat.completion",
            "created": 1_790_000_000,
            "model": "stub",
            "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
            "usage": {"prompt_tokens": 3100, "completion_tokens": 30, "total_tokens": 3130},
        }
    ).encode()
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def closing_answer() -> bytes:
    """Return the HTTP response that ends a turn."""
    return _answer({"role": "assistant", "content": "Done: a small step with the trend."}, "stop")


def trading_answer(calls: int) -> bytes:
    """Return the HTTP response with calls of `execute_trade`."""
    tool_calls = [
        {
            "id": f"call_{n}",
            "type": "function",
            "function": {
                "name": "execute_trade",
                "arguments": json.dumps(
                    {"product_id": PRODUCTS[n % len(PRODUCTS)], "quantity": "0.01", "action": "buy"}
                ),
            },
        }
        for n in range(calls)
    ]
    return _answer({"role": "assistant", "content": None, "tool_calls": tool_calls}, "tool_calls")


class StubModel(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, trading: bytes, closing: bytes) -> None:
        """Create the connection.

        Args:
            trading: The response with tool calls.
            closing: The response that ends the turn.
        """
        self._trading = trading
        self._closing = closing
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Save the transport."""
        # uvloop's transports are not subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Answer every complete request in the buffer."""
        self._buffer += data
        while self._transport and (body := self._take_request()) is not None:
            self._transport.write(self._closing if TOOL_MESSAGE in body else self._trading)

    def _take_request(self) -> bytes | None:
        end = self._buffer.find(HEADER_END)
        if end < 0:
            return None
        at = self._buffer.lower().find(b"content-length:", 0, end)
        length = int(self._buffer[at + 15 : self._buffer.find(b"\r\n", at)]) if at >= 0 else 0
        if length > BODY_BYTES_MAX and self._transport is not None:
            self._transport.abort()
            return None
        start = end + len(HEADER_END)
        if len(self._buffer) < start + length:
            return None
        body = bytes(self._buffer[start : start + length])
        del self._buffer[: start + length]
        return body


async def serve(calls: int) -> None:
    """Print the port, then serve until cancelled."""
    loop = asyncio.get_running_loop()
    trading, closing = trading_answer(calls), closing_answer()
    server = await loop.create_server(lambda: StubModel(trading, closing), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """Run the stub."""
    import uvloop

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1, help="Number of tool calls in one answer.")
    uvloop.run(serve(parser.parse_args().calls))


if __name__ == "__main__":
    main()
