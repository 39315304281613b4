"""The progress of a contest: a fold of its topics, and one line of text. Pure.

Reads `market.snapshots`, `agent.turns`, `llm.calls`, `arena.roster` and `judge.evaluations`.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from arena.durations import elapsed_text
from arena.gate_counts import GateFigures, GateFold, total_saved
from arena.gate_settings import OFF, gates_text
from arena.messages import (
    AgentSpec,
    Evaluation,
    LlmCall,
    MarketSnapshot,
    Message,
    SkippedSnapshots,
    Turn,
    TurnStarted,
)
from arena.plural import counted
from arena.shadow_agents import is_shadow, shadow_cost_text
from operations.commands.compete_health import ContestHealth, health_texts

RATE_SNAPSHOTS_MIN = 3
"""With fewer snapshots the time left is not estimated."""


@dataclass(slots=True)
class ContestProgress:
    """The counts of a contest so far.

    Attributes:
        planned: Snapshots of the whole contest.
        snapshots: Published snapshots, with those that retention has deleted.
        agents: Names of the agents.
        last: Offset of the contest's last snapshot; None until it is published.
        turns: All recorded turns. aborted: The turns among them that were cut off.
        calls: Calls that were made: neither scripted nor replayed.
        tokens: Tokens of the calls that reached a model. cost_usd: Their cost.
        estimated: True if a server did not count its tokens and they were estimated.
        replayed: Calls that were answered from a recording.
        unpriced: Models without a known price.
        judged: The most snapshots that an evaluation of the judge covers.
        shadow_calls: Calls for shadow agents of trials; `tokens` and `cost_usd` have them, too.
        shadow_cost_usd: Their cost.
        health: Which agents are alive.
    """

    planned: int
    agents: Collection[str]
    snapshots: int = 0
    last: int | None = None
    turns: int = 0
    aborted: int = 0
    calls: int = 0
    tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    estimated: bool = False
    replayed: int = 0
    unpriced: set[str] = field(default_factory=set)
    judged: int = 0
    shadow_calls: int = 0
    shadow_cost_usd: Decimal = Decimal(0)
    health: ContestHealth = field(default_factory=lambda: ContestHealth(()))
    _newest: dict[str, Turn | SkippedSnapshots] = field(default_factory=dict)
    _folds: dict[str, GateFold] = field(default_factory=dict)
    _gates: dict[str, str] = field(default_factory=dict)
    _ended: set[str] = field(default_factory=set)
    _seen: set[str] = field(default_factory=set)
    _last_as_of: datetime | None = None
    _open: dict[str, str] = field(default_factory=dict)
    _is_after_last: bool = False

    def apply(self, message: Message, offset: int) -> None:
        """Fold one message; a redelivered message counts once.

        Args:
            message: A message of one of the topics.
            offset: Its offset in its partition.
        """
        match message:
            case MarketSnapshot():
                if message.snapshot_id not in self._seen:
                    self._seen.add(message.snapshot_id)
                    self.snapshots += 1
                    if self.snapshots >= self.planned and self.last is None:
                        self.last, self._last_as_of = offset, message.as_of
                    elif self.last is not None:
                        self._is_after_last = True
            case TurnStarted():
                if message.turn_id not in self._ended:
                    self._open[message.agent] = message.turn_id
            case Turn():
                if message.turn_id not in self._ended and not self._is_shadow(message.agent):
                    self._ended.add(message.turn_id)
                    if self._open.get(message.agent) == message.turn_id:
                        del self._open[message.agent]
                    self._newest[message.agent] = message
                    self.turns += 1
                    self.aborted += message.outcome == "aborted"
                    self.health.add_turn(message)
                    self._folds.setdefault(message.agent, GateFold()).ended(message)
            case SkippedSnapshots():
                if self._folds.setdefault(message.agent, GateFold()).skips.take(message):
                    self._newest[message.agent] = message
            case AgentSpec():
                self.health.add_agent(message)
                self._gates[message.agent] = gates_text(message.gates, message.cadence)
            case Evaluation():
                self.judged = max(self.judged, message.snapshots)
            case LlmCall():
                self._call(message)
            case _:
                pass

    @property
    def is_judged(self) -> bool:
        """True if a judge has evaluated the contest up to its planned end."""
        return self.judged >= self.planned

    @property
    def gates(self) -> dict[str, GateFigures]:
        """Agent -> what its gates did."""
        folds = {agent: self._folds.get(agent, GateFold()) for agent in self.agents}
        return {agent: one.figures(self._gates.get(agent, OFF)) for agent, one in folds.items()}

    @property
    def all_decided(self) -> bool:
        """True when every agent has decided on the last snapshot or a later one, or skipped it.

        In real time an agent's router records skipped snapshots only now and then. So an agent that
        is not in a turn when a further snapshot is there has skipped the last one.
        """
        return self.last is not None and all(
            self._is_in(self._newest.get(agent)) or self._is_held_back(agent)
            for agent in self.agents
        )

    def _is_held_back(self, agent: str) -> bool:
        """True if the agent's gates let a snapshot after the last one pass without a turn."""
        is_gated = self._gates.get(agent, OFF) != OFF and agent in self._newest
        return is_gated and self._is_after_last and agent not in self._open

    def _is_in(self, turn: Turn | SkippedSnapshots | None) -> bool:
        """Compare offset and venue time: a topic that was created again has smaller offsets."""
        if turn is None or self.last is None or self._last_as_of is None:
            return False
        return turn.snapshot_offset >= self.last and turn.as_of >= self._last_as_of

    def _is_shadow(self, agent: str) -> bool:
        return agent not in self.agents and is_shadow(agent)

    def _call(self, call: LlmCall) -> None:
        usage, shadow = call.usage, self._is_shadow(call.agent)
        self.shadow_calls += shadow
        if call.scripted:
            return
        if call.replayed:
            self.replayed += 1
            return
        self.calls += 1
        self.tokens += usage.prompt_tokens + usage.completion_tokens
        self.estimated = self.estimated or usage.estimated
        if usage.cost_usd is not None:
            self.cost_usd += usage.cost_usd
            self.shadow_cost_usd += usage.cost_usd if shadow else 0
        elif usage.prompt_tokens:
            self.unpriced.add(call.model)


