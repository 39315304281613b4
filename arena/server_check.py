"""The quick check of a model server: address, key, model and context length.

Sends `GET <base>/models`, which is free, and to local servers also requests for the context length
(llama.cpp's `/props`, LM Studio's `/api/v0/models`, LiteLLM's `/model/info`). The key is sent only
to its own server, and is masked in the server's answers.
"""

import asyncio
import os
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import get_args
from urllib.parse import urlsplit, urlunsplit

import httpx

from arena.endpoint import authorizes, can_be_sent, unsendable_text
from arena.findings import Finding, broken
from arena.messages import Cause, PromptSize
from arena.redaction import Secrets
from arena.server_answers import (
    ServerAnswer,
    address_finding,
    context_finding,
    context_of,
    has_live_context,
    key_finding,
    model_finding,
)

OPENAI_URL = "https://api.openai.com/v1"
PROMPT_VARIABLE = "ARENA_CHECK_PROMPT"
"""Prompt size and number of products of a chat node's agents, for its check: "tiny:3"."""
CONNECT_TIMEOUT_S = 3.0
ANSWER_TIMEOUT_S = 3.0
BODY_BYTES_MAX = 4 * 1024 * 1024
ANTHROPIC_HOST = "api.anthropic.com"
CONTEXT_PATHS = ("/props", "/api/v0/models", "/model/info")
ERROR_CHARS_MAX = 120


@dataclass(frozen=True, slots=True)
class ServerTarget:
    """A model server to check.

    Attributes:
        model_id: Model id, as the provider spells it.
        base_url: Base URL; "" for OpenAI.
        key: Sent as a bearer token; "" sends none.
        variable: The environment variable of the key.
        headers: Extra headers, resolved.
        prompt: Size of the prompts that the model will get.
        products: Number of products in a prompt.
    """

    model_id: str
    base_url: str = ""
    key: str = field(default="", repr=False)
    variable: str = "OPENAI_API_KEY"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    prompt: PromptSize = "full"
    products: int = 1


def parse_prompt_variable(text: str) -> tuple[PromptSize, int]:
    """Parse the value of `PROMPT_VARIABLE`; a full prompt of one product by default."""
    size, _, products = text.partition(":")
    sizes: tuple[PromptSize, ...] = get_args(PromptSize)
    known = next((name for name in sizes if name == size), sizes[0])
    return known, int(products) if products.isdigit() else 1


async def check_server(target: ServerTarget) -> list[Finding]:
    """Check address, key, model and context length, as far as the server reports them."""
    if not can_be_sent(target.key):  # here: the HTTP client would show it in its error
        return [broken("key", unsendable_text(target.variable), cause=Cause.AUTH)]
    base = (target.base_url or OPENAI_URL).rstrip("/")
    async with httpx.AsyncClient(
        headers=_headers(target, base),
        timeout=httpx.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
        follow_redirects=False,
        verify=_trusted(),
    ) as client:
        secrets = Secrets.of(target.key, target.headers)
        answer = await _get(client, f"{base}/models", secrets)
        found = [address_finding(answer)]
        if not answer.status:
            return found
        given = bool(target.key) or authorizes(target.headers)
        key = key_finding(answer, variable=target.variable, given=given)
        if key is not None:
            found.append(key)
        found.append(model_finding(answer, target.model_id))
        tokens = await _context(client, base, answer, target, secrets)
    if tokens is not None:
        found.append(context_finding(tokens, target.prompt, target.products))
    return found


@cache
def _trusted() -> ssl.SSLContext:
    """Cached: loading the certificate authorities takes longer than a request to a near server."""
    return httpx.create_ssl_context()


async def _context(
    client: httpx.AsyncClient,
    base: str,
    answer: ServerAnswer,
    target: ServerTarget,
    secrets: Secrets,
) -> int | None:
    """The context length; a local server gets more requests if the list does not have it."""
    listed = context_of(answer, target.model_id)
    if urlsplit(base).scheme != "http" or has_live_context(answer) or answer.status >= 400:
        return listed
    parts = urlsplit(base)
    root = urlunsplit((parts.scheme, parts.netloc, parts.path.removesuffix("/v1"), "", ""))
    answers = await asyncio.gather(*(_get(client, root + path, secrets) for path in CONTEXT_PATHS))
    live = (context_of(each, target.model_id) for each in answers)
    return next((tokens for tokens in live if tokens is not None), listed)


async def _get(client: httpx.AsyncClient, url: str, secrets: Secrets) -> ServerAnswer:
    """One GET within the time-outs; does not raise for errors of the server."""
    started_s = time.monotonic()
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S + ANSWER_TIMEOUT_S):
            async with client.stream("GET", url) as response:
                body = b""
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > BODY_BYTES_MAX:
                        break
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError, httpx.InvalidURL) as error:
        return ServerAnswer(url, error=_words(error), connected=False)
    except (httpx.HTTPError, TimeoutError, ValueError) as error:
        return ServerAnswer(url, error=_words(error))
    latency_ms = (time.monotonic() - started_s) * 1000
    return ServerAnswer(url, response.status_code, secrets.hide_bytes(body), latency_ms=latency_ms)


def _headers(target: ServerTarget, base: str) -> dict[str, str]:
    found = {"User-Agent": "arena", "Accept-Encoding": "identity"}
    if target.key:
        found["Authorization"] = f"Bearer {target.key}"
        if urlsplit(base).hostname == ANTHROPIC_HOST:  # its list wants its own headers
            found |= {"x-api-key": target.key, "anthropic-version": "2023-06-01"}
    own = {name.lower() for name in target.headers}
    return {k: v for k, v in found.items() if k.lower() not in own} | dict(target.headers)


def _words(error: BaseException) -> str:
    """A short text for an exception: the system's message, if there is one."""
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        limit_s = CONNECT_TIMEOUT_S if isinstance(error, httpx.ConnectTimeout) else ANSWER_TIMEOUT_S
        return f"no answer within {limit_s:g} s"
    message = _system_error(error) or " ".join(str(error).split())
    return message[:ERROR_CHARS_MAX] or type(error).__name__


def _system_error(error: BaseException, depth: int = 8) -> str:
    """The system's message for an error, which HTTP clients wrap several times."""
    if isinstance(error, OSError) and error.strerror and error.errno is not None:
        plain = isinstance(error, ConnectionError) and error.errno > 0
        return os.strerror(error.errno) if plain else error.strerror
    causes: list[BaseException] = []
    if isinstance(error, BaseExceptionGroup):
        causes += error.exceptions
    causes += [inner for inner in (error.__cause__, error.__context__) if inner is not None]
    if depth <= 0:
        return ""
    return next((message for inner in causes if (message := _system_error(inner, depth - 1))), "")
