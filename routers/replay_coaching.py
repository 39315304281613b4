"""Versions of prompts and the owners' words in a replay. Pure.

`prompts` and `agent.feedback` keep all records, so an export has every text that a turn names. A
turn names the preferences itself: `arena.control` keeps only the newest.
"""

from collections.abc import Iterable

from arena.bus.base import Record
from arena.messages import Feedback, PromptProposed, Turn
from arena.prompt_versions import version_of
from routers.prompt_owner import owner_text
from routers.prompt_sizes import PROMPT_FORMS


class RecordedCoaching:
    """The texts and the feedback of an export.

    Args:
        prompts: The records of `prompts`.
        feedback: Those of `agent.feedback`.
    """

    def __init__(self, prompts: Iterable[Record], feedback: Iterable[Record]) -> None:
        """Read all records."""
        self._texts: dict[str, str] = {}
        self._feedback: dict[tuple[str, str], Feedback] = {}
        for record in prompts:
            message = record.message_or_none()
            if isinstance(message, PromptProposed) and version_of(message.text) == message.version:
                self._texts[message.version] = message.text
        for record in feedback:
            message = record.message_or_none()
            if isinstance(message, Feedback) and record.key_text == message.agent:
                self._feedback.setdefault((message.agent, message.feedback_id), message)

    def text_of(self, version: str) -> str | None:
        """The text of a version; None if the export does not have it."""
        return self._texts.get(version)

    def owner_text(self, turn: Turn) -> str:
        """The section of a turn's prompt about its owner's words."""
        named = () if turn.owner is None else turn.owner.feedback
        known = (self._feedback.get((turn.agent, one)) for one in named)
        feedback = [one for one in known if one is not None]
        return owner_text(turn.owner, feedback, PROMPT_FORMS[turn.prompt_size])
