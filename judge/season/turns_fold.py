"""Turns and model calls, folded from `agent.turns` and `llm.calls`. Pure.

A router that was frozen can append a second `Turn`, a chat node a second `LlmCall`: the first
record of a turn id and of a call id counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import NamedTuple

from arena.agent_health import is_decision
from arena.gate_counts import SkipFold
from arena.messages import AgentSpec, LlmCall, RejectReason, SkippedSnapshots, Turn, TurnStarted
from arena.messages.gates import SkippedFor
from arena.shadow_agents import is_shadow
from judge.season.accounts_fold import UNINDEXED
from judge.season.incomparable import Contestant, contestant_of, note_contestant
from judge.season.packed_rows import PackedRows, RecentIds
from judge.season.types import LlmSpend, TurnSummary
from judge.season.versions_played import FirstPlayed, note_version

FINAL_TEXT_MAX = 400
"""Characters of a model's final text that are kept."""
SEED_FIELDS = ("seed", "random_seed")
"""Names that providers use for the seed."""
UNUSABLE = frozenset(
    {
        RejectReason.MALFORMED_ARGUMENTS,
        RejectReason.UNKNOWN_PRODUCT,
        RejectReason.INVALID_QUANTITY,
        RejectReason.BAD_INCREMENT,
    }
)
"""Rejections of orders that could not be understood, as opposed to not afforded."""


@dataclass(slots=True)
class RecordedTurn:
    """A recorded turn; `complete` adds the outcomes of its orders to `decision`.

    Attributes:
        refused: Ids of the tool calls that were not answered "ok".
    """

    agent: str
    snapshot_id: str
    decision: TurnSummary
    refused: tuple[str, ...]

    def complete(self, orders: int, rejected: dict[str, RejectReason], filled: set[str]) -> None:
        """Add the outcomes of the orders: their number, and how many outputs were unusable.

        Args:
            orders: Number of decided orders of this turn.
            rejected: Order id -> reason, of all rejected orders of the agent.
            filled: Ids of all filled orders of the agent.
        """
        invalid = sum(
            rejected[call] in UNUSABLE if call in rejected else call not in filled
            for call in self.refused
        )
        invalid += self.decision.outcome in ("failed", "max_rounds")
        if (orders, invalid) != (self.decision.orders, self.decision.invalid):
            self.decision = replace(self.decision, orders=orders, invalid=invalid)


class ModelCall(NamedTuple):
    """The fields of one model call that a season needs.

    Attributes:
        seeded: True if the model was sent a seed.
    """

    turn_id: str
    ok: bool
    replayed: bool
    scripted: bool
    prompt_tokens: int
    completion_tokens: int
    cost_usd: Decimal | None
    latency_ms: float
    seeded: bool = False


class AgentIdentity(NamedTuple):
    """Strategy and model of an agent, from its newest turn."""

    strategy: str
    node: str
    model: str
    scripted: bool


