"""The messages of a turn: the prompt, the model's replies, and tool results. Pure.

Replies stay as the model wrote them, within the bounds of `routers.conversation_limits`;
`arena.chat_body` converts them to a form that strict servers accept.
"""

from collections.abc import Sequence

from arena.messages import ChatMessage, ChatReply, RequestedCall
from routers.conversation_limits import (
    ERROR_BYTES_MAX,
    REASONING_BYTES_MAX,
    REPLY_BYTES_MAX,
    bound_calls,
    clip,
    drop_provider_fields,
)

EMPTY_ANSWER_TEXT = "Your answer was empty: call a tool, or answer in one line why you hold."


class Conversation:
    """The messages of a turn so far.

    Args:
        system: The system message.
        user: The user message.
        call_text_bytes_max: Bound of the text in a reply with tool calls.

    Attributes:
        final_text: The model's newest text that is not a broken tool call.
        left_out: How many `provider` objects were left out because of their size.
    """

    def __init__(self, system: str, user: str, call_text_bytes_max: int = REPLY_BYTES_MAX) -> None:
        """Start with the prompt."""
        self.final_text = ""
        self.left_out = 0
        self._call_text_bytes_max = call_text_bytes_max
        self._used_ids: set[str] = set()
        self._messages = [
            ChatMessage(role="system", content=system),
            ChatMessage(role="user", content=user),
        ]

    def messages(self) -> tuple[ChatMessage, ...]:
        """All messages, within the bounds of a record."""
        self._messages, left_out = drop_provider_fields(self._messages)
        self.left_out += left_out
        return tuple(self._messages)

    def add_reply(self, reply: ChatReply, round_: int) -> tuple[RequestedCall, ...]:
        """Add a reply; returns its calls within their bounds."""
        text = clip(reply.text, REPLY_BYTES_MAX)
        if text.strip() and not (reply.unreadable and not reply.tool_calls):
            self.final_text = text
        calls = bound_calls(reply.tool_calls, round_, self._used_ids)
        self._used_ids |= {call.model_call_id for call in calls}
        self._messages.append(
            ChatMessage(
                role="assistant",
                content=clip(text, self._call_text_bytes_max) if calls else text,
                tool_calls=calls,
                reasoning=clip(reply.reasoning, REASONING_BYTES_MAX),
                provider=reply.provider,
            )
        )
        return calls

    def add_results(self, calls: Sequence[RequestedCall], answers: Sequence[str]) -> None:
        """Add the texts of tool results, in the order of their calls."""
        self._messages += [
            ChatMessage(role="tool", content=answer, tool_call_id=call.model_call_id)
            for call, answer in zip(calls, answers, strict=True)
        ]

    def add_user_message(self, text: str) -> None:
        """Add a text for the model to read."""
        self._messages.append(ChatMessage(role="user", content=clip(text, ERROR_BYTES_MAX)))
