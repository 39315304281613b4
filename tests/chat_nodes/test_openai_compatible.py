"""The OpenAI-compatible client with a real local server that misbehaves in many ways."""

import asyncio
import gzip
import hashlib
import subprocess
import sys
import time
import zlib
from datetime import UTC, datetime
from urllib.parse import urlsplit

import orjson
import pytest

from arena.chat_body import chat_body, chat_body_sha256
from arena.clock import ManualClock
from arena.messages import Cause, ChatMessage, ChatRequest, RequestedCall, Sampling
from chat_nodes.decode import TOOL_CALLS_MAX, decode_reply
from chat_nodes.dialect import options_of
from chat_nodes.model import CallFailed, ModelSettings, RawReply, SentRequest
from chat_nodes.profiles import first_dialect
from chat_nodes.providers.openai_compatible import OpenAICompatibleModel
from chat_nodes.seeds import call_seed
from tests.chat_nodes.example_requests import request
from tests.chat_nodes.stub_server import (
    Behaviour,
    StubServer,
    completion,
    cut,
    endless,
    garbage,
    hang,
    http,
    reset,
    stall,
    stub_server,
)

KEY = "sk-planted-0123456789abcdef"
NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


async def attempt(
    *plan: Behaviour, timeout_s: float = 5.0, key: str = KEY
) -> tuple[RawReply | CallFailed, StubServer]:
    """One attempt on a server with these behaviours."""
    async with stub_server(*plan) as stub:
        settings = ModelSettings("m-1", stub.base_url, key)
        model = OpenAICompatibleModel(settings, clock=ManualClock(NOW))
        try:
            return await model.complete(request(), timeout_s=timeout_s), stub
        finally:
            await model.close()


async def failed_attempt(*plan: Behaviour, timeout_s: float = 5.0) -> CallFailed:
    """An attempt that must fail."""
    result, _ = await attempt(*plan, timeout_s=timeout_s)
    assert isinstance(result, CallFailed)
    return result


async def test_body_is_returned_unchanged() -> None:
    """The hash is of the request, and the key is in a header only."""
    result, stub = await attempt(http(completion("hi", calls=2)))
    head, sent = stub.requests[0]

    assert RawReply(completion("hi", calls=2), SentRequest(sent, {})) == result
    assert hashlib.sha256(sent).hexdigest() == chat_body_sha256("m-1", request(), {})
    assert "post /v1/chat/completions http/1.1" in head.lower()
    assert f"authorization: bearer {KEY}" in head.lower()
    assert "accept-encoding: identity" in head.lower()
    assert KEY.encode() not in sent


async def test_connection_is_kept_alive() -> None:
    """Ten calls in a row need one connection."""
    async with stub_server(http(completion())) as stub:
        model = OpenAICompatibleModel(ModelSettings("m", stub.base_url, KEY))
        for _ in range(10):
            await model.complete(request(), timeout_s=5)
        await model.close()

    assert (10, 1) == (len(stub.requests), stub.connections)


def request_body(made: ChatRequest, settings: ModelSettings) -> bytes:
    """The request body."""
    dialect = first_dialect(urlsplit(settings.base_url).hostname or "", settings.model_id)
    return chat_body(settings.model_id, made, options_of(dialect, made, settings))


def test_request_follows_the_protocol() -> None:
    """Messages, tools, results and settings are in the Chat Completions format."""
    call = RequestedCall(model_call_id="c1", name="calculator", arguments="{}")
    later = (
        ChatMessage(role="assistant", tool_calls=(call,)),
        ChatMessage(role="tool", content="4", tool_call_id="c1"),
    )
    sampling = Sampling(temperature=0.0, seed=7, max_completion_tokens=900)
    made = request(later=later, sampling=sampling)
    settings = ModelSettings("o4", reasoning_effort="low", max_completion_tokens=500)
    body = orjson.loads(request_body(made, settings))

    assert ["system", "user", "assistant", "tool"] == [m["role"] for m in body["messages"]]
    function = {"name": "calculator", "arguments": "{}"}
    assert {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": function}],
    } == body["messages"][2]
    assert {"role": "tool", "tool_call_id": "c1", "content": "4"} == body["messages"][3]
    assert ["execute_trade", "get_portfolio", "calculator"] == [
        t["function"]["name"] for t in body["tools"]
    ]
    rest = {k: v for k, v in body.items() if k not in ("messages", "tools")}
    assert {
        "model": "o4",
        "temperature": 0.0,
        "seed": call_seed(made),
        "max_completion_tokens": 500,
        "reasoning_effort": "low",
    } == rest