@dataclass(slots=True)
class TurnsFold:
    """The fold of turns and model calls.

    Attributes:
        turns: Agent -> its turns in the order of the log.
        calls: Agent -> its model calls.
        identities: Agent -> strategy and model of its newest turn.
        contestants: Agent -> contestants that played under its name, oldest first.
        versions: Agent -> versions of its text that it decided by, with their first snapshots.
        cutoffs: Agent -> training cut-off that the operator of its chat node stated.
        answered: Agent -> snapshot of its newest turn.
        begun: Turn id -> snapshot, of turns that have not ended.
        skips: Agent -> sums of its skipped snapshots.
        present: Agent with such records -> first and last offset of each run of snapshots that its
            router answered or skipped, in the order of the log.
        ended_ids, called_ids: Newest ids of ended turns and of model calls.
    """

    turns: dict[str, PackedRows[RecordedTurn]] = field(default_factory=dict)
    calls: dict[str, PackedRows[ModelCall]] = field(default_factory=dict)
    identities: dict[str, AgentIdentity] = field(default_factory=dict)
    contestants: dict[str, list[Contestant]] = field(default_factory=dict)
    versions: dict[str, FirstPlayed] = field(default_factory=dict)
    cutoffs: dict[str, str] = field(default_factory=dict)
    answered: dict[str, str] = field(default_factory=dict)
    begun: dict[str, str] = field(default_factory=dict)
    skips: dict[str, SkipFold] = field(default_factory=dict)
    present: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    ended_ids: RecentIds = field(default_factory=RecentIds)
    called_ids: RecentIds = field(default_factory=RecentIds)

    def note_started(self, message: TurnStarted) -> None:
        """Fold the start of a turn."""
        if message.turn_id not in self.ended_ids:
            self.begun.setdefault(message.turn_id, message.snapshot_id)

    def snapshots_of(self, agent: str) -> dict[str, str]:
        """Return turn id -> snapshot, of an agent's turns and of all turns in progress."""
        turns = self.turns.get(agent, ())
        return self.begun | {turn.decision.turn_id: turn.snapshot_id for turn in turns}

    def note_ended(self, message: Turn) -> bool:
        """Fold the end of a turn; a second record of it changes nothing, and gives False."""
        if message.turn_id in self.ended_ids:
            return False
        self.ended_ids.add(message.turn_id)
        self.begun.pop(message.turn_id, None)
        self.answered[message.agent] = message.snapshot_id
        if message.agent in self.present:
            self._note_present(message.agent, message.snapshot_offset, message.snapshot_offset)
        read = RecordedTurn(
            message.agent, message.snapshot_id, _decision(message), _refused(message)
        )
        self.turns.setdefault(message.agent, PackedRows()).append(read)
        if is_decision(message):
            note_contestant(self.contestants.setdefault(message.agent, []), contestant_of(message))
            known_versions = self.versions.setdefault(message.agent, {})
            note_version(known_versions, message.version, message.snapshot_id)
        known = self.identities.get(message.agent)
        if message.model or known is None:
            self.identities[message.agent] = AgentIdentity(
                message.strategy, message.node, message.model, message.scripted
            )
        return True

    def note_skipped(self, message: SkippedSnapshots) -> None:
        """Fold snapshots on which an agent was not asked; a second record of them is ignored."""
        if not self.skips.setdefault(message.agent, SkipFold()).take(message):
            return
        if message.snapshot_id:
            self.answered[message.agent] = message.snapshot_id
        away = message.counts.get(SkippedFor.UNRECORDED, 0)
        first = message.first_offset + away
        if first <= message.snapshot_offset:
            self._note_present(message.agent, first, message.snapshot_offset)

    def _note_present(self, agent: str, first: int, last: int) -> None:
        runs = self.present.setdefault(agent, [])
        if runs and first == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], last)
        else:
            runs.append((first, last))

    def note_called(self, message: LlmCall) -> None:
        """Fold a model call; a second record of it changes nothing."""
        if message.call_id in self.called_ids:
            return
        self.called_ids.add(message.call_id)
        if message.cutoff:
            self.cutoffs.setdefault(message.agent, message.cutoff)
        usage = message.usage
        cost = usage.cost_usd
        if cost is None and message.scripted:
            cost = Decimal(0)
        self.calls.setdefault(message.agent, PackedRows()).append(
            ModelCall(
                turn_id=message.turn_id,
                ok=message.outcome == "ok",
                replayed=message.replayed,
                scripted=message.scripted,
                prompt_tokens=usage.prompt_tokens,
                completion_tokens=usage.completion_tokens,
                cost_usd=cost,
                latency_ms=message.latency_ms,
                seeded=_is_seeded(message),
            )
        )


def spend_of(calls: list[ModelCall]) -> LlmSpend:
    """Return the totals of an entry's model calls."""
    paid = [call for call in calls if not call.replayed]
    answered = [call.latency_ms for call in calls if call.ok]
    return LlmSpend(
        calls=len(calls),
        failed=sum(not call.ok for call in calls),
        replayed=len(calls) - len(paid),
        scripted=sum(call.scripted for call in calls),
        unpriced=sum(call.cost_usd is None for call in calls),
        prompt_tokens=sum(call.prompt_tokens for call in calls),
        completion_tokens=sum(call.completion_tokens for call in calls),
        cost_usd=_total(calls),
        paid_usd=_total(paid),
        latency_ms=sum(answered) / len(answered) if answered else None,
        answered=sum(_is_of_model(call) for call in calls),
        seeded=sum(_is_of_model(call) and call.seeded for call in calls),
    )


def shadow_spend(turns: TurnsFold, roster: Mapping[str, AgentSpec]) -> LlmSpend:
    """Return the totals of the model calls of all shadow agents."""
    found = [own for name, own in turns.calls.items() if is_shadow(name, roster.get(name))]
    return spend_of([call for own in found for call in own])


def _is_of_model(call: ModelCall) -> bool:
    return call.ok and not call.scripted


def _is_seeded(call: LlmCall) -> bool:
    options = call.options or {}
    return any(options.get(name) is not None for name in SEED_FIELDS)


def _total(calls: list[ModelCall]) -> Decimal | None:
    total = Decimal(0)
    for call in calls:
        if call.cost_usd is None:
            return None
        total += call.cost_usd
    return total


def _refused(turn: Turn) -> tuple[str, ...]:
    return tuple(
        call_id
        for one in turn.rounds
        for call_id, ok in zip(one.tool_call_ids, one.tools_ok, strict=False)
        if not ok
    )


def _decision(turn: Turn) -> TurnSummary:
    return TurnSummary(
        index=UNINDEXED,
        turn_id=turn.turn_id,
        as_of=turn.as_of,
        outcome=turn.outcome,
        error=turn.error,
        rounds=len(turn.rounds),
        calls=sum(len(one.tool_call_ids) for one in turn.rounds),
        calls_refused=len(_refused(turn)),
        orders=0,
        invalid=0,
        skipped=turn.skipped_snapshots,
        prompt_tokens=turn.usage.prompt_tokens,
        completion_tokens=turn.usage.completion_tokens,
        cost_usd=turn.usage.cost_usd,
        model_ms=sum(one.model_ms for one in turn.rounds),
        total_ms=turn.total_ms,
        snapshot_age_ms=turn.snapshot_age_ms,
        final_text=turn.final_text[:FINAL_TEXT_MAX],
        decided=is_decision(turn),
        cause=turn.cause,
    )
