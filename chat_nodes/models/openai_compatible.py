"""Any server that speaks the Chat Completions protocol, through `openai`'s async client.

The only module that knows `openai` 3.52 and its HTTP layers, `httpx2` over `aiohttp`. It takes the
client's short way: `AsyncOpenAI.post` with a body that orjson wrote, and the raw response back. The
resource methods (`chat.completions.create`) over the default transport do the same request with
2.5 times the CPU, spent on copying the request through typed dictionaries, the response into
pydantic models, and HTTP in pure Python; `docs/performance.md`.

Bounds: one total time per attempt (a stalled body ends with it), `RESPONSE_BYTES_MAX` of body, no
compressed bodies (none are asked for), no retry inside the client.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

import aiohttp
import httpx2
import openai
import orjson

from arena.chat_body import Options
from arena.messages import ChatRequest
from chat_nodes.decode import ERROR_CHARS_MAX, clean_text
from chat_nodes.models.base import Asked, CallFailed, ModelSettings, RawReply, ask
from chat_nodes.retries import retry_after_s

OPENAI_BASE_URL = "https://api.openai.com/v1"
PLACEHOLDER_KEY = "no-key"
"""Sent to servers that ask for no key: the client insists on one."""
CONNECT_TIMEOUT_S = 10.0
RESPONSE_BYTES_MAX = 4 * 1024 * 1024
"""No model writes this much in one answer; a server that does is cut off."""
SECRET_CHARS_MIN = 8
"""A shorter key is a placeholder, and hiding it would blank ordinary words."""
RETRYABLE_STATUS = frozenset({408, 409, 425, 429})

REMEDIES = {
    401: "is the key right? see --api-key-env",
    403: "may this key use the model? see --api-key-env and --model-id",
    404: "are --model-id and --base-url right?",
    413: "the prompt is too long for this server",
}


class BodyRefused(httpx2.TransportError):
    """A response body we will not read: too long, or compressed though plain was asked for."""


class BoundedBody(httpx2.AsyncByteStream):
    """A response body that ends with `BodyRefused` when it grows beyond the bound."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        """Wrap the body of a response that was not read yet."""
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The chunks of the body."""
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > RESPONSE_BYTES_MAX:
                raise BodyRefused(f"the answer is longer than {RESPONSE_BYTES_MAX:,} bytes")
            yield chunk

    async def aclose(self) -> None:
        """Give the connection back."""
        await self._stream.aclose()


async def _bound_body(response: httpx2.Response) -> None:
    encoding = response.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise BodyRefused(f"the answer is {clean_text(encoding, 20)}-encoded, unasked")
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    response.stream = BoundedBody(response.stream)


def request_options(request: ChatRequest, settings: ModelSettings) -> Options:
    """What is asked for besides the answer itself.

    The cap on completion tokens is the smaller of the request's and the node's. OpenAI calls it
    `max_completion_tokens`; the servers that imitate it know the older `max_tokens`.
    """
    sampling = request.sampling
    caps = [c for c in (sampling.max_completion_tokens, settings.max_completion_tokens) if c]
    options = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
        "reasoning_effort": settings.reasoning_effort or None,
        "max_tokens" if settings.base_url else "max_completion_tokens": min(caps, default=None),
    }
    return {name: value for name, value in options.items() if value is not None}


