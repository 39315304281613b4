"""One real HTTP server that behaves like any of twelve providers, selected by the path.

    python -m tests.chat_nodes.provider_server      prints its port; http://127.0.0.1:PORT/groq/v1

Every provider behaves in the same way: the first request meets a transient fault; the first
conversation begins with a call whose arguments are not JSON; then the account is requested, an
order is placed, and the turn ends with a text. Requests are checked as strictly as by the provider.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.chat_nodes.provider_checks import rounds_of
from tests.chat_nodes.provider_profiles import PROVIDERS, Provider

ORDER = '{"product_id": "BTC-USD", "quantity": "0.01", "action": "buy"}'
BROKEN = '{"product_id": "BTC-USD", "quantity": 0.'
DONE = "Bought a little."


@dataclass
class Providers:
    """The requests to the providers, and their refusals.

    Attributes:
        base_url: URL without the provider's own path.
        refused: Provider -> messages of its refusals, in order.
        request_counts: Provider -> number of requests.
    """

    base_url: str = ""
    refused: dict[str, list[str]] = field(default_factory=dict)
    request_counts: Counter[str] = field(default_factory=Counter)
    conversations: Counter[str] = field(default_factory=Counter)

    def address(self, name: str) -> str:
        """The base URL of one provider."""
        return f"{self.base_url}/{name}/v1"

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        name = request.match_info["provider"]
        provider = PROVIDERS.get(name)
        if provider is None:
            return web.json_response({"detail": "Not Found"}, status=404)
        body = await request.json()
        self.request_counts[name] += 1
        for check in provider.checks:
            if (refused := check(body)) is not None:
                self.refused.setdefault(name, []).append(refused.message)
                return _response(provider, refused.status, provider.error(refused))
        if not self.conversations[name]:
            self.conversations[name] = 1
            fault = provider.error(provider.fault)
            status = provider.fault_status or provider.fault.status
            return _response(provider, status, fault, dict(provider.fault_headers))
        return self._answer(provider, rounds_of(body))

    def _answer(self, provider: Provider, round_: int) -> web.Response:
        """The model's answer: in its first conversation it begins with a malformed call."""
        if round_ == 0:
            self.conversations[provider.name] += 1
            if self.conversations[provider.name] == 2:
                return _broken(provider)
            return _response(provider, 200, completion(provider, [("get_portfolio", "{}")]))
        if round_ == 1:
            return _response(provider, 200, completion(provider, [("execute_trade", ORDER)]))
        return _response(provider, 200, completion(provider, [], DONE))


def completion(provider: Provider, calls: list[tuple[str, str]], text: str = "") -> object:
    """An answer in a provider's format."""
    # Any: JSON.
    message: dict[str, Any] = {"role": "assistant", "content": text or None, **provider.message}
    if not calls:
        message["content"] = text
    tool_calls = []
    for number, (name, arguments) in enumerate(calls):
        function = {"name": name, "arguments": arguments}
        # Some use the same id in every round, or none (OpenRouter's upstreams).
        extra = provider.call if number == 0 else {}
        tool_calls.append(
            {"id": _id(provider, number), "type": "function", "function": function, **extra}
        )
    if tool_calls:
        message["tool_calls"] = tool_calls
    finish = provider.finish if tool_calls else "stop"
    choice = {"index": 0, "message": message, "finish_reason": finish}
    value: dict[str, Any] = {"id": "x", "object": "chat.completion", "choices": [choice]}
    return {**value, "usage": dict(provider.usage)} if provider.usage else value


def _id(provider: Provider, number: int) -> str:
    return provider.ids.format(number) if provider.ids else ""


def _broken(provider: Provider) -> web.Response:
    if provider.broken == "tool_use_failed":
        error = {"message": "Failed to call a function.", "code": "tool_use_failed"}
        written = "<function=get_portfolio>{}</function>"
        return _response(provider, 400, {"error": {**error, "failed_generation": written}})
    if provider.broken == "text":
        call = json.dumps({"name": "get_portfolio", "arguments": {}})
        text = f"[TOOL_REQUEST]{call}[END_TOOL_REQUEST]"
        return _response(provider, 200, completion(provider, [], text))
    return _response(provider, 200, completion(provider, [("execute_trade", BROKEN)]))


def _response(
    provider: Provider, status: int, value: object, headers: dict[str, str] | None = None
) -> web.Response:
    return web.Response(
        body=provider.prefix + json.dumps(value).encode(),
        status=status,
        headers=headers,
        content_type="application/json" if status < 400 else "application/octet-stream",
    )


@asynccontextmanager
async def provider_server() -> AsyncIterator[Providers]:
    """Run the server on a free port."""
    providers = Providers()
    app = web.Application()
    app.router.add_post("/{provider}/v1/chat/completions", providers.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    providers.base_url = f"http://127.0.0.1:{port}"
    try:
        yield providers
    finally:
        await runner.cleanup()


async def _serve() -> None:
    async with provider_server() as providers:
        print(providers.base_url.rpartition(":")[2], flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())