def test_other_servers_get_max_tokens() -> None:
    """Servers that imitate OpenAI know `max_tokens`; without a cap neither name is sent."""
    local = ModelSettings("m", "http://127.0.0.1:1/v1", max_completion_tokens=50)
    body = orjson.loads(request_body(request(tools=()), local))
    uncapped = orjson.loads(request_body(request(tools=()), ModelSettings("m")))

    assert (50, False, False) == (
        body["max_tokens"],
        "max_completion_tokens" in body,
        "tools" in body,
    )
    assert {"model", "messages"} == set(uncapped)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "Sat, 21 Nov 2026 09:30:30 GMT"}, 30.0),
    ],
)
async def test_status_429_is_retryable(headers: dict[str, str], wait_s: float | None) -> None:
    """The provider's own wait is used."""
    body = b'{"error": {"message": "slow down", "code": "rate_limit_exceeded"}}'
    failed = await failed_attempt(http(body, "429 Too Many Requests", headers))

    assert (True, wait_s) == (failed.retryable, failed.retry_after_s)
    assert failed.reason.endswith("/v1/chat/completions answered 429; slow down")
    assert Cause.RATE_LIMIT is failed.cause


@pytest.mark.parametrize(
    ("status", "body", "retryable", "message"),
    [
        ("500 Oops", b"<html>oops</html>", True, "answered 500; oops; a page came instead"),
        ("503 Busy", b'{"detail": "loading"}', True, "answered 503; loading"),
        ("403 No", b'{"error": {"message": "not you"}}', False, "answered 403; not you; may"),
        ("401 No", b"", False, "see --api-key-env"),
        ("404 No", b'{"error": "no model m-1"}', False, "no model m-1; are --model-id and"),
        ("429 No", b'{"error": {"code": "insufficient_quota"}}', False, "answered 429"),
        ("302 Found", b"", False, "answered 302"),
    ],
)
async def test_error_status_has_a_reason_and_a_remedy(
    status: str, body: bytes, retryable: bool, message: str
) -> None:
    """The reason has the status, the provider's text and a remedy."""
    failed = await failed_attempt(http(body, status))

    assert retryable == failed.retryable
    assert message in failed.reason
    assert failed.body == body


@pytest.mark.parametrize("behaviour", [hang, stall])
async def test_silent_server_times_out(behaviour: Behaviour) -> None:
    """Neither a missing answer nor a stalled body holds a worker longer than the timeout."""
    began = time.monotonic()
    failed = await failed_attempt(behaviour, timeout_s=0.3)

    assert (True, Cause.TIMEOUT) == (failed.retryable, failed.cause)
    assert failed.reason.endswith("/v1/chat/completions gave no whole answer within 0.3 s")
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("behaviour", [cut, reset, garbage])
async def test_broken_connection_is_retryable(behaviour: Behaviour) -> None:
    """A body that ends early, a reset, and bytes that are not HTTP."""
    failed = await failed_attempt(behaviour)

    assert (True, Cause.UNREACHABLE) == (failed.retryable, failed.cause)
    assert "/v1/chat/completions failed (" in failed.reason


async def test_refused_connection_shows_the_url() -> None:
    """The error has the whole URL and names the flag."""
    settings = ModelSettings("m", "http://127.0.0.1:1/v1/?api-version=7")
    model = OpenAICompatibleModel(settings)
    failed = await model.complete(request(), timeout_s=5)
    await model.close()

    assert isinstance(failed, CallFailed)
    assert failed.retryable
    assert "the connection to http://127.0.0.1:1/v1/chat/completions failed (" in failed.reason
    assert failed.reason.endswith("is --base-url right?")


@pytest.mark.parametrize("behaviour", [http(completion("x" * 10_000_000)), endless])
async def test_oversized_body_is_cut_off(behaviour: Behaviour) -> None:
    """Ten megabytes, or an endless error page; neither is requested again."""
    failed = await failed_attempt(behaviour)

    assert (False, Cause.UNUSABLE_ANSWER) == (failed.retryable, failed.cause)
    assert failed.reason.endswith(": the answer is longer than 4,194,304 bytes")


PACKED = {
    "gzip": gzip.compress(completion("hi")),
    "x-gzip": gzip.compress(completion("hi")),
    "deflate": zlib.compress(completion("hi")),
    "gzip, identity": gzip.compress(completion("hi")),
}


@pytest.mark.parametrize(
    ("encoding", "body"), [*PACKED.items(), ("gzip", completion("hi")), ("br", completion("hi"))]
)
async def test_compressed_answer_is_unpacked(encoding: str, body: bytes) -> None:
    """It was paid for, even if it was not requested or its label is wrong."""
    result, _ = await attempt(http(body, headers={"content-encoding": encoding}))

    assert isinstance(result, RawReply)
    assert completion("hi") == result.body


@pytest.mark.parametrize(
    ("encoding", "body", "message"),
    [
        ("gzip", b"\x1f\x8b", "cannot be unpacked"),
        ("gzip", PACKED["gzip"][:-40], "cannot be unpacked"),
        ("br", b"\x0b\x02\x80", "cannot be unpacked"),
        ("gzip", gzip.compress(bytes(5_000_000), mtime=0), "unpacks to more than 4,194,304 bytes"),
    ],
)
async def test_undecodable_encoding_is_retryable(encoding: str, body: bytes, message: str) -> None:
    """A small compressed body could unpack to any size, so unpacking is bounded."""
    failed = await failed_attempt(http(body, headers={"content-encoding": encoding}))

    assert (True, Cause.UNUSABLE_ANSWER) == (failed.retryable, failed.cause)
    assert f"the answer is {encoding}-encoded, unasked, and" in failed.reason
    assert message in failed.reason