class OpenAICompatibleModel:
    """One model behind one server, with a pool of kept-alive connections.

    Args:
        settings: Where it is and how it is asked.
        now: Wall time, for `Retry-After` dates.
    """

    scripted = False

    def __init__(
        self, settings: ModelSettings, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Open the client; nothing is sent."""
        self.model_id = settings.model_id
        base_url = settings.base_url or OPENAI_BASE_URL
        self.host = urlsplit(base_url).hostname or ""
        self._settings = settings
        self._now = now
        self._secret = settings.api_key if len(settings.api_key) >= SECRET_CHARS_MIN else ""
        timeout = httpx2.Timeout(None, connect=CONNECT_TIMEOUT_S)
        self._client = openai.AsyncOpenAI(
            api_key=settings.api_key or PLACEHOLDER_KEY,
            base_url=base_url,
            max_retries=0,
            timeout=timeout,
            default_headers={"Accept-Encoding": "identity"},
            http_client=openai.DefaultAioHttpClient(
                timeout=timeout,
                limits=httpx2.Limits(
                    max_connections=settings.max_connections,
                    max_keepalive_connections=settings.max_connections,
                ),
                event_hooks={"response": [_bound_body]},
            ),
        )

    async def complete(self, request: ChatRequest, *, timeout_s: float) -> RawReply | CallFailed:
        """One attempt."""
        asked = ask(self.model_id, request, request_options(request, self._settings))
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._client.post(
                    "/chat/completions", cast_to=httpx2.Response, content=asked.content
                )
        except TimeoutError:
            return self._late(timeout_s, asked)
        except openai.APIStatusError as error:
            return self._refused(error, asked)
        except openai.APIConnectionError as error:
            if isinstance(error, openai.APITimeoutError) and not _was_cut(error):
                return self._late(timeout_s, asked)
            return self._broken(error.__cause__ or error, asked)
        except aiohttp.ClientError as error:
            # No HTTP at all came back: the client's own HTTP layer lets this error through.
            return self._broken(error, asked)
        return RawReply(self._without_key(response.content), asked)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _late(self, timeout_s: float, asked: Asked) -> CallFailed:
        reason = f"{self.host} gave no whole answer within {timeout_s:.1f} s"
        return CallFailed(reason, retryable=True, asked=asked)

    def _refused(self, error: openai.APIStatusError, asked: Asked) -> CallFailed:
        status, headers = error.status_code, error.response.headers
        body = self._without_key(error.response.content)
        said = clean_text(_said(body), ERROR_CHARS_MAX // 2)
        remedy = REMEDIES.get(status, "")
        parts = [f"{self.host} answered {status}", said, remedy]
        retryable = status in RETRYABLE_STATUS or status >= 500
        # OpenAI answers 429 both for too many requests and for an account without credit.
        if error.code == "insufficient_quota" or headers.get("x-should-retry") == "false":
            retryable = False
        return CallFailed(
            "; ".join(p for p in parts if p),
            retryable=retryable,
            retry_after_s=retry_after_s(headers.get("retry-after"), self._now()),
            asked=asked,
            body=body,
        )

    def _broken(self, cause: BaseException, asked: Asked) -> CallFailed:
        if isinstance(cause, BodyRefused):
            reason = f"{self.host}: {cause}"
            return CallFailed(reason, retryable=False, asked=asked)
        what = clean_text(self._hide(f"{type(cause).__name__} {cause}"), ERROR_CHARS_MAX // 2)
        reason = f"the connection to {self.host} failed ({what}); is --base-url right?"
        return CallFailed(reason, retryable=True, asked=asked)

    def _without_key(self, body: bytes) -> bytes:
        secret = self._secret.encode()
        return body.replace(secret, b"***") if secret and secret in body else body

    def _hide(self, text: str) -> str:
        return text.replace(self._secret, "***") if self._secret else text


def _was_cut(error: openai.APITimeoutError) -> bool:
    """True where the server hung up, which the client's HTTP layer calls a time-out."""
    origin = error.__cause__.__cause__ if error.__cause__ else None
    cut = isinstance(origin, aiohttp.ClientConnectionError)
    return cut and not isinstance(origin, aiohttp.ServerTimeoutError)


def _said(body: bytes) -> str:
    """What an error body says, in the forms that servers use, or its start."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body[:ERROR_CHARS_MAX].decode("utf-8", "replace")
    if isinstance(value, dict):
        inner = value.get("error", value)
        said = inner.get("message", inner.get("detail")) if isinstance(inner, dict) else inner
        if isinstance(said, str):
            return said
    return body[:ERROR_CHARS_MAX].decode("utf-8", "replace")


def open_model(settings: ModelSettings) -> OpenAICompatibleModel:
    """Open the model."""
    return OpenAICompatibleModel(settings)
