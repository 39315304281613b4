"""How far a contest is: a fold of its topics, and the line that says so. Pure.

Reads `market.snapshots`, `agent.turns`, `llm.calls`, `arena.roster` and `judge.evaluations`.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from arena.messages import AgentSpec, Evaluation, LlmCall, MarketSnapshot, Message, Turn
from arena.plural import counted
from operations.commands.compete_health import Health, health_texts

RATE_SNAPSHOTS_MIN = 3
"""Fewer say nothing about how long the rest will take."""


@dataclass(slots=True)
class ContestProgress:
    """What has happened so far.

    Attributes:
        wanted: Snapshots of the whole contest.
        agents: Who takes part.
        last: Offset of the contest's last snapshot; None before it is there.
        turns: All that were recorded. aborted: those of them that were cut off.
        tokens: Of calls that went to a model. cost_usd: what they cost.
        estimated: True if a server did not count them, and they were estimated.
        replayed: Calls that were answered from a recording.
        unpriced: Models whose price nobody knows.
        judged: Snapshots of the longest part of the contest that a judge has evaluated.
        health: Who is alive.
    """

    wanted: int
    agents: Collection[str]
    snapshots: int = 0
    last: int | None = None
    turns: int = 0
    aborted: int = 0
    tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    estimated: bool = False
    replayed: int = 0
    unpriced: set[str] = field(default_factory=set)
    judged: int = 0
    health: Health = field(default_factory=lambda: Health(()))
    _newest: dict[str, Turn] = field(default_factory=dict)
    _ended: set[str] = field(default_factory=set)
    _seen: set[str] = field(default_factory=set)
    _last_as_of: datetime | None = None

    def apply(self, message: Message, offset: int) -> None:
        """Fold one message; what a redelivery brings twice counts once.

        Args:
            message: Of one of the topics.
            offset: Where it stands in its partition.
        """
        match message:
            case MarketSnapshot():
                if message.snapshot_id not in self._seen:
                    self._seen.add(message.snapshot_id)
                    self.snapshots += 1
                    if self.snapshots == self.wanted:
                        self.last, self._last_as_of = offset, message.as_of
            case Turn():
                if message.turn_id not in self._ended:
                    self._ended.add(message.turn_id)
                    self._newest[message.agent] = message
                    self.turns += 1
                    self.aborted += message.outcome == "aborted"
                    self.health.ended(message)
            case AgentSpec():
                self.health.joined(message)
            case Evaluation():
                self.judged = max(self.judged, message.snapshots)
            case LlmCall():
                self._call(message)
            case _:
                pass

    @property
    def is_judged(self) -> bool:
        """True if a judge has evaluated the contest up to its planned end."""
        return self.judged >= self.wanted

    @property
    def all_in(self) -> bool:
        """True when every agent has decided on the last snapshot, or on a later one."""
        newest = (self._newest.get(agent) for agent in self.agents)
        return self.last is not None and all(self._is_in(turn) for turn in newest)

    def _is_in(self, turn: Turn | None) -> bool:
        """True by offset and by venue time: a topic that was created again has smaller offsets."""
        if turn is None or self.last is None or self._last_as_of is None:
            return False
        return turn.snapshot_offset >= self.last and turn.as_of >= self._last_as_of

    def _call(self, call: LlmCall) -> None:
        if call.scripted:
            return
        if call.replayed:
            self.replayed += 1
            return
        usage = call.usage
        self.tokens += usage.prompt_tokens + usage.completion_tokens
        self.estimated = self.estimated or usage.estimated
        if usage.cost_usd is not None:
            self.cost_usd += usage.cost_usd
        elif usage.prompt_tokens:
            self.unpriced.add(call.model)


def progress_line(tally: ContestProgress, elapsed_s: float, began_at: int) -> str:
    """One line for people: snapshots, time left, what failed, turns, tokens, cost.

    Args:
        tally: So far.
        elapsed_s: Since the count stood at `began_at`, wall time.
        began_at: Snapshots that were done by then: what a rate does not count.
    """
    done = min(tally.snapshots, tally.wanted)
    parts = [
        f"{done}/{tally.wanted} snapshots {done / tally.wanted:4.0%}",
        _left(tally.wanted - done, done - began_at, elapsed_s),
        *health_texts(tally.health),
        counted(tally.turns, "turn"),
    ]
    if tally.replayed:
        parts.append(f"{tally.replayed:,} replies replayed")
    if tally.tokens or not tally.replayed:
        parts.append(tokens_text(tally))
        parts.append(cost_text(tally))
    return "  ".join(parts)


def tokens_text(tally: ContestProgress) -> str:
    """The tokens of a contest: "12,300 tokens", or "~12,300 tokens (estimated)"."""
    if tally.estimated:
        return f"~{tally.tokens:,} tokens (estimated)"
    return f"{tally.tokens:,} tokens"


def cost_text(tally: ContestProgress) -> str:
    """What the models cost: "$0.12", or "$0.12 and what has no known price"."""
    unknown = " and what has no known price" if tally.unpriced else ""
    return f"${tally.cost_usd:.2f}{unknown}"


def _left(left: int, done: int, elapsed_s: float) -> str:
    if left <= 0:
        return "last turns"
    if done < RATE_SNAPSHOTS_MIN:
        return "starting"
    return f"{duration_text(left * elapsed_s / done)} left"


def duration_text(seconds: float) -> str:
    """A span as m:ss, h:mm:ss, or days and hours."""
    whole = int(seconds + 0.5)
    days, rest = divmod(whole, 86_400)
    hours, rest = divmod(rest, 3_600)
    if days:
        return f"{days} d {hours} h"
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
