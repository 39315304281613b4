"""A key that a server repeats, in any encoding, is in no record and no log line."""

import base64
import html
import json
import urllib.parse
from collections.abc import Callable

import orjson
import pytest
from structlog.testing import capture_logs

from arena.bus.memory import MemoryBus
from arena.messages import ChatReply, LlmCall
from arena.redaction import NO_SECRETS, Secrets
from chat_nodes.model import ModelSettings
from chat_nodes.node import ChatNodeSettings
from chat_nodes.providers.openai_compatible import OpenAICompatibleModel
from chat_nodes.redaction import WITHHELD, decode_redacted
from chat_nodes.request_handler import CallLimits
from tests.chat_nodes.example_requests import request
from tests.chat_nodes.running_node import calls, now, replies, send, serving
from tests.chat_nodes.stub_server import Behaviour, http, stub_server

KEY = "sk-very+sec/ret<AB>C&=0123_x"
SECRETS = Secrets([KEY])


def unicode_escaped(text: str) -> str:
    """All characters but letters and digits as JSON escapes."""
    return "".join(c if c.isalnum() else f"\\u{ord(c):04x}" for c in text)


def all_escaped(text: str) -> str:
    """All characters as JSON escapes."""
    return "".join(f"\\u{ord(c):04X}" for c in text)


def in_json_twice(text: str) -> str:
    """A JSON text inside a JSON text."""
    return json.dumps(json.dumps(unicode_escaped(text)))


def slashes_escaped(text: str) -> str:
    """With slashes escaped, as PHP writes JSON."""
    return text.replace("/", "\\/")


def numbered(text: str) -> str:
    """All characters as numeric HTML entities."""
    return "".join(c if c.isalnum() else f"&#{ord(c)};" for c in text)


def html_twice(text: str) -> str:
    """HTML inside HTML."""
    return html.escape(html.escape(text))


def in_url(text: str) -> str:
    """As part of a URL."""
    return urllib.parse.quote(text, safe="")


def in_base64(text: str) -> str:
    """As in a basic login."""
    return base64.b64encode(text.encode()).decode()


WRITINGS: list[Callable[[str], str]] = [
    str,
    unicode_escaped,
    all_escaped,
    in_json_twice,
    slashes_escaped,
    html.escape,
    numbered,
    html_twice,
    in_url,
    in_base64,
]


@pytest.mark.parametrize("written", WRITINGS)
def test_every_encoding_is_redacted(written: Callable[[str], str]) -> None:
    """The text around the key stays; no part of the key does."""
    text = f"before {written(KEY)} after"

    assert "sec" not in SECRETS.hide(text)
    assert SECRETS.hide(text).startswith("before ")
    assert SECRETS.hide(text).endswith(" after")
    assert SECRETS.hide(text).encode() == SECRETS.hide_bytes(text.encode())


def test_hexadecimal_digits_match_in_both_cases() -> None:
    """Servers write both."""
    assert "***" == SECRETS.hide(in_url(KEY).replace("%2B", "%2b").replace("%3C", "%3c"))


def test_long_key_is_redacted() -> None:
    """A token of two thousand characters with escaped signs."""
    key = "eyJhbGci-OiJSUzI1_NiIsInR5.cCI6" * 65

    assert "***" == Secrets([key]).hide(unicode_escaped(key))


def test_other_text_is_unchanged() -> None:
    """A placeholder key hides nothing, and bytes that are not text are returned unchanged."""
    body = bytes(range(256)) + "現金".encode()

    assert body == SECRETS.hide_bytes(body)
    assert "no-key, please" == Secrets(["no-key"]).hide("no-key, please")
    assert not NO_SECRETS


def test_deep_value_is_searched_within_bounds() -> None:
    """Neither recursion nor the depth of an answer ends the node."""
    deep: object = KEY
    for _ in range(900):
        deep = [deep]

    assert KEY not in str(SECRETS.hide_json(deep))
    assert ({"***": ["***", 1]}, True) == SECRETS.hide_json({KEY: [KEY, 1]})


def sse(*deltas: dict[str, object]) -> bytes:
    """A stream of pieces."""
    found = b""
    for delta in deltas:
        choice = {"index": 0, "delta": delta, "finish_reason": None}
        found += b"data: " + orjson.dumps({"choices": [choice]}) + b"\n\n"
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    return found + b"data: " + orjson.dumps(end) + b"\n\ndata: [DONE]\n\n"