async def test_compressed_refusal_is_unpacked() -> None:
    """Its text counts; if it cannot be unpacked, its status counts."""
    packed = gzip.compress(b'{"error": {"message": "slow down"}}')
    failed = await failed_attempt(http(packed, "429 No", {"content-encoding": "gzip"}))
    broken = await failed_attempt(http(packed[:-9], "429 No", {"content-encoding": "gzip"}))

    assert (Cause.RATE_LIMIT, Cause.RATE_LIMIT) == (failed.cause, broken.cause)
    assert failed.reason.endswith("answered 429; slow down")


@pytest.mark.parametrize("status", ["201 Created", "202 Accepted", "206 Partial Content"])
async def test_answer_under_another_2xx_status_is_used(status: str) -> None:
    """A paid answer is not discarded for its status."""
    result, _ = await attempt(http(completion("hi"), status))

    assert isinstance(result, RawReply)


async def test_ten_thousand_tool_calls_are_bounded() -> None:
    """They are received, and sixteen are kept."""
    body = orjson.loads(completion(calls=10_000))
    for number, call in enumerate(body["choices"][0]["message"]["tool_calls"]):
        call["id"] = f"call_{number}"
    result, _ = await attempt(http(orjson.dumps(body)))

    assert isinstance(result, RawReply)
    assert TOOL_CALLS_MAX == len(decode_reply(result.body).tool_calls)


@pytest.mark.parametrize("status", ["200 OK", "401 No"])
async def test_repeated_key_is_removed(status: str) -> None:
    """A server that repeats the key cannot bring it into a topic."""
    body = orjson.dumps({"error": {"message": f"wrong key {KEY}"}})
    result, _ = await attempt(http(body, status))
    text = result.body.decode() + (result.reason if isinstance(result, CallFailed) else "")

    assert "wrong key ***" in text
    assert KEY not in text


async def test_cancelled_call_frees_its_connection() -> None:
    """With one connection allowed, the next call still succeeds."""
    async with stub_server(hang, http(completion())) as stub:
        settings = ModelSettings("m", stub.base_url, KEY, max_connections=1)
        model = OpenAICompatibleModel(settings)
        task = asyncio.create_task(model.complete(request(), timeout_s=60))
        async with asyncio.timeout(5):
            while not stub.requests:
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        result = await model.complete(request(), timeout_s=5)
        await model.close()

    assert isinstance(result, RawReply)


def test_only_the_provider_loads_openai() -> None:
    """The module imports by itself; the node and the scripted model load no `openai`."""
    alone = "import chat_nodes.providers.openai_compatible as m; m.open_model"
    without = (
        "import sys, chat_nodes.cli, chat_nodes.node, chat_nodes.scripted.model;"
        "assert not {'openai', 'httpx2', 'numpy', 'pandas'} & set(sys.modules)"
    )
    for code in (alone, without):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

        assert (0, "") == (done.returncode, done.stderr)


@pytest.mark.parametrize(
    ("behaviour", "paid"),
    [
        (http(b'{"choices": [{"message": {"content": null}, "finish_reason": "x"}]}'), "answer"),
        (http(b""), "answer"),
        (http(b'{"error": {"message": "busy", "code": 503}}'), "nothing"),
        (http(completion(), "500 Oops"), "nothing"),
        (http(b'{"error": "no"}', "400 No"), "nothing"),
        (hang, "prompt"),
        (stall, "prompt"),
    ],
)
async def test_failed_attempt_states_what_may_be_billed(behaviour: Behaviour, paid: str) -> None:
    """An unusable answer is billed, a refusal is not, a late answer may be."""
    assert paid == (await failed_attempt(behaviour, timeout_s=0.3)).paid


@pytest.mark.parametrize("status", ["401 No", "403 No"])
async def test_unset_key_is_reported(status: str) -> None:
    """The placeholder that was sent is not reported as a wrong key."""
    body = b'{"error": {"message": "Incorrect API key provided: no-key"}}'
    async with stub_server(http(body, status)) as stub:
        settings = ModelSettings("m-1", stub.base_url, key_variable="MY_KEY")
        model = OpenAICompatibleModel(settings)
        failed = await model.complete(request(), timeout_s=5)
        await model.close()

    assert isinstance(failed, CallFailed)
    assert "the environment variable MY_KEY is not set, so no key was sent" in failed.reason
    assert failed.reason.endswith(failed.remedy)
    assert "api_key_env" in failed.remedy
    assert "--api-key-env" in failed.remedy
    assert "Incorrect" not in failed.reason
