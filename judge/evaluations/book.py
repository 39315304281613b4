"""What is known of evaluations: the earlier ones, and who asks for one. Pure.

A fold of `judge.evaluations`, `arena.control` and `agent.feedback`, and the only state of the
evaluations: a judge that starts again knows what was evaluated, and what was answered. The first
record of an evaluation's id counts, whichever judge wrote it.

Of everything that asks for an evaluation of an agent, only the newest counts: at most one is
pending. It is answered by an evaluation that names it.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from arena import topics
from arena.bus.base import Record
from arena.messages import (
    AgentEvaluation,
    EvaluatedFor,
    EvaluationRequest,
    Feedback,
    JudgeCalibration,
    Message,
    TurnJudgement,
)
from arena.owner_words import evaluation_key
from judge.evaluations.cadence import EVALUATIONS_KEPT
from judge.evaluations.evaluate import Asked, Earlier
from judge.evaluations.llm.rubric import Rubric
from judge.season.packed_rows import RecentIds

JUDGEMENTS_KEPT = 5_000
"""Newest judgements of an agent's turns; 30 days have as many at 166 a day."""
BOOK_TOPICS = (topics.EVALUATIONS.name, topics.CONTROL.name, topics.FEEDBACK.name)


class Ask(NamedTuple):
    """A request or feedback that asks for an evaluation; a later `at` is newer."""

    at: datetime
    ask_id: str
    cause: EvaluatedFor


@dataclass(slots=True)
class EvaluationBook:
    """The fold.

    Attributes:
        evaluations: Agent -> its newest evaluations, oldest first.
        asks: Agent -> the newest that asks for an evaluation of it.
        answered: Newest ids that evaluations name as their cause.
        ids: Newest ids of evaluations.
        judgements: Agent -> newest judgements of its turns; planted ones and repeats are left out.
        calibrations: Chat node -> its newest calibration.
    """

    evaluations: dict[str, list[AgentEvaluation]] = field(default_factory=dict)
    asks: dict[str, Ask] = field(default_factory=dict)
    answered: RecentIds = field(default_factory=RecentIds)
    ids: RecentIds = field(default_factory=RecentIds)
    judgements: dict[str, deque[TurnJudgement]] = field(default_factory=dict)
    calibrations: dict[str, JudgeCalibration] = field(default_factory=dict)

    def apply(self, record: Record) -> None:
        """Fold a record of `BOOK_TOPICS`; what is unreadable or of another kind does nothing."""
        message = record.message_or_none()
        if isinstance(message, EvaluationRequest):
            if record.key_text == evaluation_key(message.agent):
                self.take(message)
        elif message is not None:
            self.take(message)

    def take(self, message: Message) -> None:
        """Fold a message; others than those of evaluations do nothing."""
        if isinstance(message, AgentEvaluation):
            self._evaluated(message)
        elif isinstance(message, EvaluationRequest):
            self._ask(message.agent, Ask(message.at, message.request_id, "demand"))
        elif isinstance(message, Feedback) and message.to == "judge":
            self._ask(message.agent, Ask(message.at, message.feedback_id, "feedback"))
        elif isinstance(message, TurnJudgement) and not message.planted and not message.repeat:
            kept = self.judgements.setdefault(message.agent, deque(maxlen=JUDGEMENTS_KEPT))
            kept.append(message)
        elif isinstance(message, JudgeCalibration):
            self.calibrations[message.node] = message

    def _evaluated(self, found: AgentEvaluation) -> None:
        if found.evaluation_id in self.ids:
            return
        self.ids.add(found.evaluation_id)
        if found.asked_by:
            self.answered.add(found.asked_by)
        own = self.evaluations.setdefault(found.agent, [])
        own.append(found)
        del own[:-EVALUATIONS_KEPT]

    def _ask(self, agent: str, ask: Ask) -> None:
        known = self.asks.get(agent)
        if known is None or ask > known:
            self.asks[agent] = ask

    def of(self, agent: str) -> Sequence[AgentEvaluation]:
        """The evaluations of an agent, in the order of the log."""
        return self.evaluations.get(agent, ())

    def newest(self, agent: str) -> AgentEvaluation | None:
        """The evaluation of an agent at the latest venue time; None without one."""
        return max(self.of(agent), key=lambda one: one.as_of, default=None)

    def earlier(self, agent: str, rubric: Rubric | None) -> Earlier:
        """What the topic says about an agent.

        Args:
            agent: Name of the agent.
            rubric: The questions that models are asked; None counts no judgement.
        """
        judgements = tuple(self.judgements.get(agent, ()))
        newest = max(judgements, key=lambda one: one.as_of, default=None)
        calibration = None if newest is None else self.calibrations.get(newest.node)
        return Earlier(self.of(agent), judgements, calibration, rubric)

    def pending(self, agent: str) -> Asked | None:
        """What asks for an evaluation of an agent and was not answered yet."""
        ask = self.asks.get(agent)
        if ask is None or ask.ask_id in self.answered:
            return None
        return Asked(ask.cause, ask.ask_id)
