"""Response bodies that are not valid JSON: repaired, joined, or reported."""

import json
from time import process_time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_nodes.decode import decode_reply, implied_status
from chat_nodes.lenient_json import ParsedBody, read_body

BUY = '{"quantity": "1"}'
CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "execute_trade", "arguments": BUY},
}
MESSAGE = {"role": "assistant", "content": "Going up @@", "tool_calls": [CALL]}
ANSWER = {"choices": [{"index": 0, "message": MESSAGE, "finish_reason": "tool_calls"}]}
GOOD = json.dumps(ANSWER).encode()


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (GOOD.replace(b"@@", rb"\ud83d"), "Going up \ufffd"),
        (GOOD.replace(b"@@", rb"\ude80 \\ud83d"), "Going up \ufffd \\ud83d"),
        (GOOD.replace(b"@@", rb"\ud83d\ude80 \ud83d"), "Going up \U0001f680 \ufffd"),
        (GOOD.replace(b"@@", b"\xf0\x9f\x9a"), "Going up \ufffd"),
        (GOOD.replace(b"@@", b"\xed\xa0\xbd"), "Going up \ufffd\ufffd\ufffd"),
        (GOOD.replace(b"@@", b"one\r\ntwo\x00"), "Going up one\ntwo"),
        (GOOD.replace(b"@@", rb"\x41 \u12"), "Going up \\x41 \\u12"),
        (GOOD.replace(b'"index": 0', b'"index": 0, "logprob": NaN'), "Going up @@"),
        (GOOD.replace(b'"index": 0', b'"index": 0, "logprob": -Infinity'), "Going up @@"),
        (GOOD.replace(b'"index": 0', b'"index": 0, "n": 1e999'), "Going up @@"),
        (GOOD.replace(b'"index": 0', b'"index": 0, "n": ' + b"9" * 6_000), "Going up @@"),
        (b"\xef\xbb\xbf" + GOOD, "Going up @@"),
        (GOOD.decode().encode("utf-16"), "Going up @@"),
        (b"\xfe\xff" + GOOD.decode().encode("utf-16-be"), "Going up @@"),
        (b"\n\n\r\n " + GOOD + b"\n", "Going up @@"),
        (b": keep-alive\n\n: keep-alive\n\n" + GOOD, "Going up @@"),
        (GOOD + b"\x00</html>", "Going up @@"),
        (GOOD + b'\n{"choices": []}', "Going up @@"),
        (b'{"id": "ping"}\n' + GOOD, "Going up @@"),
        (b"1f4\r\n" + GOOD + b"\r\n0\r\n", "Going up @@"),
        (b"[" + GOOD + b"]", "Going up @@"),
        (orjson.dumps(GOOD.decode()), "Going up @@"),
    ],
)
def test_malformed_body_is_repaired(raw: bytes, text: str) -> None:
    """Text and call of an answer survive one bad byte, or a wrapping, in its JSON."""
    decoded = decode_reply(raw)

    assert ("ok", text, 200) == (decoded.outcome, decoded.text, implied_status(raw))
    assert [BUY] == [call.arguments for call in decoded.tool_calls]


def test_logged_body_decodes_to_the_same_answer() -> None:
    """The log keeps bytes as UTF-8 text; reading them back gives the same answer."""
    for raw in (GOOD.replace(b"@@", b"\xf0\x9f"), GOOD.decode().encode("utf-16"), b"\xef" + GOOD):
        logged = raw.decode("utf-8", "replace").encode()

        assert decode_reply(raw) == decode_reply(logged)


@pytest.mark.parametrize(
    "raw", [b"", b" \n", b"<html>{}</html>", b'{"choices": [{"mess', b"[" * 9_999, b"Bad gateway"]
)
def test_body_without_json_is_reported(raw: bytes) -> None:
    """There is no value, and the problem has the size and the first characters."""
    body = read_body(raw)

    assert body.value is None
    assert f"is not JSON; its {len(raw):,} bytes start" in body.problem


def events(*values: object, end: bytes = b"data: [DONE]\n\n", line: str = "\n") -> bytes:
    """A body of server-sent events."""
    return "".join(f"data: {json.dumps(v)}{line}{line}" for v in values).encode() + end