def piece(arguments: str, **call: object) -> dict[str, object]:
    """A piece of a tool call."""
    name = {"name": "execute_trade"} if call else {}
    inner = {"index": 0, "function": {**name, "arguments": arguments}, **call}
    return {"tool_calls": [inner]}


HALVES = (KEY[:9], KEY[9:])
SPLIT = {
    "text": sse({"content": f"I hold {HALVES[0]}"}, {"content": HALVES[1]}),
    "thought": sse(
        {"reasoning_content": HALVES[0]}, {"reasoning_content": HALVES[1]}, {"content": "I hold."}
    ),
    "arguments": sse(piece(f'{{"a": "{HALVES[0]}', id="c1"), piece(f'{HALVES[1]}"}}')),
    "utf-16": json.dumps({"choices": [{"message": {"content": KEY}}]}).encode("utf-16"),
}


@pytest.mark.parametrize("body", SPLIT.values(), ids=SPLIT)
def test_key_in_pieces_is_redacted_after_decoding(body: bytes) -> None:
    """The bytes alone do not show it."""
    assert body == SECRETS.hide_bytes(body)
    decoded, held = decode_redacted(body, SECRETS, ("execute_trade",))

    assert (KEY not in str(decoded), held) == (True, True)
    assert "***" in str(decoded)


def test_answer_without_a_secret_is_unchanged() -> None:
    """It is not withheld."""
    decoded, held = decode_redacted(sse({"content": "I hold."}), SECRETS, ())

    assert ("I hold.", False) == (decoded.text, held)


async def logged_answer(
    bus: MemoryBus, behaviour: Behaviour
) -> tuple[ChatReply, LlmCall, list[dict[str, object]]]:
    """One call end to end, with everything that was logged at every level."""
    async with stub_server(behaviour) as stub:
        model = OpenAICompatibleModel(ModelSettings("m-1", stub.base_url, KEY))
        with capture_logs() as lines:
            limits = CallLimits(timeout_s=5.0, max_retries=1)
            settings = ChatNodeSettings(limits=limits)
            async with serving(bus, model, settings):
                await send(bus, request(issued_at=now()))
                (reply,) = await replies(bus)
                (call,) = await calls(bus)
        await model.close()
    assert lines
    return reply, call, [dict(line) for line in lines]


def readable_text(*things: object) -> str:
    """Everything as text, also with its escapes decoded."""
    text = " ".join(map(str, things))
    plain = text.replace("\\\\", "\\").replace("\\/", "/")
    return f"{text} {urllib.parse.unquote(html.unescape(plain))}"


@pytest.mark.parametrize("status", ["401 No", "400 No", "200 OK"])
@pytest.mark.parametrize("written", [str, unicode_escaped, slashes_escaped, html.escape, in_url])
async def test_repeated_key_is_in_no_record(
    memory_bus: MemoryBus, written: Callable[[str], str], status: str
) -> None:
    """An error that repeats the key, under its own status and under 200."""
    body = f'{{"error": {{"message": "bad key {written(KEY)}", "code": "{written(KEY)}"}}}}'
    reply, call, lines = await logged_answer(memory_bus, http(body.encode(), status))

    assert "***" in reply.error
    for form in {KEY, KEY[8:], written(KEY)}:
        assert form not in readable_text(reply.model_dump_json(), call.model_dump_json(), lines)
        assert form not in readable_text(reply.error, call.errors, call.raw_response)


@pytest.mark.parametrize("body", SPLIT.values(), ids=SPLIT)
async def test_key_in_pieces_is_in_no_record(memory_bus: MemoryBus, body: bytes) -> None:
    """The raw answer is not kept, and the record has the reason and the hash."""
    reply, call, lines = await logged_answer(memory_bus, http(body))

    assert KEY not in readable_text(reply.model_dump(), call.model_dump(), lines)
    assert ("", True, True) == (
        call.raw_response,
        call.raw_truncated,
        bool(call.raw_response_sha256),
    )
    assert WITHHELD in call.error


async def test_encoded_key_in_an_error_is_in_no_record(memory_bus: MemoryBus) -> None:
    """The bytes of the refusal do not show the key."""
    body = json.dumps({"error": {"message": f"bad key {KEY}"}}).encode("utf-16")
    reply, call, lines = await logged_answer(memory_bus, http(body, "401 No"))

    assert KEY not in readable_text(reply.model_dump(), call.model_dump(), lines)
    assert KEY[9:] not in call.raw_response.replace("\x00", "")
