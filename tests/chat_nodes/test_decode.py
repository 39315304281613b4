"""Provider bytes to reply fields: deviations of servers, bounds, and arbitrary JSON."""

import time
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.messages import LlmCall, RequestedCall, Usage
from arena.topics import RECORD_BYTES_MAX
from arena.wire import encode
from chat_nodes.call_records import CallInProgress, logged_call, reply_from_log, reply_of
from chat_nodes.decode import (
    ARGUMENTS_BYTES_MAX,
    NAME_CHARS_MAX,
    TEXT_BYTES_MAX,
    TOOL_CALLS_MAX,
    Decoded,
    Tokens,
    bounded_text,
    cut_bytes,
    decode_reply,
    decode_value,
)
from chat_nodes.scripted.model import completion
from tests.chat_nodes.example_requests import START, request


def body(message: object, finish: object = "stop", usage: object = None) -> bytes:
    """A response body with one choice."""
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return orjson.dumps({"choices": [choice], "usage": usage})


def call(name: str = "execute_trade", arguments: object = "{}", id_: object = "c1") -> object:
    """A tool call as a provider writes it."""
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_ordinary_answer_is_decoded() -> None:
    """Text, reasoning, calls and tokens, including cached and reasoning tokens."""
    usage = {
        "prompt_tokens": 2300,
        "completion_tokens": 40,
        "prompt_tokens_details": {"cached_tokens": 2000},
        "completion_tokens_details": {"reasoning_tokens": 12},
    }
    message = {
        "role": "assistant",
        "content": "Buying.",
        "reasoning_content": "It rises.",
        "tool_calls": [call(arguments='{"quantity": "1"}')],
    }

    assert Decoded(
        outcome="ok",
        text="Buying.",
        reasoning="It rises.",
        tool_calls=(
            RequestedCall(model_call_id="c1", name="execute_trade", arguments='{"quantity": "1"}'),
        ),
        finish_reason="tool_calls",
        provider={"reasoning_content": "It rises."},
        tokens=Tokens(prompt=2300, completion=40, reasoning=12, cached=2000, reported=True),
    ) == decode_reply(body(message, "tool_calls", usage))


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", "is not JSON"),
        (b"<html><body>502 Bad Gateway</body></html>", "start '<html><body>502 Bad"),
        (b'{"choices": [{"message": {"content": "hal', "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[1, 2]", "is a list, not an object"),
        (b"{}", "has no choices"),
        (b'{"choices": []}', "has no choices"),
        (b'{"choices": [17]}', "has no choices"),
        (b'{"choices": [{"finish_reason": "stop"}]}', "a choice without a message"),
        (b"null", "is a null, not an object"),
        (b'{"error": {"message": "model overloaded"}}', "an error: model overloaded"),
        (b'{"error": "no such model"}', "an error: no such model"),
        (body({"content": None, "refusal": "I cannot trade."}), "refused: I cannot trade."),
        (body({"content": ""}, "content_filter"), "content filter withheld"),
        (body({"content": ""}, "length"), "raise --max-completion-tokens"),
        (body({"content": None}, "tool_calls"), "answer is empty (finish reason 'tool_calls')"),
        (body({"content": None}, None), "answer is empty (finish reason 'missing')"),
        (body({"tool_calls": [1, {"id": "x"}]}, "tool_calls"), "2 tool calls have no function"),
        (body({"tool_calls": "buy!"}, "tool_calls"), "the tool calls are not a list"),
    ],
)
def test_unusable_answer_fails_with_a_reason(raw: bytes, error: str) -> None:
    """The error says what is wrong with the answer."""
    decoded = decode_reply(raw)

    assert ("failed", ()) == (decoded.outcome, decoded.tool_calls)
    assert error in decoded.error


def test_empty_answer_that_stopped_is_ok() -> None:
    """A model may have nothing to say."""
    assert Decoded(outcome="ok", finish_reason="stop") == decode_reply(body({"content": None}))


def test_excess_calls_are_dropped() -> None:
    """Of ten thousand tool calls sixteen are kept, and the error says so."""
    calls = [call(id_=f"c{i}") for i in range(10_000)]
    decoded = decode_reply(body({"content": None, "tool_calls": calls}, "tool_calls"))

    assert ("ok", TOOL_CALLS_MAX, True) == (
        decoded.outcome,
        len(decoded.tool_calls),
        decoded.truncated,
    )
    assert "10,000 tool calls were asked for, 16 are carried out" in decoded.error