def progress_line(progress: ContestProgress, elapsed_s: float, done_before: int) -> str:
    """One line: snapshots, time left, failures, turns, tokens, cost.

    Args:
        progress: The counts so far.
        elapsed_s: Wall time since `done_before` snapshots were done.
        done_before: Snapshots that the rate does not count.
    """
    done = min(progress.snapshots, progress.planned)
    parts = [
        f"{done}/{progress.planned} snapshots {done / progress.planned:4.0%}",
        _left(progress.planned - done, done - done_before, elapsed_s),
        *health_texts(progress.health),
        counted(progress.turns, "turn"),
    ]
    if progress.replayed:
        parts.append(f"{progress.replayed:,} replies replayed")
    if progress.tokens or not progress.replayed:
        parts.append(tokens_text(progress))
        parts.append(cost_text(progress))
    return "  ".join(parts)


def gates_line(progress: ContestProgress) -> str:
    """What the gates saved in all, as a sentence; "" if they were off."""
    gated, calls, usd = total_saved(progress.gates.values())
    if not gated:
        return ""
    dollars = "cost unknown" if usd is None else f"${usd:.2f}"
    return f"Gates saved about {calls:,.0f} model calls, {dollars} (estimate)."


def shadows_line(progress: ContestProgress) -> str:
    """What the shadow agents of trials cost, as a sentence; "" without any."""
    if not progress.shadow_calls:
        return ""
    return f"{shadow_cost_text(progress.shadow_calls, progress.shadow_cost_usd)}."


def tokens_text(progress: ContestProgress) -> str:
    """The tokens of a contest: "12,300 tokens", or "~12,300 tokens (estimated)"."""
    if progress.estimated:
        return f"~{progress.tokens:,} tokens (estimated)"
    return f"{progress.tokens:,} tokens"


def cost_text(progress: ContestProgress) -> str:
    """The cost of the models: "$0.12", or "$0.12 plus models without a known price"."""
    unknown = " plus models without a known price" if progress.unpriced else ""
    return f"${progress.cost_usd:.2f}{unknown}"


def _left(left: int, done: int, elapsed_s: float) -> str:
    if left <= 0:
        return "last turns"
    if done < RATE_SNAPSHOTS_MIN:
        return "starting"
    return f"{elapsed_text(left * elapsed_s / done)} left"
