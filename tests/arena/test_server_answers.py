"""What servers answer to `GET /models`: never more than a warning, unless all calls would fail."""

import json
from typing import Any

import pytest

from arena.findings import FindingState
from arena.messages import PromptSize
from arena.server_answers import (
    ServerAnswer,
    address_finding,
    context_finding,
    context_of,
    key_finding,
    model_finding,
)

URL = "http://host/v1/models"


def answer(status: int, value: Any = None, *, url: str = URL) -> ServerAnswer:  # Any: JSON
    """An answer with a JSON body, or with bytes as they are."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return ServerAnswer(url, status, body, latency_ms=12.0)


@pytest.mark.parametrize(
    ("seen", "state", "message"),
    [
        (answer(200, {"data": []}), "ok", "answers in 12 ms"),
        (answer(401, {}), "ok", "answers in 12 ms"),
        (answer(404, {}), "ok", "lists no models (404)"),
        (answer(405), "ok", "lists no models (405)"),
        (answer(501), "ok", "lists no models (501)"),
        (answer(503, {"error": {"message": "Loading model"}}), "warning", "503 Loading model"),
        (answer(429), "warning", "answers 429"),
        (answer(301, b""), "warning", "are scheme, host and path"),
        (answer(200, b"<!DOCTYPE html>"), "warning", "often ends with /v1"),
        (answer(404, {}, url="http://host/models"), "warning", "often ends with /v1"),
        (ServerAnswer(URL, error="reset"), "warning", "connected, but GET is not answered"),
        (ServerAnswer(URL, error="refused", connected=False), "broken", "cannot be reached"),
    ],
)
def test_only_an_address_without_a_server_is_broken(
    seen: ServerAnswer, state: str, message: str
) -> None:
    """Many servers list no models; the message names the whole URL."""
    found = address_finding(seen)

    assert state == found.state
    assert message in found.text
    assert seen.url in found.detail


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (answer(200, {"data": []}), "ok"),
        (answer(401, {"error": {"message": "Incorrect API key provided"}}), "broken"),
        (answer(400, [{"error": {"message": "API key not valid. Please pass one."}}]), "broken"),
        (answer(400, {"error": "Invalid API key"}), "broken"),
        (answer(400, {"error": "unknown path"}), None),
        (answer(403, {"error": "no access"}), "warning"),
        (answer(404, {}), None),
        (answer(503, {}), None),
        (answer(200, b"<html>"), None),
    ],
)
def test_refused_key_is_broken(seen: ServerAnswer, state: str | None) -> None:
    """401, or a 400 that speaks of the key; a 403 may be about models alone."""
    found = key_finding(seen, variable="MY_KEY", given=True)

    assert state == (found and found.state)
    if found is not None and found.state is FindingState.BROKEN:
        assert "MY_KEY" in found.remedy
        assert "auth" == found.cause


def test_server_without_key_is_ok() -> None:
    """An answer that asks for the missing key is explained."""
    fine = key_finding(answer(200, {}), variable="K", given=False)
    asked = key_finding(answer(401, b"no"), variable="K", given=False)

    assert fine is not None
    assert (FindingState.OK, "none was sent, none is required") == (fine.state, fine.detail)
    assert asked is not None
    assert "no key was sent" in asked.detail


@pytest.mark.parametrize(
    ("listed", "wanted", "state"),
    [
        ({"data": [{"id": "llama3:latest"}]}, "llama3", "ok"),
        ({"data": [{"id": "models/gemini-3"}]}, "gemini-3", "ok"),
        ({"data": [{"id": "openai/*"}]}, "openai/gpt-5", "ok"),
        ({"models": [{"name": "a"}]}, "a", "ok"),
        ([{"id": "a"}], "a", "ok"),
        ({"data": [{"id": "a"}]}, "b", "warning"),
        ({"data": []}, "b", "ok"),
        ({"data": [7, {"id": 7}, None]}, "b", "ok"),
        ({"data": "none"}, "b", "ok"),
    ],
)
def test_model_is_searched_in_list(listed: object, wanted: str, state: str) -> None:
    """The formats of several servers are read; an empty list has no meaning."""
    assert state == model_finding(answer(200, listed), wanted).state


def test_missing_model_is_reported_with_similar_names() -> None:
    """The message has at most three names, the nearest first, and the number of the others."""
    names = ["gpt-5-mini", "gpt-5-nano", "gpt-5", "whisper", "dall-e"]
    found = model_finding(answer(200, {"data": [{"id": n} for n in names]}), "gpt5-nano")

    assert "'gpt5-nano' is not one of the 5 models" in found.detail
    assert found.remedy.startswith("it lists gpt-5-nano, ")
    assert found.remedy.endswith(" and 2 more")


@pytest.mark.parametrize(
    ("value", "tokens"),
    [
        ({"data": [{"id": "m", "max_model_len": 4096}]}, 4096),
        ({"data": [{"id": "m", "context_length": 8192, "top_provider": {}}]}, 8192),
        ({"data": [{"id": "m", "context_window": 131072}]}, 131072),
        ({"data": [{"id": "m", "max_context_length": 32768}]}, 32768),
        ({"data": [{"id": "m", "meta": {"n_ctx_train": 2048}}]}, 2048),
        ({"data": [{"id": "m", "meta": {"n_ctx": 512, "n_ctx_train": 2048}}]}, 512),
        ({"data": [{"id": "m", "max_context_length": 9, "loaded_context_length": 4}]}, 4),
        ({"data": [{"model_name": "m", "model_info": {"max_input_tokens": 99}}]}, 99),
        ({"default_generation_settings": {"n_ctx": 2048}}, 2048),
        ({"data": [{"id": "other", "max_model_len": 7}]}, 7),
        ({"data": [{"id": "a", "max_model_len": 7}, {"id": "b"}]}, None),
        ({"data": [{"id": "m", "max_model_len": True, "n_ctx": -1}]}, None),
        ({"data": [{"id": "m", "max_model_len": "4096"}]}, None),
        ({}, None),
    ],
)
def test_context_length_is_found_under_many_names(value: object, tokens: int | None) -> None:
    """vLLM, OpenRouter, Groq, Mistral, llama.cpp, LM Studio and LiteLLM; the live one first."""
    assert tokens == context_of(answer(200, value), "m")


@pytest.mark.parametrize(
    ("tokens", "prompt", "products", "state", "remedy"),
    [
        (131_072, "full", 3, "ok", ""),
        (8_192, "full", 1, "ok", ""),
        (8_192, "full", 3, "warning", 'set prompt = "compact"'),
        (2_048, "full", 1, "warning", 'set prompt = "tiny"'),
        (2_048, "compact", 1, "warning", 'set prompt = "tiny"'),
        (2_048, "tiny", 3, "ok", ""),
        (1_024, "tiny", 1, "warning", "start the server with a larger context"),
        (1_024, "full", 1, "warning", 'set prompt = "tiny"'),
    ],
)
def test_short_context_suggests_smaller_prompt(
    tokens: int, prompt: PromptSize, products: int, state: str, remedy: str
) -> None:
    """The next size that fits, else a larger context."""
    found = context_finding(tokens, prompt, products)

    assert state == found.state
    assert found.remedy.startswith(remedy)


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b'{"error": 7}', b"null", b"[1]" * 10])
def test_any_body_is_handled(body: bytes) -> None:
    """No finding raises an error for any answer."""
    for status in (200, 400, 401, 500):
        seen = answer(status, body)
        address_finding(seen)
        key_finding(seen, variable="K", given=True)

        assert context_of(seen, "m") is None
        assert FindingState.OK is model_finding(seen, "m").state
