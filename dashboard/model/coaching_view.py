"""Evaluations of agents, the versions of their prompts, and their owners' words. Pure.

What used feedback to an agent is in its turns (`dashboard.model.recent_turns`).
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from arena.bus.base import Record
from arena.messages import AgentEvaluation, Feedback
from arena.owner_words import OwnerBook
from arena.prompt_versions import PromptBook
from dashboard.model.recent_turns import AgentTurns

AGENTS_MAX = 1_000
EVALUATIONS_KEPT = 20
"""Newest evaluations kept per agent."""
ANSWERED_KEPT = 100
"""Newest requests and feedback of an agent that evaluations answered."""


@dataclass(slots=True)
class AgentEvaluations:
    """One agent's evaluations.

    Attributes:
        newest: The newest, oldest first; the first record of an id counts.
        answered: What the newest of them answered, oldest first.
    """

    newest: deque[AgentEvaluation] = field(
        default_factory=lambda: deque[AgentEvaluation](maxlen=EVALUATIONS_KEPT)
    )
    answered: deque[str] = field(default_factory=lambda: deque[str](maxlen=ANSWERED_KEPT))

    def add(self, found: AgentEvaluation) -> None:
        """Add an evaluation, unless it is known."""
        if any(one.evaluation_id == found.evaluation_id for one in self.newest):
            return
        self.newest.append(found)
        if found.asked_by:
            self.answered.append(found.asked_by)


class CoachingView:
    """What a coach sees of all agents.

    Attributes:
        prompts: The versions of every agent's prompt.
        owner: Preferences and feedback.
        evaluations: Agent -> its evaluations.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.prompts = PromptBook()
        self.owner = OwnerBook()
        self.evaluations: dict[str, AgentEvaluations] = {}
        self._evaluations_from_ms: int | None = None

    def evaluated(self, record: Record, found: AgentEvaluation) -> None:
        """Add an evaluation."""
        if self._evaluations_from_ms is None:
            self._evaluations_from_ms = record.timestamp_ms if record.offset else 0
        if len(self.evaluations) < AGENTS_MAX or found.agent in self.evaluations:
            self.evaluations.setdefault(found.agent, AgentEvaluations()).add(found)

    def waiting(
        self, agent: str, turns: AgentTurns | None, *, is_whole: bool
    ) -> Iterator[Feedback]:
        """Feedback that waits: to the agent, oldest first, then the newest to the judge.

        Args:
            agent: The agent.
            turns: Its newest turns; None without any.
            is_whole: True if these are all turns.
        """
        used = turns.used_feedback() if turns else set[str]()
        own = self.owner.feedback.get(agent, {}).values()
        # A turn shows the oldest feedback that waits: what came before it was used.
        used_to = max((one.offset for one in own if one.feedback_id in used), default=-1)
        before_ms = turns.nothing_waited_before_ms() if turns and not is_whole else 0
        for one in own:
            if one.offset > used_to and one.feedback.at.timestamp() * 1000 >= before_ms:
                yield one.feedback
        yield from self._waiting_for_judge(agent)

    def _waiting_for_judge(self, agent: str) -> Iterator[Feedback]:
        """The newest feedback to the judge, the only one that counts, if it is not answered."""
        to_judge = self.owner.to_judge.get(agent, {})
        newest = next(reversed(to_judge.values()), None)
        if newest is None:
            return
        known = self.evaluations.get(agent)
        is_answered = known is not None and newest.feedback_id in known.answered
        from_ms = self._evaluations_from_ms or 0
        if not is_answered and newest.feedback.at.timestamp() * 1000 >= from_ms:
            yield newest.feedback
