"""Builds the body of a Chat Completions request from a `ChatRequest` and the node's options. Pure.

The chat node sends these bytes; the audit builds them again from the topics and compares the hash.
The protocol: https://platform.openai.com/docs/api-reference/chat/create

A conversation is recorded as the model wrote it and sent in a form that strict servers accept:

* arguments that are not a JSON object are sent as `{}`, because servers parse the history;
* a tool's name has only letters, digits, `_` and `-`, at most 64 of them;
* no two tool calls of the conversation have the same id;
* an answer without text and calls is sent as `(no answer)`;
* `provider` fields are sent back unchanged, except those that `WireForm` drops;
* tool schemas keep only the keywords that every provider accepts (`arena.tool_schema`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from string import ascii_letters, digits
from typing import TypeAlias

import orjson
from pydantic import JsonValue

from arena.messages import ChatMessage, ChatRequest, RequestedCall, ToolSchema, WireForm
from arena.tool_schema import portable_schema

Options: TypeAlias = Mapping[str, JsonValue]
"""Fields of a body besides model, messages and tools, by the provider's names; None removes one."""

NAME_CHARS_MAX = 64
SHORT_ID_CHARS = 9
"""Mistral requires tool call ids of exactly nine letters and digits."""
SCHEMAS_KEPT = 256
UNNAMED = "unnamed"
"""Name that is sent for a call without a tool name."""
NO_WORDS = "(no answer)"
"""Text that is sent for an answer without text and calls: servers refuse an empty message."""
REASONING = "reasoning_content"
ALL_FIELDS = "*"
FUNCTION = "function"
"""Key in a call's `provider` for the fields that came inside its function."""
RESERVED = frozenset(
    {
        "role",
        "content",
        "tool_calls",
        "tool_call_id",
        "id",
        "type",
        FUNCTION,
        "name",
        "arguments",
    }
)
"""Names of protocol fields, which no `provider` field may replace."""
PLAIN = WireForm()

_UNFIT = re.compile(r"[^a-zA-Z0-9_-]+")


def chat_body(model: str, request: ChatRequest, options: Options, wire: WireForm = PLAIN) -> bytes:
    """Build the request body as JSON.

    Args:
        model: Model id, as the provider spells it.
        request: The messages and tools.
        options: Other fields, in the order in which they are written; None removes a field.
        wire: Form of the conversation.
    """
    body: dict[str, object] = {"model": model, "messages": _messages(request.messages, wire)}
    if request.tools:
        body["tools"] = [_tool(tool, wire) for tool in request.tools]
    for name, value in options.items():
        if value is None:
            body.pop(name, None)
        else:
            body[name] = value
    return orjson.dumps(body)


def chat_body_sha256(
    model: str, request: ChatRequest, options: Options, wire: WireForm = PLAIN
) -> str:
    """SHA-256 of `chat_body`, which is logged with a call."""
    return sha256(chat_body(model, request, options, wire)).hexdigest()


def portable_name(name: str) -> str:
    """A tool's name in a form that every provider accepts: other characters become `_`."""
    return _UNFIT.sub("_", name).strip("_")[:NAME_CHARS_MAX] or UNNAMED


def portable_arguments(text: str) -> str:
    """The arguments, or `{}` if they are not a JSON object."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return "{}"
    return text if isinstance(value, dict) else "{}"


def function_fields(provider: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    """The provider's fields that came inside the function of a tool call."""
    inner = provider.get(FUNCTION)
    return inner if isinstance(inner, Mapping) else {}


def _messages(messages: Sequence[ChatMessage], wire: WireForm) -> list[dict[str, object]]:
    ids = _CallIds(wire)
    found = [_message(message, ids, wire) for message in messages]
    if wire.system_as_user and [m["role"] for m in found[:2]] == ["user", "user"]:
        # Templates that refuse a system message also require alternating roles.
        found[1]["content"] = f"{found[0]['content']}\n\n{found[1]['content']}"
        del found[0]
    return found


