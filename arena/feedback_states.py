"""What became of feedback: whether a turn used it, or an evaluation answered it. Pure.

Fed with the records of `agent.feedback`, `agent.turns` and `judge.evaluations`. Of the feedback to
the judge about an agent, an evaluation names the newest, and answers with it all that is older.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pydantic import JsonValue

from arena.agent_health import is_decision
from arena.bus.base import Record
from arena.messages import AgentEvaluation, Feedback, Turn
from arena.owner_words import KeptFeedback, OwnerBook

MARKS = (b'"feedback"', b'"asked_by"')
"""Parts of the records that can name feedback; others are not decoded."""

FeedbackState = Literal["pending", "used"]


@dataclass(frozen=True, slots=True)
class FeedbackEntry:
    """Feedback and its state.

    Attributes:
        used_by: Id of the turn that used it, or of the evaluation; "" while it is pending.
    """

    feedback: Feedback
    used_by: str

    @property
    def state(self) -> FeedbackState:
        """Whether it was used."""
        return "used" if self.used_by else "pending"

    def document(self) -> dict[str, JsonValue]:
        """The entry as JSON; keys are only ever added."""
        said = self.feedback
        return {
            "feedback_id": said.feedback_id,
            "agent": said.agent,
            "to": said.to,
            "text": said.text,
            "by": said.by,
            "at": said.at.isoformat(),
            "state": self.state,
            "used_by": self.used_by or None,
        }


@dataclass(slots=True)
class FeedbackStates:
    """The feedback of all agents, and what used it.

    Attributes:
        book: The feedback.
        used: Id of feedback -> turn or evaluation.
    """

    book: OwnerBook = field(default_factory=OwnerBook)
    used: dict[str, str] = field(default_factory=dict)

    def apply(self, record: Record) -> None:
        """Fold a record of one of the three topics."""
        if record.kind == Feedback.type_name():
            self.book.apply(record)
        elif record.value is not None and any(mark in record.value for mark in MARKS):
            message = record.message_or_none()
            if isinstance(message, Turn) and message.owner is not None and is_decision(message):
                for one in message.owner.feedback:
                    self.used.setdefault(one, message.turn_id)
            elif isinstance(message, AgentEvaluation) and message.asked_by:
                self.used.setdefault(message.asked_by, message.evaluation_id)

    def entries(self, agent: str | None = None) -> Iterator[FeedbackEntry]:
        """The feedback, oldest first within an agent.

        Args:
            agent: Only about this agent; None for all.
        """
        kept = (self.book.feedback, self.book.to_judge)
        names = {agent} if agent is not None else {name for one in kept for name in one}
        for name in sorted(names):
            said = [one for book in kept for one in book.get(name, {}).values()]
            used = self.used | self._answered(name)
            for one in sorted(said, key=lambda found: (found.partition, found.offset)):
                yield FeedbackEntry(one.feedback, used.get(one.feedback_id, ""))

    def _answered(self, agent: str) -> dict[str, str]:
        """Feedback to the judge -> the evaluation that answered it; "" while it is pending."""
        found, evaluation = dict[str, str](), ""
        to_judge = self.book.to_judge.get(agent, {}).values()
        for one in sorted(to_judge, key=_sent, reverse=True):
            evaluation = self.used.get(one.feedback_id, evaluation)
            found[one.feedback_id] = evaluation
        return found


def _sent(one: KeptFeedback) -> tuple[datetime, str]:
    """The order of feedback to the judge: that of `judge.evaluations.book.Ask`."""
    return one.feedback.at, one.feedback_id
