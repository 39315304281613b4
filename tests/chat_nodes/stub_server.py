"""A local server that misbehaves on request: raw asyncio, one behaviour per answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson

Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]

USAGE = {"prompt_tokens": 2300, "completion_tokens": 40}


def completion(content: str = "I hold.", calls: int = 0) -> bytes:
    """A valid response body."""
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "execute_trade", "arguments": '{"product_id": "BTC-USD"}'},
    }
    message = {"role": "assistant", "content": content, "tool_calls": [call] * calls}
    finish = "tool_calls" if calls else "stop"
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return orjson.dumps({"id": "x", "choices": [choice], "usage": USAGE})


def http(
    body: bytes = b"", status: str = "200 OK", headers: dict[str, str] | None = None
) -> Behaviour:
    """Answer with a status, headers and a body."""

    async def send(writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await writer.drain()

    return send


def slowly(behaviour: Behaviour, delay_s: float = 0.3) -> Behaviour:
    """Answer after a delay, as a model does."""

    async def send(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(delay_s)
        await behaviour(writer)

    return send


async def hang(writer: asyncio.StreamWriter) -> None:
    """Read the request and never answer."""
    await asyncio.sleep(3600)


async def stall(writer: asyncio.StreamWriter) -> None:
    """Send half a body, then nothing."""
    body = completion()
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body[:40])
    await writer.drain()
    await asyncio.sleep(3600)


async def cut(writer: asyncio.StreamWriter) -> None:
    """Send half a body and close."""
    body = completion()
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body[:40])
    await writer.drain()
    writer.close()


async def reset(writer: asyncio.StreamWriter) -> None:
    """Close the connection with a reset."""
    writer.transport.abort()


async def garbage(writer: asyncio.StreamWriter) -> None:
    """Answer with bytes that are not HTTP."""
    writer.write(b"\x00\xff SSH-2.0-OpenSSH\r\n\r\n")
    await writer.drain()
    writer.close()


async def endless(writer: asyncio.StreamWriter) -> None:
    """Send an endless chunked body under an error status."""
    writer.write(b"HTTP/1.1 500 Oops\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        await writer.drain()


@dataclass
class StubServer:
    """The requests to the server, and its answers.

    Attributes:
        base_url: URL for a client.
        plan: Behaviours in order; the last one is repeated.
        requests: Header text and JSON body of each request.
    """

    plan: list[Behaviour]
    base_url: str = ""
    requests: list[tuple[str, bytes]] = field(default_factory=list)
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one connection."""
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(head.lower().split("content-length:")[1].split("\r\n")[0])
                body = await reader.readexactly(length)
                behaviour = self.plan[min(len(self.requests), len(self.plan) - 1)]
                self.requests.append((head, body))
                await behaviour(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def stub_server(*plan: Behaviour) -> AsyncIterator[StubServer]:
    """Run the server on a free port."""
    stub = StubServer(list(plan))
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        await stub.serve(reader, writer)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=1 << 24)
    stub.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield stub
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
