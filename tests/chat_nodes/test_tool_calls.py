"""Tool calls in the forms of many servers, and the fields that providers require back."""

import json

import orjson
import pytest

from chat_nodes.decode import ARGUMENTS_BYTES_MAX, PROVIDER_BYTES_MAX, Decoded, decode_reply
from chat_nodes.tool_calls import canonical_arguments

TOOLS = ("execute_trade", "get_portfolio")
BUY = '{"quantity": "0.01"}'
OTHER = '{"quantity": "0.02"}'
ONE = ("c1", "execute_trade", BUY)


def call(
    arguments: object = BUY, name: object = "execute_trade", id_: object = "c1"
) -> dict[str, object]:
    """A tool call as the protocol has it; without an id if that is None."""
    given = {} if id_ is None else {"id": id_}
    return {**given, "type": "function", "function": {"name": name, "arguments": arguments}}


def decoded(message: object, finish: str = "tool_calls", *more: object) -> Decoded:
    """The answer with one message, and with further choices."""
    choices = [{"index": 0, "message": message, "finish_reason": finish}, *more]
    return decode_reply(orjson.dumps({"choices": choices}), TOOLS)


def read_calls(value: object) -> list[tuple[str, str, str]]:
    """Ids, names and arguments of the calls in a `tool_calls` field."""
    answer = decoded({"content": None, "tool_calls": value})
    return [(c.model_call_id, c.name, c.arguments) for c in answer.tool_calls]


@pytest.mark.parametrize(
    "value",
    [
        [call()],
        call(),
        json.dumps([call()]),
        json.dumps(call()),
        {"c1": call(id_=None)},
        [None, call(), None],
        [json.dumps(call())],
        [{"id": "c1", "name": "execute_trade", "arguments": BUY}],
        [{"id": "c1", "function": "execute_trade", "arguments": BUY}],
        [{"id": "c1", "name": "execute_trade", "parameters": BUY}],
        [call(name="functions.execute_trade")],
        [call(json.dumps(BUY))],
        [call(f"\ufeff {BUY}\n ")],
        [call(), call()],
        [call(), call('{"quantity":"0.01"}')],
        [call(), call('{"quantity": 0.01}')],
        [call(), call({"quantity": 0.01})],
    ],
)
def test_every_form_gives_the_same_call(value: object) -> None:
    """Lists, objects, texts and repeated calls all mean one order."""
    assert [ONE] == read_calls(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([call(), call(OTHER)], [ONE, ("c1-2", "execute_trade", OTHER)]),
        ([call(id_=None)] * 2, [("call_0", *ONE[1:]), ("call_1", *ONE[1:])]),
        ([call(id_="")] * 2, [("call_0", *ONE[1:]), ("call_1", *ONE[1:])]),
        ([call(id_=365)], [("365", *ONE[1:])]),
        ([call(id_=True)], [("call_0", *ONE[1:])]),
        ([call({"quantity": "0.01"})], [("c1", "execute_trade", '{"quantity":"0.01"}')]),
        ([call(None)], [("c1", "execute_trade", "{}")]),
        ([call(" ")], [("c1", "execute_trade", "{}")]),
        ([call("null")], [("c1", "execute_trade", "{}")]),
        ([call('{"why": "a\nb"}')], [("c1", "execute_trade", '{"why": "a\\u000ab"}')]),
        ([call('{"quantity": 0.')], [("c1", "execute_trade", '{"quantity": 0.')]),
        ([call('{"q": NaN}')], [("c1", "execute_trade", '{"q": NaN}')]),
        ([call('"buy"')], [("c1", "execute_trade", '"buy"')]),
        ([call(f"{BUY} thanks")], [("c1", "execute_trade", f"{BUY} thanks")]),
        ({}, []),
        ("", []),
    ],
)
def test_ids_are_unique_and_arguments_unchanged(
    value: object, expected: list[tuple[str, str, str]]
) -> None:
    """Two orders stay two; malformed arguments are unchanged."""
    assert expected == read_calls(value)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ('{"a": 1, "b": "x"}', '{"b":"x","a":"1"}', True),
        ('{"a": {"b": [0.10, true]}}', '{"a": {"b": ["0.10", true]}}', True),
        ('{"a": true}', '{"a": "true"}', True),
        ('{"a": "0.010"}', '{"a": 0.01}', False),
        ('{"a": 1, "a": 2}', '{"a": 2}', False),
        ('{"a": {"b": "1"}}', '{"a": [["b", "1"]]}', False),
        ('{"a": "1"', '{"a": 1', False),
        ("1", '"1"', False),
        ("[" * 9_000, "[" * 9_001, False),
    ],
)
def test_equal_arguments_have_one_form(one: str, other: str, same: bool) -> None:
    """A number and its digits as text are equal; other digits, and malformed texts, are not."""
    assert same == (canonical_arguments(one) == canonical_arguments(other))