def chunk(finish: object = None, usage: object = None, **delta: object) -> object:
    """One chunk with one choice."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"object": "chat.completion.chunk", "choices": [choice], "usage": usage}


def piece(arguments: str, **fields: object) -> object:
    """A chunk with a piece of a tool call."""
    name = fields.pop("name", None)
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return chunk(tool_calls=[{"function": function, **fields}])


ONE = ("c1", "execute_trade", BUY)
TWO = ("c2", "get_portfolio", "{}")


@pytest.mark.parametrize(
    ("chunks", "calls"),
    [
        ([chunk(tool_calls=[{"index": 0, **CALL}])], [ONE]),
        (
            [
                piece("", index=0, id="c1", name="execute_trade"),
                piece(BUY[:5], index=0),
                piece(BUY[5:], index=0, id=""),
                piece("{}", index=1, id="c2", name="get_portfolio"),
            ],
            [ONE, TWO],
        ),
        (
            [
                piece(BUY[:5], index=0, id="c1", name="execute_trade"),
                piece(BUY[5:], index=0, id="c1", name="execute_trade"),
                piece("{}", index=0, id="c2", name="get_portfolio"),
            ],
            [ONE, TWO],
        ),
        (
            [
                piece(BUY[:5], id="c1", name="execute_trade"),
                piece(BUY[5:]),
                piece("{}", id="c2", name="get_portfolio"),
            ],
            [ONE, TWO],
        ),
        (
            [piece(BUY, name="execute_trade"), piece(BUY, name="execute_trade")],
            [("call_0", *ONE[1:]), ("call_1", *ONE[1:])],
        ),
        (
            [
                piece(BUY[:5], index=3, id="c1", name="execute_trade"),
                piece("{", index=7, id="c2", name="get_portfolio"),
                piece(BUY[5:], index=3),
                piece("}", index=7),
            ],
            [ONE, TWO],
        ),
        (
            [
                chunk(function_call={"name": "execute_trade", "arguments": BUY[:5]}),
                chunk(function_call={"arguments": BUY[5:]}),
            ],
            [("call_0", *ONE[1:])],
        ),
    ],
)
def test_tool_calls_of_a_stream_are_joined(
    chunks: list[object], calls: list[tuple[str, str, str]]
) -> None:
    """A new id or name begins a call, whatever its index; other pieces continue one."""
    for line in ("\n", "\r\n", "\r"):
        decoded = decode_reply(events(*chunks, chunk("stop"), line=line))

        assert calls == [(c.model_call_id, c.name, c.arguments) for c in decoded.tool_calls]


@pytest.mark.parametrize(
    "last",
    [
        {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}},
        chunk(usage={"prompt_tokens": 9, "completion_tokens": 2}),
        {"choices": [], "x_groq": {"usage": {"prompt_tokens": 9, "completion_tokens": 2}}},
        {"choices": [{"delta": {}, "usage": {"prompt_tokens": 9, "completion_tokens": 2}}]},
    ],
)
def test_text_thoughts_and_usage_of_a_stream_are_joined(last: object) -> None:
    """Deltas are joined, comments skipped, and usage is found in each of its places."""
    first: object = {"choices": [], "prompt_filter_results": []}
    thoughts = [chunk(reasoning_content="It "), chunk(reasoning_content="rises.")]
    raw = b": keep-alive\n\n" + events(
        first, *thoughts, chunk(content="I b"), chunk(content="uy."), chunk("stop"), last
    )
    decoded = decode_reply(raw)

    assert ("I buy.", "It rises.", "stop") == (
        decoded.text,
        decoded.reasoning,
        decoded.finish_reason,
    )
    assert (9, 2) == (decoded.tokens.prompt, decoded.tokens.completion)
    assert {"reasoning_content": "It rises."} == decoded.provider


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (events(chunk(content="I hold."), end=b""), 502),
        (events(chunk(content="I hold."), end=b'data: {"choices": [{"del'), 502),
        (events(chunk("stop", content="I hold."), end=b""), 200),
        (events(chunk(content="I hold.")), 200),
        (events(chunk(content="I"), {"error": {"code": 429, "message": "slow down"}}), 429),
        (b'event: error\ndata: {"type": "overloaded_error", "message": "full"}\n\n', 503),
        (events({"error": {"code": 502}}, chunk("stop", content="I hold.")), 200),
        (b"data: " + GOOD + b"\n\n", 200),
        (b"\n".join(orjson.dumps(c) for c in (chunk(content="I"), chunk("stop"))), 200),
        (orjson.dumps([chunk(content="I"), chunk("stop")]), 200),
        (b'data: {"choices": [{"delta":\ndata: {"content": "I"}, "finish_reason": "stop"}]}', 200),
        (b"data: [DONE]\n\n", 502),
    ],
)
def test_complete_stream_is_used(raw: bytes, status: int) -> None:
    """A cut stream, and an error in a stream, imply an error status."""
    assert status == implied_status(raw)
    assert ("ok" if status == 200 else "failed") == decode_reply(raw).outcome


@given(st.binary(max_size=120), st.integers(0, 300), st.integers(0, 40))
def test_arbitrary_damage_never_raises(junk: bytes, place: int, length: int) -> None:
    """Bytes written over a good answer never raise, and status and outcome agree."""
    for good in (GOOD, events(chunk(content="Hi"), piece(BUY, name="execute_trade"))):
        raw = good[:place] + junk + good[place + length :]

        assert isinstance(read_body(raw), ParsedBody)
        assert decode_reply(raw).outcome == "failed" or implied_status(raw) == 200


@pytest.mark.parametrize(
    "unit",
    [
        b"[",
        b'{"a":',
        b"\\",
        b"data: {\n",
        b"data: x\n\n",
        b": x\n",
        b"data: " + orjson.dumps(piece("{", name="execute_trade")) + b"\n",
    ],
)
def test_large_malformed_body_is_read_quickly(unit: bytes) -> None:
    """A megabyte that is slow to repair takes less than two seconds of CPU."""
    raw = unit * (1_000_000 // len(unit))
    started = process_time()
    decode_reply(raw)

    assert process_time() - started < 2
