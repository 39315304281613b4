"""The messages of a turn: the prompt, what the model wrote, what it was told. Pure.

Replies are kept as the model wrote them, within the bounds of `routers.transcript`;
`arena.chat_body` makes of them what strict servers accept.
"""

from collections.abc import Sequence

from arena.messages import ChatMessage, ChatReply, RequestedCall
from routers.transcript import (
    ERROR_BYTES_MAX,
    REASONING_BYTES_MAX,
    REPLY_BYTES_MAX,
    clip,
    kept_calls,
    within_bounds,
)

EMPTY_TOLD = "Your answer was empty: call a tool, or answer in one line why you hold."


class Conversation:
    """What was said in a turn so far.

    Args:
        system: The first message.
        user: The second.
        aside_bytes_max: Of what the model says beside its calls.

    Attributes:
        words: The newest text of the model that is not a broken tool call.
        left_out: `provider` objects that exceeded their bounds.
    """

    def __init__(self, system: str, user: str, aside_bytes_max: int = REPLY_BYTES_MAX) -> None:
        """A conversation that holds the prompt."""
        self.words = ""
        self.left_out = 0
        self._aside_bytes_max = aside_bytes_max
        self._used_ids: set[str] = set()
        self._messages = [
            ChatMessage(role="system", content=system),
            ChatMessage(role="user", content=user),
        ]

    def messages(self) -> tuple[ChatMessage, ...]:
        """Everything that was said, within the bounds of a record."""
        self._messages, left_out = within_bounds(self._messages)
        self.left_out += left_out
        return tuple(self._messages)

    def add_reply(self, reply: ChatReply, round_: int) -> tuple[RequestedCall, ...]:
        """Keep a reply; its calls as they are kept."""
        text = clip(reply.text, REPLY_BYTES_MAX)
        if text.strip() and not (reply.unreadable and not reply.tool_calls):
            self.words = text
        calls = kept_calls(reply.tool_calls, round_, self._used_ids)
        self._used_ids |= {call.model_call_id for call in calls}
        self._messages.append(
            ChatMessage(
                role="assistant",
                content=clip(text, self._aside_bytes_max) if calls else text,
                tool_calls=calls,
                reasoning=clip(reply.reasoning, REASONING_BYTES_MAX),
                provider=reply.provider,
            )
        )
        return calls

    def add_answers(self, calls: Sequence[RequestedCall], answers: Sequence[str]) -> None:
        """Keep what the tools answered, in the order of their calls."""
        self._messages += [
            ChatMessage(role="tool", content=answer, tool_call_id=call.model_call_id)
            for call, answer in zip(calls, answers, strict=True)
        ]

    def tell(self, text: str) -> None:
        """Say something to the model."""
        self._messages.append(ChatMessage(role="user", content=clip(text, ERROR_BYTES_MAX)))
