"""The coach, beside the judge: it reads evaluations and proposes changes of prompts.

Reads `judge.evaluations`, `prompts`, `arena.roster` and `arena.control`; writes `prompts`, and
adjustments of limits to `arena.control`. With trials it also acts when one ends. What it did about
an evaluation is in the records themselves, which name it, so a restart does nothing twice. Two
coaches write the same records, of which the fold takes the first.
"""

from dataclasses import dataclass, field

from arena import topics
from arena.bus.base import LogReader, Record
from arena.messages import (
    AgentEvaluation,
    AgentSpec,
    PromptDecided,
    PromptProposed,
    RiskAdjustment,
)
from arena.node import Node
from arena.prompt_versions import PromptBook, short_version
from arena.read_topic import read_list
from arena.risk_requests import key_of_adjustment
from judge.prompts.adjustments import adjustment_of
from judge.prompts.coach import CoachSettings, CoachStep, next_step, trial_step
from judge.season.packed_rows import RecentIds

IDLE_READ_S = 5.0
COACH_TOPICS = (
    topics.EVALUATIONS.name,
    topics.PROMPTS.name,
    topics.ROSTER.name,
    topics.CONTROL.name,
)

KINDS = frozenset(
    kind.type_name()
    for kind in (AgentEvaluation, PromptProposed, PromptDecided, AgentSpec, RiskAdjustment)
)


@dataclass(slots=True)
class CoachState:
    """What the coach knows, folded from its topics.

    Attributes:
        newest: Agent -> its newest evaluation.
        answered: Newest ids of the evaluations that a record of the judge in `prompts` names.
        frozen: Agents whose prompts cannot be changed.
        adjustments: Agent -> the newest adjustment of its limits.
    """

    book: PromptBook = field(default_factory=PromptBook)
    newest: dict[str, AgentEvaluation] = field(default_factory=dict)
    answered: RecentIds = field(default_factory=RecentIds)
    frozen: set[str] = field(default_factory=set)
    adjustments: dict[str, RiskAdjustment] = field(default_factory=dict)

    def apply(self, record: Record) -> None:
        """Fold a record of any of the topics."""
        if record.topic == topics.PROMPTS.name:
            self.book.apply(record)
        message = record.message_or_none() if record.kind in KINDS else None
        if isinstance(message, AgentEvaluation):
            self.newest[message.agent] = message
        elif isinstance(message, PromptProposed | PromptDecided):
            if message.author == "judge" and message.evidence is not None:
                self.answered.add(message.evidence.evaluation_id)
        elif isinstance(message, AgentSpec):
            change = self.frozen.add if message.prompts == "frozen" else self.frozen.discard
            change(message.agent)
        elif isinstance(message, RiskAdjustment):
            self.adjustments[message.agent] = message


class Coach:
    """Acts on the newest evaluation of each agent, once.

    Attributes:
        state: What it has read.
        acted_on: Agent -> id of the evaluation that it acted on last.
        adjusted_to: Offset in `arena.control` after its newest adjustment; 0 before the first.
    """

    def __init__(self, node: Node, settings: CoachSettings) -> None:
        """Create a coach.

        Args:
            node: The running node.
            settings: How it works.
        """
        self.state = CoachState()
        self._node = node
        self._settings = settings
        self.acted_on: dict[str, str] = {}
        self.adjusted_to = 0
        self._reader: LogReader | None = None
        self._by = f"judge/{node.host}"

    async def serve(self) -> None:
        """Follow the topics until cancelled."""
        reader = await self.open()
        try:
            while True:
                await self.step()
                for record in await reader.read(timeout_s=IDLE_READ_S):
                    self.state.apply(record)
        finally:
            await self.close()

    async def open(self) -> LogReader:
        """Open the reader of the topics."""
        bus = self._node.bus
        await bus.ensure_topics([topics.spec_of(name) for name in COACH_TOPICS])
        self._reader = await bus.log_reader(*COACH_TOPICS)
        return self._reader

    async def close(self) -> None:
        """Close it."""
        if self._reader is not None:
            await self._reader.close()

    async def step(self) -> None:
        """Read the topics to their ends, and act on what is new."""
        assert self._reader is not None, "it is open"
        for record in await read_list(self._reader):
            self.state.apply(record)
        await self._act()
        await self._act_on_trials()

    async def _act(self) -> None:
        """Act on evaluations that were not acted on; everything before them was read."""
        for agent, found in sorted(self.state.newest.items()):
            if self.acted_on.get(agent) == found.evaluation_id:
                continue
            if agent not in self.state.frozen:
                if found.evaluation_id not in self.state.answered:
                    await self._take_step(agent, found)
                await self._adjust(agent, found)
            self.acted_on[agent] = found.evaluation_id

    async def _act_on_trials(self) -> None:
        """Act on results of trials of pending proposals; what is decided is not pending."""
        for agent, own in sorted(self.state.book.agents.items()):
            if own.pending is not None and agent not in self.state.frozen:
                at = self._node.clock.now()
                step = trial_step(agent, own, self._settings, by=self._by, at=at)
                await self._carry_out(agent, step)

    async def _take_step(self, agent: str, found: AgentEvaluation) -> None:
        own, at = self.state.book.of(agent), self._node.clock.now()
        step = next_step(own, found, self._settings, by=self._by, at=at)
        await self._carry_out(agent, step)

    async def _carry_out(self, agent: str, step: CoachStep) -> None:
        if step.record is not None:
            await self._node.bus.append(topics.PROMPTS.name, step.record, key=agent)
            self._node.counters["prompt_changes"] += 1
        if step.note:
            self._node.log.info("coach", agent=agent, **_fields(step))

    async def _adjust(self, agent: str, found: AgentEvaluation) -> None:
        active, at = self.state.adjustments.get(agent), self._node.clock.now()
        adjustment = adjustment_of(found, active, self._settings, by=self._by, at=at)
        if adjustment is None:
            return
        key = key_of_adjustment(agent)
        acked = await self._node.bus.append(topics.CONTROL.name, adjustment, key=key)
        self.adjusted_to = acked.offset + 1
        self._node.log.info("limits of exposure are scaled", agent=agent, reason=adjustment.reason)


def _fields(step: CoachStep) -> dict[str, str]:
    record = step.record
    if record is None:
        return {"note": step.note}
    action = "propose" if isinstance(record, PromptProposed) else record.action
    return {"note": step.note, "action": action, "version": short_version(record.version)}