@pytest.mark.parametrize(
    "name",
    [
        "execute_trade<|channel|>commentary",
        "execute_trade:0",
        "tool.execute_trade",
        "Execute_Trade",
    ],
)
def test_unknown_tool_name_is_unchanged(name: str) -> None:
    """Nothing is carried out under a name that the model did not write."""
    assert [("c1", name, BUY)] == read_calls([call(name=name)])


@pytest.mark.parametrize(
    "message",
    [
        {"function_call": {"name": "execute_trade", "arguments": BUY}},
        {"tool_calls": [], "function_call": {"name": "execute_trade", "arguments": {}}},
        {"content": [{"type": "tool_use", "id": "t", "name": "execute_trade", "input": {}}]},
    ],
)
def test_calls_outside_the_field_are_read(message: object) -> None:
    """The older protocol's call, and one among the parts of the content."""
    assert ["execute_trade"] == [c.name for c in decoded(message).tool_calls]


def test_calls_of_a_later_choice_are_read() -> None:
    """Copilot puts text and calls into two choices of one answer."""
    later = {"index": 1, "message": {"content": "Now.", "tool_calls": [call()]}}
    answer = decoded({"content": "I buy."}, "tool_calls", 17, later)

    assert ("I buy.\nNow.", 1) == (answer.text, len(answer.tool_calls))


def test_two_objects_in_one_call_are_refused() -> None:
    """Neither of the two orders is carried out; both are in the record."""
    answer = decoded({"tool_calls": [call(BUY + OTHER), call(id_="c2")]})

    assert BUY + OTHER == answer.tool_calls[0].arguments
    assert "two JSON objects run together" in answer.tool_calls[0].problem
    assert "" == answer.tool_calls[1].problem


@pytest.mark.parametrize("finish", ["length", "max_tokens", "model_length", "MAX_TOKENS"])
def test_call_at_the_token_limit_is_not_carried_out(finish: str) -> None:
    """The last call may be cut even if it can be read; complete calls before it count."""
    calls = [call(id_="a"), call(BUY[:9], id_="b"), call(id_="c")]
    answer = decoded({"tool_calls": calls}, finish)

    assert [False, True, True] == ["cut" in c.problem for c in answer.tool_calls]
    assert all("send it again" in c.problem for c in answer.tool_calls[1:])


def test_long_arguments_have_a_problem() -> None:
    """Cut arguments are reported to the model."""
    answer = decoded({"tool_calls": [call(json.dumps({"why": "w" * ARGUMENTS_BYTES_MAX}))]})

    assert "longer than 8,192 bytes" in answer.tool_calls[0].problem


def test_fields_of_a_call_are_kept_unchanged() -> None:
    """Signatures are returned unchanged, from beside and from inside the function."""
    inside = {"name": "execute_trade", "arguments": BUY, "thought_signature": "s=="}
    extra = {"google": {"thought_signature": "c2ln", "n": None, "list": [1, 2.5]}}
    item = {"id": "c1", "index": 0, "function": inside, "extra_content": extra, "note": None}
    answer = decoded({"tool_calls": [item]})

    assert {
        "function": {"thought_signature": "s=="},
        "extra_content": extra,
    } == answer.tool_calls[0].provider


def test_fields_of_a_message_are_kept_unchanged() -> None:
    """Reasoning is returned unchanged, even beyond the displayed length, and if it is empty."""
    details = [{"type": "reasoning.encrypted", "data": "x" * 20_000}]
    message = {
        "role": "assistant",
        "content": "I hold.",
        "refusal": None,
        "annotations": [],
        "reasoning_content": "\x07 " + "t" * 20_000,
        "reasoning": "",
        "reasoning_details": details,
        "extra_content": None,
    }
    answer = decoded(message, "stop")

    assert {k: message[k] for k in ("reasoning_content", "reasoning", "reasoning_details")} == (
        answer.provider
    )
    assert answer.truncated


def nested(depth: int) -> object:
    """Nested lists."""
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("value", ["x" * PROVIDER_BYTES_MAX, nested(200)])
def test_oversized_fields_are_left_out(value: object) -> None:
    """Half a signature is useless: the field is dropped, and the answer has a note."""
    answer = decoded({"content": "I hold.", "blob": value, "reasoning": "why"}, "stop")
    of_call = decoded({"tool_calls": [call() | {"blob": value}]})

    assert ("ok", {"reasoning": "why"}) == (answer.outcome, answer.provider)
    assert "the provider's field 'blob' was left out" in answer.error
    assert {} == of_call.tool_calls[0].provider
    assert "of a call were left out" in of_call.error