def test_long_text_is_cut_at_a_character() -> None:
    """Ten megabytes of three-byte characters are cut within the bound, at a whole character."""
    decoded = decode_reply(body({"content": "値" * 3_500_000}, "length"))

    assert TEXT_BYTES_MAX - 2 <= len(decoded.text.encode()) <= TEXT_BYTES_MAX
    assert decoded.truncated
    assert "the model stopped at its token limit" in decoded.error


def test_long_arguments_are_cut_with_a_problem() -> None:
    """A call whose arguments were cut has a problem, so it is not carried out."""
    decoded = decode_reply(body({"tool_calls": [call(arguments="x" * 9_000)]}, "tool_calls"))

    assert "longer than 8,192 bytes; send the call again" in decoded.tool_calls[0].problem
    assert ARGUMENTS_BYTES_MAX == len(decoded.tool_calls[0].arguments)
    assert "the arguments of 1 calls were cut to 8,192 bytes" == decoded.error


def test_call_ids_are_made_unique() -> None:
    """Repeated and missing ids are renamed, numbers become texts: ids must be unique."""
    other = call("get_portfolio", id_="a")
    calls = [call(id_="a"), other, call(id_=None), call(id_=7), call(id_="a-2"), call(id_="")]
    decoded = decode_reply(body({"tool_calls": calls}, "tool_calls"))

    assert ["a", "a-2", "call_2", "7", "a-2-2", "call_5"] == [
        c.model_call_id for c in decoded.tool_calls
    ]


def test_malformed_arguments_and_unknown_tools_are_unchanged() -> None:
    """The tool server reports to the agent what is wrong with its call."""
    calls = [call("fly_to_moon", "{not json"), call(arguments={"quantity": 1}), call("", None)]
    decoded = decode_reply(body({"tool_calls": calls}, "tool_calls"))

    assert [("fly_to_moon", "{not json"), ("execute_trade", '{"quantity":1}'), ("", "{}")] == [
        (c.name, c.arguments) for c in decoded.tool_calls
    ]


def test_control_characters_are_removed() -> None:
    """Escape sequences, bells, overrides and carriage returns cannot reach a terminal."""
    dirty = "\x1b[31mred\x1b[0m \x1b]0;title\x07bell\x07 \u202eevil\u2028 a\tb\r\nc\x9bd \x1bMx"

    assert ("red bell evil a\tb\ncd x", False) == bounded_text(dirty)


def test_content_parts_are_joined() -> None:
    """Some servers send a list of parts instead of a text."""
    parts = [{"type": "text", "text": "one"}, "two", {"type": "image"}, 3]

    assert "one\ntwo" == decode_reply(body({"content": parts})).text


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": -4, "completion_tokens": 1.5}, []])
def test_missing_token_counts_are_not_reported(usage: object) -> None:
    """Missing or impossible counts are zero and not marked as reported."""
    assert Tokens() == decode_reply(body({"content": "hi"}, usage=usage)).tokens


def test_cached_tokens_never_exceed_the_prompt() -> None:
    """A provider's own name for cached tokens is known, and the count is bounded by the prompt."""
    usage = {"prompt_tokens": 10, "completion_tokens": 1, "prompt_cache_hit_tokens": 99}

    assert 10 == decode_reply(body({"content": "hi"}, usage=usage)).tokens.cached


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=20,
)
FUNCTION = st.fixed_dictionaries({}, optional={"name": JSON, "arguments": JSON})
TOOL_CALL = JSON | st.fixed_dictionaries(
    {"function": FUNCTION | JSON}, optional={"id": JSON, "extra_content": JSON}
)
MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "content": JSON,
        "reasoning": JSON,
        "reasoning_details": JSON,
        "refusal": JSON,
        "function_call": JSON,
        "tool_calls": st.lists(TOOL_CALL, max_size=20) | JSON,
    },
)
CHOICE = st.fixed_dictionaries({"message": MESSAGE | JSON}, optional={"finish_reason": JSON})
USAGE = JSON | st.dictionaries(
    st.sampled_from(["prompt_tokens", "completion_tokens", "prompt_tokens_details"]), JSON
)
RESPONSE = JSON | st.fixed_dictionaries(
    {"choices": st.lists(CHOICE, max_size=2) | JSON}, optional={"usage": USAGE, "error": JSON}
)


@given(RESPONSE)
def test_arbitrary_json_gives_a_bounded_answer(value: object) -> None:
    """Any JSON decodes within the bounds to records that the brokers accept."""
    decoded = decode_value(value, ("execute_trade",))

    assert len(decoded.text.encode()) <= TEXT_BYTES_MAX
    assert len(decoded.tool_calls) <= TOOL_CALLS_MAX
    assert len({c.model_call_id for c in decoded.tool_calls}) == len(decoded.tool_calls)
    assert (decoded.outcome != "ok") <= bool(decoded.error)
    assert len(encode(reply_of(logged(decoded, b""), decoded)).value) < RECORD_BYTES_MAX


