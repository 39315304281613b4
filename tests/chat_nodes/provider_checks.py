"""Checks of a request that providers make, one function each.

Each has its source: [doc] is a vendor's page, source or specification, [report] a public issue
thread.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# Any: request bodies are JSON of any shape.
Body = Mapping[str, Any]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal, before the provider gives it its own form."""

    status: int
    message: str
    param: str | None = None
    code: str | None = None


Check = Callable[[Body], Refused | None]

DETAILS = [{"type": "reasoning.encrypted", "data": "c2VjcmV0", "id": "r1", "format": "x-v1"}]
"""OpenRouter's `reasoning_details`: they must be sent back unchanged."""


def calls_of(body: Body) -> list[Json]:
    """All tool calls of the conversation."""
    return [c for m in body["messages"] for c in m.get("tool_calls") or []]


def rounds_of(body: Body) -> int:
    """How many answers of the model the conversation has."""
    return sum(m["role"] == "assistant" for m in body["messages"])


# Checks of every server that parses the history.


def arguments_are_objects(body: Body) -> Refused | None:
    """vLLM, llama.cpp, Ollama and Anthropic parse the history [report]."""
    for call in calls_of(body):
        try:
            value = json.loads(call["function"]["arguments"])
        except ValueError as error:
            return Refused(400, f"invalid tool call arguments: {error}")
        if not isinstance(value, dict):
            return Refused(400, "tool call arguments must be an object")
    return None


def names_fit(body: Body) -> Refused | None:
    """OpenAI's pattern [doc]."""
    for call in calls_of(body):
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", call["function"]["name"]):
            return Refused(400, f"name does not match: {call['function']['name']}")
    return None


def calls_are_answered(body: Body) -> Refused | None:
    """Each call is answered once, directly after its message, under a unique id [doc, report]."""
    seen: set[str] = set()
    waiting: list[str] = []
    for message in body["messages"]:
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                return Refused(400, f"tool id({message['tool_call_id']}) not found")
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            return Refused(400, f"tool calls must be followed by tool messages: {waiting}")
        waiting = [call["id"] for call in message.get("tool_calls") or []]
        if not all(waiting) or len({*waiting, *seen}) < len(waiting) + len(seen):
            return Refused(400, f"tool call ids must be unique: {waiting}")
        seen |= set(waiting)
    return Refused(400, "tool calls without answers") if waiting else None


STRICT = (arguments_are_objects, names_fit, calls_are_answered)


# Checks of some servers.


def no_max_tokens(body: Body) -> Refused | None:
    """OpenAI's newer models, also on Azure [report]."""
    if "max_tokens" not in body:
        return None
    message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
    message += "'max_completion_tokens' instead."
    return Refused(400, message, "max_tokens", "unsupported_parameter")


def no_temperature(body: Body) -> Refused | None:
    """OpenAI's reasoning models [report]."""
    if "temperature" not in body:
        return None
    message = "Unsupported value: 'temperature' does not support 0.5 with this model. Only the "
    message += "default (1) value is supported."
    return Refused(400, message, "temperature", "unsupported_value")


def known_keys(
    *names: str, status: int = 400, words: str = "Unrecognized request argument supplied: {name}"
) -> Check:
    """A check that refuses any key of a body but these."""
    allowed = {"model", "messages", "tools", *names}

    def check(body: Body) -> Refused | None:
        for name in body:
            if name not in allowed:
                return Refused(status, words.format(name=name), name)
        return None

    return check


def no_ids_over_40(body: Body) -> Refused | None:
    """OpenAI [report]."""
    if all(len(call["id"]) <= 40 for call in calls_of(body)):
        return None
    message = "Invalid 'messages[2].tool_calls[0].id': string too long. Expected a string with "
    message += "maximum length 40."
    return Refused(400, message, "messages[2].tool_calls[0].id", "string_above_max_length")


def thinking_comes_back(body: Body) -> Refused | None:
    """DeepSeek's thinking mode [doc]."""
    for message in body["messages"]:
        if message.get("tool_calls") and "reasoning_content" not in message:
            message = "The `reasoning_content` in the thinking mode must be passed back to the API."
            return Refused(400, message, None, "invalid_request_error")
    return None


def signature_comes_back(body: Body) -> Refused | None:
    """Gemini; with parallel calls only the first carries one [doc, report]."""
    for message in body["messages"]:
        calls = message.get("tool_calls") or []
        extra = calls[0].get("extra_content", {}) if calls else {"google": {"thought_signature": 1}}
        if not extra.get("google", {}).get("thought_signature"):
            return Refused(
                400, "Function call is missing a thought_signature in functionCall parts"
            )
    return None


def details_come_back(body: Body) -> Refused | None:
    """OpenRouter requires `reasoning_details` unchanged [doc]."""
    for message in body["messages"]:
        if message.get("tool_calls") and message.get("reasoning_details") != DETAILS:
            return Refused(400, "Invalid signature in thinking block")
    return None


def no_schema_extras(body: Body) -> Refused | None:
    """Gemini refuses keywords by name [report]."""
    text = json.dumps(body.get("tools", []))
    for keyword in ("additionalProperties", "$schema", "$ref", "const", "anyOf", '"format"'):
        if keyword in text:
            where = "tools[0].function_declarations[0].parameters"
            return Refused(400, f"Unknown name \"{keyword}\" at '{where}': Cannot find field.")
    return None


def no_empty_text(body: Body) -> Refused | None:
    """Anthropic [report]."""
    if any(m["content"] == "" for m in body["messages"] if m["role"] == "assistant"):
        return Refused(400, "messages: text content blocks must be non-empty")
    return None


def ids_of_nine(body: Body) -> Refused | None:
    """Mistral [report]."""
    for call in calls_of(body):
        if not re.fullmatch(r"[a-zA-Z0-9]{9}", call["id"]):
            message = (
                f"Tool call id was {call['id']} but must be a-z, A-Z, 0-9, with a length of 9."
            )
            return Refused(400, message, None, "3280")
    return None


def plain_messages(status: int, words: str) -> Check:
    """A check that refuses keys of messages outside the protocol: Mistral, Groq [report]."""
    allowed = {"role", "content", "tool_calls", "tool_call_id"}

    def check(body: Body) -> Refused | None:
        for index, message in enumerate(body["messages"]):
            for name in message.keys() - allowed:
                return Refused(status, words.format(i=index, name=name), f"messages.{index}.{name}")
        return None

    return check


def content_is_text(body: Body) -> Refused | None:
    """Ollama refuses null without calls; LM Studio's templates always refuse it [doc, report]."""
    for message in body["messages"]:
        if message["content"] is None and not message.get("tool_calls"):
            return Refused(400, "invalid message content type: <nil>")
    return None


def no_null(body: Body) -> Refused | None:
    """A template that concatenates texts [report]."""
    if any(m["content"] is None for m in body["messages"]):
        return Refused(400, "'content' field must be a string, got null")
    return None