def _message(message: ChatMessage, ids: "_CallIds", wire: WireForm) -> dict[str, object]:
    if message.role == "tool":
        return {
            "role": "tool",
            "tool_call_id": ids.answered(message.tool_call_id or ""),
            "content": message.content,
        }
    role = "user" if message.role == "system" and wire.system_as_user else message.role
    found: dict[str, object] = {"role": role, "content": message.content}
    if message.role != "assistant":
        return found
    found |= _provider_fields(message.provider, wire)
    words = message.content if message.content.strip() else ""
    if not message.tool_calls:
        found["content"] = words or NO_WORDS
        return found
    found["content"] = words or (None if wire.content == "null" else "")
    if wire.empty_reasoning:
        found.setdefault(REASONING, "")
    found["tool_calls"] = [
        {
            "id": call_id,
            "type": "function",
            "function": {
                "name": portable_name(call.name),
                "arguments": portable_arguments(call.arguments),
                **_provider_fields(function_fields(call.provider), wire),
            },
            **_provider_fields(call.provider, wire),
        }
        for call, call_id in zip(message.tool_calls, ids.of_round(message.tool_calls), strict=True)
    ]
    return found


def _provider_fields(fields: Mapping[str, JsonValue], wire: WireForm) -> dict[str, JsonValue]:
    dropped = wire.dropped_fields
    if not fields or ALL_FIELDS in dropped:
        return {}
    return {k: v for k, v in fields.items() if k not in dropped and k not in RESERVED}


def _tool(tool: ToolSchema, wire: WireForm) -> dict[str, object]:
    parameters = orjson.dumps(tool.parameters)
    bare = wire.schema_keywords == "bare"
    return {
        "type": "function",
        "function": {
            "name": portable_name(tool.name),
            "description": tool.description,
            "parameters": _portable_parameters(parameters, bare),
        },
    }


@lru_cache(maxsize=SCHEMAS_KEPT)
def _portable_parameters(parameters: bytes, bare: bool) -> orjson.Fragment:
    """The portable form of a schema as JSON, cached: every call has the same few schemas."""
    return orjson.Fragment(orjson.dumps(portable_schema(orjson.loads(parameters), bare=bare)))


class _CallIds:
    """Ids of tool calls, unique in the conversation; a tool message answers the round before it."""

    def __init__(self, wire: WireForm) -> None:
        self._short = wire.tool_ids == "short"
        self._used: set[str] = set()
        self._open: dict[str, list[str]] = {}

    def of_round(self, calls: Iterable[RequestedCall]) -> list[str]:
        """The ids of the calls of one assistant message."""
        self._open = {}
        found = []
        for call in calls:
            call_id = self._fresh(call.model_call_id)
            self._open.setdefault(call.model_call_id, []).append(call_id)
            found.append(call_id)
        return found

    def answered(self, model_call_id: str) -> str:
        """The id that a tool message answers: the first unanswered one with this model call id."""
        waiting = self._open.get(model_call_id)
        return waiting.pop(0) if waiting else model_call_id

    def _fresh(self, asked: str) -> str:
        wanted = _UNFIT.sub("_", asked)[:NAME_CHARS_MAX] if self._short or not asked else asked
        wanted = wanted or f"call_{len(self._used)}"
        name, copy = self._shortened(wanted), 1
        while name in self._used:
            copy += 1
            name = self._shortened(f"{wanted[: NAME_CHARS_MAX - 8]}-{copy}")
        self._used.add(name)
        return name

    def _shortened(self, wanted: str) -> str:
        if not self._short:
            return wanted
        alphabet = ascii_letters + digits
        number = int.from_bytes(sha256(wanted.encode()).digest()[:8], "big")
        letters = []
        for _ in range(SHORT_ID_CHARS):
            number, index = divmod(number, len(alphabet))
            letters.append(alphabet[index])
        return "".join(letters)