@given(st.binary(max_size=200))
def test_arbitrary_bytes_never_raise(raw: bytes) -> None:
    """Bytes that are not JSON give a failure."""
    assert decode_reply(raw).outcome in ("ok", "failed")


@given(st.text(max_size=50), st.integers(0, 60))
def test_cut_keeps_the_longest_start_that_fits(text: str, bytes_max: int) -> None:
    """One more character would not have fitted, and only the end is lost."""
    cut = cut_bytes(text, bytes_max)

    assert text.startswith(cut)
    assert len(cut.encode()) <= bytes_max
    assert cut == text or len(text[: len(cut) + 1].encode()) > bytes_max


def logged(decoded: Decoded, raw: bytes) -> LlmCall:
    """The log record of an answer."""
    progress = CallInProgress(request(), START, 0.0, attempts=1, body=raw)
    return logged_call(
        progress,
        decoded,
        node="n",
        model="m",
        scripted=False,
        usage=Usage(),
        ended_at=datetime(2026, 11, 21, 9, 31, tzinfo=UTC),
        latency_ms=1.0,
    )


def test_largest_answer_fits_into_a_record() -> None:
    """Text, reasoning and arguments at their bounds, in characters that need escapes."""
    signature = {"extra_content": {"signature": '"' * 16_000}}
    calls = [
        {"id": "i" * 999 + str(i), **signature, "function": {"name": "n" * 999, "arguments": worst}}
        for i, worst in enumerate(["\x01" * 9_000] * TOOL_CALLS_MAX)
    ]
    message = {"content": "値" * 9_000, "reasoning": '"' * 20_000, "blob": '"' * 12_000}
    raw = body({**message, "tool_calls": calls}, "length")
    decoded = decode_reply(raw)
    record = logged(decoded, raw)

    assert all(len(c.name) == NAME_CHARS_MAX for c in decoded.tool_calls)
    assert len(encode(reply_of(record, decoded)).value) < RECORD_BYTES_MAX
    assert len(encode(record).value) < RECORD_BYTES_MAX


def test_logged_call_gives_the_same_reply() -> None:
    """A call that is read back from the log gives the reply that was sent."""
    raw = completion("scripted", "I buy.", [("execute_trade", {"quantity": "1"})])
    decoded = decode_reply(raw)
    record = logged(decoded, raw)
    sent = reply_of(record, decoded)

    assert sent == reply_from_log(record, request())


def test_cut_answer_is_not_served_from_the_log() -> None:
    """The log has only half of it, so the call is made again."""
    raw = body({"content": "x" * 40_000})

    assert reply_from_log(logged(decode_reply(raw), raw), request()) is None


@pytest.mark.parametrize(
    "text",
    [
        "<tool_call>" + " " * 60_000 + "x",
        "\n" * 60_000 + "<tool_call>",
        "</s>" * 15_000 + "x",
        "<function=execute_trade>" + "\t" * 60_000 + "x",
        " " * 2_000 + "x<|channel|>analysis<|message|>hm",
        "<|start|>assistant" + " " * 2_000 + "x<|channel|>final<|message|>hm",
    ],
    ids=["blanks", "lines", "ends", "element", "header", "role"],
)
def test_long_runs_of_blanks_decode_quickly(text: str) -> None:
    """Small models write such runs; all calls of a node wait while one answer is decoded."""
    began_s = time.process_time()
    decoded = decode_reply(body({"content": text}), ("execute_trade",))

    assert time.process_time() - began_s < 1.0
    assert () == decoded.tool_calls


def test_stream_of_malformed_lines_fails_quickly() -> None:
    """The number of lines that are joined without success is bounded."""
    line = b'data: {"a": "' + b"\\q" * 2_000 + b"\n"
    began_s = time.process_time()
    decoded = decode_reply(line * 1_000)

    assert time.process_time() - began_s < 5.0
    assert "failed" == decoded.outcome


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("flat </s> </s>\n", "flat"),
        ("flat<|im_end|>\n<|eot_id|>", "flat"),
        ("a < b", "a < b"),
        ("</s> flat", "</s> flat"),
    ],
)
def test_end_tokens_are_removed_at_the_end_only(text: str, expected: str) -> None:
    """Any number of them, with the blanks between them."""
    assert expected == decode_reply(body({"content": text}), ("execute_trade",)).text
