"""The body of a Chat Completions request: a `ChatRequest` and what a chat node adds to it. Pure.

The chat node sends these bytes; the audit makes them again from the topics and compares the hash.
The protocol: https://platform.openai.com/docs/api-reference/chat/create
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import TypeAlias

import orjson

from arena.messages import ChatMessage, ChatRequest

Options: TypeAlias = Mapping[str, int | float | str]
"""What a body holds besides model, messages and tools, by the provider's names."""


def chat_body(model: str, request: ChatRequest, options: Options) -> bytes:
    """The request as JSON.

    Args:
        model: Its id, as the provider spells it.
        request: Gives messages and tools.
        options: The rest, in the order in which it is written.
    """
    body: dict[str, object] = {
        "model": model,
        "messages": [_message(message) for message in request.messages],
    }
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                },
            }
            for tool in request.tools
        ]
    return orjson.dumps(body | dict(options))


def chat_body_sha256(model: str, request: ChatRequest, options: Options) -> str:
    """SHA-256 of `chat_body`, as it is logged with a call."""
    return sha256(chat_body(model, request, options)).hexdigest()


def _message(message: ChatMessage) -> dict[str, object]:
    if message.role == "tool":
        return {
            "role": "tool",
            "tool_call_id": message.tool_call_id,
            "content": message.content,
        }
    if not message.tool_calls:
        return {"role": message.role, "content": message.content}
    calls = [
        {
            "id": call.model_call_id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for call in message.tool_calls
    ]
    return {"role": message.role, "content": message.content or None, "tool_calls": calls}
