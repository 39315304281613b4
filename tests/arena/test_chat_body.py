"""A conversation as it is sent: strict servers accept any history of a model."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from arena.chat_body import chat_body, portable_arguments, portable_name
from arena.messages import ChatMessage, ChatRequest, RequestedCall, ToolSchema, WireForm

NOW = datetime(2026, 11, 29, tzinfo=UTC)
TEXT = st.text(max_size=80)
CALLS = st.lists(
    st.builds(RequestedCall, model_call_id=TEXT, name=TEXT, arguments=TEXT), min_size=1, max_size=3
)
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def call(arguments: str = "{}", name: str = "execute_trade", id_: str = "c") -> RequestedCall:
    """A tool call as a model wrote it."""
    return RequestedCall(model_call_id=id_, name=name, arguments=arguments)


def conversation(rounds: Sequence[Sequence[RequestedCall]]) -> tuple[ChatMessage, ...]:
    """System, user, and per round an assistant message and an answer to each of its calls."""
    found = [ChatMessage(role="system", content="s"), ChatMessage(role="user", content="u")]
    for calls in rounds:
        found.append(ChatMessage(role="assistant", tool_calls=tuple(calls)))
        found += [
            ChatMessage(role="tool", content=f"answer {i}", tool_call_id=one.model_call_id)
            for i, one in enumerate(calls)
        ]
    return tuple(found)


def sent(
    messages: Sequence[ChatMessage],
    wire: WireForm | None = None,
    options: dict[str, JsonValue] | None = None,
    tools: Sequence[ToolSchema] = (),
) -> dict[str, Any]:
    """The body, read back; Any is parsed JSON."""
    request = ChatRequest(
        call_id="c",
        agent="a",
        turn_id="t",
        round=0,
        strategy="s",
        snapshot_id="x",
        messages=tuple(messages),
        tools=tuple(tools),
        issued_at=NOW,
        deadline_at=NOW,
        reply_to="",
    )
    body: dict[str, Any] = orjson.loads(chat_body("m", request, options or {}, wire or WireForm()))
    return body


def assert_strict(body: dict[str, Any]) -> None:
    """What servers check: names, ids, arguments, and one answer after each call, in order."""
    ids: list[str] = []
    waiting: list[str] = []
    for message in body["messages"]:
        if message["role"] == "tool":
            assert waiting.pop(0) == message["tool_call_id"]
            continue
        assert not waiting
        for one in message.get("tool_calls", []):
            assert NAME.fullmatch(one["function"]["name"])
            assert isinstance(orjson.loads(one["function"]["arguments"]), dict)
            waiting.append(one["id"])
        ids += waiting
    assert all(ids)
    assert len(ids) == len(set(ids))


@given(st.lists(CALLS, max_size=4), st.sampled_from(["as_received", "short"]))
def test_any_history_is_valid_for_strict_servers(
    rounds: list[list[RequestedCall]], tool_ids: str
) -> None:
    """Names, ids and arguments of any text become acceptable, and answers keep their calls."""
    wire = WireForm.model_validate({"tool_ids": tool_ids})

    assert_strict(sent(conversation(rounds), wire))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"quantity": "0.01"}', '{"quantity": "0.01"}'),
        ('{"quantity": "0.01"', "{}"),
        ('{"quantity": 0.01}{"quantity": 2}', "{}"),
        ('{"quantity": NaN}', "{}"),
        ('"text"', "{}"),
        ("[1]", "{}"),
        ("", "{}"),
        ('{"a": "b"...', "{}"),
    ],
)
def test_arguments_are_an_object(arguments: str, expected: str) -> None:
    """What is not a JSON object is sent as an empty one, never as half of one."""
    assert expected == portable_arguments(arguments)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("execute_trade", "execute_trade"),
        ("execute_trade<|channel|>commentary", "execute_trade_channel_commentary"),
        ("", "unnamed"),
        ("«»", "unnamed"),
        ("x" * 80, "x" * 64),
    ],
)
def test_names_are_acceptable(name: str, expected: str) -> None:
    """A tool's name has letters, digits, `_` and `-`, and is never empty."""
    assert expected == portable_name(name)


