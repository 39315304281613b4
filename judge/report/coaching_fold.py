"""What a report needs of coaching, folded from records: versions, evaluations, turns. Pure.

The roster, `prompts` and `judge.evaluations` are folded before the turns: only the turns of agents
that were coached are checked. An agent whose prompts are frozen was not, whatever was evaluated.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from arena import topics
from arena.agent_health import is_decision
from arena.bus.base import Record
from arena.messages import AgentEvaluation, AgentSpec, Turn
from arena.prompt_versions import AgentPrompts, PromptBook
from judge.evaluations.check_fold import TurnChecks
from judge.season.packed_rows import RecentIds

COACHING_TOPICS = (topics.ROSTER.name, topics.PROMPTS.name, topics.EVALUATIONS.name)
EVALUATIONS_KEPT = 1_000
"""Newest evaluations of an agent that are kept."""
COMPARED_MAX = 100
"""Newest evaluations, over all agents, that a report computes again."""


class PlayedTurn(NamedTuple):
    """A turn of a coached agent.

    Attributes:
        as_of: Venue time of its snapshot.
        version: Version of the text that it showed; "" in older records.
        decided: True if the model decided something.
        results: Results of its checks by code, a character for each of `CHECKS`.
    """

    turn_id: str
    as_of: datetime
    version: str
    decided: bool
    results: str


@dataclass(slots=True)
class CoachingFold:
    """The fold.

    Attributes:
        book: The versions of all agents.
        evaluations: Agent -> its newest evaluations, in the order of the log.
        frozen: Agents whose prompts are frozen.
        omitted: Agent -> older evaluations that are not kept.
        checks: The checks of the coached agents' turns.
        turns: Coached agent -> its turns in the order of the log, without those that were cut off.
    """

    book: PromptBook = field(default_factory=PromptBook)
    evaluations: dict[str, list[AgentEvaluation]] = field(default_factory=dict)
    frozen: set[str] = field(default_factory=set)
    omitted: dict[str, int] = field(default_factory=dict)
    turns: dict[str, list[PlayedTurn]] = field(default_factory=dict)
    checks: TurnChecks = field(default_factory=TurnChecks)
    _ids: RecentIds = field(default_factory=RecentIds)

    def apply(self, record: Record) -> None:
        """Fold a record of `COACHING_TOPICS`; the first record of an evaluation's id counts."""
        if record.topic == topics.PROMPTS.name:
            self.book.apply(record)
            return
        found = record.message_or_none()
        if isinstance(found, AgentSpec):
            (self.frozen.add if found.prompts == "frozen" else self.frozen.discard)(found.agent)
        if not isinstance(found, AgentEvaluation) or found.evaluation_id in self._ids:
            return
        self._ids.add(found.evaluation_id)
        own = self.evaluations.setdefault(found.agent, [])
        own.append(found)
        if len(own) > EVALUATIONS_KEPT:
            self.omitted[found.agent] = self.omitted.get(found.agent, 0) + 1
            del own[0]

    def concerns(self, agent: str) -> bool:
        """True if an agent has more than the version of its file, a trial, or an evaluation."""
        known = agent in self.evaluations or has_changes(self.book.of(agent))
        return known and agent not in self.frozen

    def agents(self) -> list[str]:
        """The coached agents by name."""
        return sorted(filter(self.concerns, {*self.evaluations, *self.book.agents}))

    def newest_ids(self) -> set[str]:
        """Ids of the newest evaluations of coached agents, `COMPARED_MAX` at most."""
        found = [one for agent in self.agents() for one in self.evaluations.get(agent, ())]
        found.sort(key=lambda one: (one.as_of, one.evaluation_id))
        return {one.evaluation_id for one in found[-COMPARED_MAX:]}

    def take(self, turn: Turn) -> None:
        """Check a turn that was not read before, if its agent was coached."""
        if turn.outcome == "aborted" or not self.concerns(turn.agent):
            return
        self.checks.take(turn)
        checked = self.checks.rows[turn.agent].all()[-1]
        self.turns.setdefault(turn.agent, []).append(
            PlayedTurn(turn.turn_id, turn.as_of, turn.version, is_decision(turn), checked.results)
        )


def has_changes(own: AgentPrompts) -> bool:
    """True if an agent has a version, proposal or trial other than the text of its first file."""
    return len(own.versions) > 1 or own.pending is not None or bool(own.trials)
