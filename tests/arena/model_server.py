"""A model server for checks: lists models, answers two rounds, and can be set to misbehave."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from threading import Thread

HEAD_END = b"\r\n\r\n"
LISTED = {"data": [{"id": "toy", "max_model_len": 131_072}, {"id": "other"}]}


@dataclass
class ModelServer:
    """How the server answers, and the requests that it received.

    Attributes:
        models_status: The status of `GET /models`; 0 drops the connection instead.
        models: The body of `GET /models`.
        chat_status: The status of a chat call.
        calls: Tool calls in the first answer.
        usage: Token counts in an answer.
        extra: Bodies of other paths.
        base_url: The address of the running server.
        heads: The heads of the received requests.
        bodies: The bodies of the received calls.
    """

    models_status: int = 200
    models: object = field(default_factory=lambda: LISTED)
    chat_status: int = 200
    calls: int = 2
    usage: bool = True
    extra: dict[str, object] = field(default_factory=dict)
    base_url: str = ""
    heads: list[str] = field(default_factory=list)
    bodies: list[dict[str, object]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        try:
            head = (await reader.readuntil(HEAD_END)).decode()
            self.heads.append(head)
            path = head.split(" ")[1]
            if head.startswith("POST"):
                length = int(head.lower().split("content-length:")[1].split("\r\n")[0])
                body = json.loads(await reader.readexactly(length))
                self.bodies.append(body)
                status, answer = self.chat_status, self._answer(body)
            elif path.endswith("/models") and path not in self.extra:
                status, answer = self.models_status, self.models
            else:
                status, answer = (200 if path in self.extra else 404), self.extra.get(path, {})
            if status:
                sent = json.dumps(answer).encode()
                line = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n"
                line += f"content-length: {len(sent)}\r\nconnection: close\r\n\r\n"
                writer.write(line.encode() + sent)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, body: dict[str, object]) -> object:
        if self.chat_status != 200:
            return {"error": {"message": "not this time", "code": self.chat_status}}
        messages = body["messages"]
        assert isinstance(messages, list)
        message: dict[str, object] = {"role": "assistant", "content": "67203.60 and 3120.05."}
        if messages[-1]["role"] != "tool" and self.calls:
            arguments = [json.dumps({"product_id": p}) for p in ("BTC-USD", "ETH-USD")]
            message = {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": f"call_{n}",
                        "type": "function",
                        "function": {"name": "get_price", "arguments": arguments[n]},
                    }
                    for n in range(self.calls)
                ],
            }
        finish = "tool_calls" if "tool_calls" in message else "stop"
        choice = {"index": 0, "message": message, "finish_reason": finish}
        counted = {"usage": {"prompt_tokens": 100, "completion_tokens": 20}}
        return {"id": "x", "choices": [choice], **(counted if self.usage else {})}


@asynccontextmanager
async def serving(server: ModelServer) -> AsyncIterator[ModelServer]:
    """The server on a free port of loopback."""
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.base_url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
    try:
        yield server
    finally:
        listening.close()


@contextmanager
def serving_in_thread(server: ModelServer) -> Iterator[ModelServer]:
    """The same for tests that run commands."""
    loop = asyncio.new_event_loop()
    listening = loop.run_until_complete(asyncio.start_server(server.serve, "127.0.0.1", 0))
    server.base_url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(listening.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def closed_port() -> int:
    """A port of loopback on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