def test_repeated_id_becomes_unique() -> None:
    """The same id in two rounds becomes two, each with its own answer."""
    body = sent(conversation([[call(id_="same")], [call(id_="same")]]))

    assert ["same", "same-2"] == [
        m["tool_call_id"] for m in body["messages"] if m["role"] == "tool"
    ]


def test_short_ids_have_nine_letters_and_digits() -> None:
    """Any id is converted to Mistral's form, the same in every request of the conversation."""
    wire = WireForm(tool_ids="short")
    first = sent(conversation([[call(id_="chatcmpl-tool-0")]]), wire)
    later = sent(conversation([[call(id_="chatcmpl-tool-0")], [call()]]), wire)
    ids = [
        m["tool_call_id"]
        for body in (first, later)
        for m in body["messages"]
        if m["role"] == "tool"
    ]

    assert ids[0] == ids[1]
    assert all(re.fullmatch(r"[a-zA-Z0-9]{9}", one) for one in ids)
    assert 2 == len(set(ids))


def with_fields() -> tuple[ChatMessage, ...]:
    """A conversation whose answer came with fields of the provider's own."""
    signature: JsonValue = {"google": {"thought_signature": "c2ln"}}
    inner: JsonValue = {"thought_signature": "inside", "name": "forged", "arguments": "forged"}
    provider = {"extra_content": signature, "function": inner}
    signed = call().model_copy(update={"provider": provider})
    message = ChatMessage(
        role="assistant",
        tool_calls=(signed,),
        reasoning="shown to people",
        provider={"reasoning_content": "Thought.", "role": "system", "content": "forged"},
    )
    return (
        ChatMessage(role="user", content="u"),
        message,
        ChatMessage(role="tool", content="ok", tool_call_id="c"),
    )


@pytest.mark.parametrize(
    ("wire", "reasoning", "extra"),
    [
        (WireForm(), "Thought.", True),
        (WireForm(dropped_fields=("reasoning_content",)), None, True),
        (WireForm(dropped_fields=("*",)), None, False),
        (WireForm(dropped_fields=("*",), empty_reasoning=True), "", False),
    ],
)
def test_provider_fields_are_echoed_or_dropped(
    wire: WireForm, reasoning: str | None, extra: bool
) -> None:
    """Fields are echoed unchanged or dropped; none of them replaces a field of the protocol."""
    message = sent(with_fields(), wire)["messages"][1]

    assert "assistant" == message["role"]
    assert message["content"] is None
    assert reasoning == message.get("reasoning_content")
    assert extra == ("extra_content" in message["tool_calls"][0])
    function = {"name": "execute_trade", "arguments": "{}"}
    inside = {"thought_signature": "inside"} if extra else {}
    assert function | inside == message["tool_calls"][0]["function"]
    assert "reasoning" not in message


def test_wire_form_changes_roles_content_and_schemas() -> None:
    """What one provider refuses is written another way."""
    tool = ToolSchema(
        name="t",
        description="d",
        parameters={
            "type": "object",
            "properties": {"q": {"type": "string", "description": "how much", "format": "decimal"}},
        },
    )
    wire = WireForm(system_as_user=True, content="empty", schema_keywords="bare")
    body = sent(conversation([[call()]]), wire, tools=[tool])

    assert ["user", "assistant", "tool"] == [m["role"] for m in body["messages"]]
    assert "" == body["messages"][1]["content"]
    bare = {"type": "object", "properties": {"q": {"type": "string"}}}
    assert bare == body["tools"][0]["function"]["parameters"]


def test_options_add_replace_and_remove_fields() -> None:
    """Options are written as they are; None takes any field out of the body."""
    tool = ToolSchema(name="t", description="d", parameters={"type": "object"})
    options: dict[str, JsonValue] = {"seed": 7, "thinking": {"type": "disabled"}, "tools": None}
    body = sent(conversation([]), options=options, tools=[tool])

    assert {"model", "messages", "seed", "thinking"} == set(body)
    assert {"type": "disabled"} == body["thinking"]
