"""What the messages of a request say about the agent's turn so far. Pure."""

from collections.abc import Sequence

from arena.messages import ChatMessage


def newest_prompt(messages: Sequence[ChatMessage]) -> str:
    """The content of the newest user message; "" if there is none."""
    return next((m.content for m in reversed(messages) if m.role == "user"), "")


def called_tools(messages: Sequence[ChatMessage]) -> tuple[set[str], list[str]]:
    """Names of the tools called since the newest user message, and their results, oldest first."""
    called: set[str] = set()
    results: list[str] = []
    for message in reversed(messages):
        if message.role == "user":
            break
        if message.role == "tool":
            results.append(message.content)
        called.update(call.name for call in message.tool_calls)
    return called, results[::-1]
