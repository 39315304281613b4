"""Reads choices and messages of an answer, in the forms that servers use. Pure.

Content may be a text, a list of parts, or missing; a choice may have a `delta` or the `text` of an
older protocol instead of a message; thoughts have many names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from chat_nodes.json_values import Json
from chat_nodes.texts import NAME_CHARS_MAX, clean_text

CONTENT_PARTS_MAX = 64
CHOICES_MAX = 8
DEPTH_MAX = 3

REASONING = ("reasoning_content", "reasoning", "reasoning_text", "thinking")
REASONING_LISTS = ("reasoning_details", "thinking_blocks")

_CONTENT_FIELDS = (
    "content",
    "tool_calls",
    "function_call",
    "refusal",
    *REASONING,
    *REASONING_LISTS,
)
_CALL_PARTS = frozenset({"tool_use", "tool_call", "function_call"})


@dataclass(slots=True)
class MessageContent:
    """The content of one message.

    Attributes:
        thoughts: Thoughts in the provider's own fields and in parts of the content.
        call_parts: Parts of the content that are tool calls.
    """

    text: str = ""
    thoughts: list[str] = field(default_factory=list)
    call_parts: list[Json] = field(default_factory=list)


def choices_of(value: Mapping[str, Json]) -> list[Json]:
    """The choices of an answer."""
    choices = value.get("choices")
    if isinstance(choices, dict):
        choices = [choices]
    return choices[:CHOICES_MAX] if isinstance(choices, list) else []


def first_choice(
    value: Mapping[str, Json],
) -> tuple[Mapping[str, Json] | None, Mapping[str, Json] | None]:
    """The first choice that has a message, and the message; else the first choice and None."""
    first = None
    for choice in choices_of(value):
        if isinstance(choice, dict):
            if (message := message_of(choice)) is not None:
                return choice, message
            first = first or choice
    return first, None


def message_of(choice: Mapping[str, Json]) -> Mapping[str, Json] | None:
    """The message of a choice, or the form that replaces it; None if there is neither."""
    message = choice.get("message")
    if not isinstance(message, dict):
        message = choice.get("delta")
    if isinstance(message, dict):
        return message
    text = choice.get("text")
    return {"content": text} if isinstance(text, str) else None


def finish_reason_of(choice: Mapping[str, Json]) -> str:
    """Why the model stopped, as the provider reports it; "" if it does not."""
    finish = choice.get("finish_reason")
    return clean_text(finish, NAME_CHARS_MAX) if isinstance(finish, str) else ""


def has_content(value: Mapping[str, Json], message: Mapping[str, Json]) -> bool:
    """True if the first message of an answer, or a later one, has any content."""
    if any(message.get(name) for name in _CONTENT_FIELDS):
        return True
    return any(
        isinstance(choice, dict)
        and (other := message_of(choice)) is not None
        and other is not message
        and any(other.get(name) for name in _CONTENT_FIELDS)
        for choice in choices_of(value)[1:]
    )


def read_content(message: Mapping[str, Json]) -> MessageContent:
    """The text, the thoughts and the calls in a message's content, unchanged."""
    found = MessageContent()
    content = message.get("content")
    if isinstance(content, str):
        found.text = content
    elif content is not None:
        _add_parts(found, content)
    for name in REASONING:
        if (value := message.get(name)) and (text := _thought_text(value)):
            found.thoughts.insert(0, text)
            return found
    for name in REASONING_LISTS:
        if (value := message.get(name)) and (text := _thought_text(value)):
            found.thoughts.insert(0, text)
            return found
    return found


def _add_parts(found: MessageContent, content: Json) -> None:
    texts: list[str] = []
    for part in content[:CONTENT_PARTS_MAX] if isinstance(content, list) else [content]:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict):
            kind = part.get("type")
            kind = kind if isinstance(kind, str) else ""
            if "thinking" in kind or "reasoning" in kind:
                found.thoughts += [thought] if (thought := _thought_text(part)) else []
            elif kind in _CALL_PARTS:
                found.call_parts.append(part)
            elif isinstance(text := part.get("text", part.get("content")), str):
                texts.append(text)
    found.text = "\n".join(texts)


def _thought_text(value: Json, depth: int = 0) -> str:
    """The text of a thought, from the forms that providers use."""
    if isinstance(value, str):
        return value
    if depth > DEPTH_MAX:
        return ""
    if isinstance(value, list):
        parts = (_thought_text(part, depth + 1) for part in value[:CONTENT_PARTS_MAX])
        return "\n".join(part for part in parts if part)
    if isinstance(value, dict):
        names = ("thinking", "reasoning", "text", "summary", "content")
        return next(
            (text for name in names if (text := _thought_text(value.get(name), depth + 1))), ""
        )
    return ""
