"""What an agent remembers: a line for each of its last decisions, its account, its last offset.

Line and account are computed when a turn ends and are stored in its `Turn`, so folding an agent's
records of `agent.turns` restores exactly what it remembered before a restart. The first `Turn` of a
turn counts; a second one, from a process that had lost the agent, is ignored. Pure.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import JsonValue
from pydantic_core import from_json

from arena import topics
from arena.agent_health import is_decision
from arena.gate_counts import covers_new_snapshots
from arena.messages import (
    MISSED,
    Message,
    RequestedCall,
    SkippedSnapshots,
    ToolResult,
    Turn,
    TurnStarted,
)
from arena.messages.tools import CANCEL_TOOL, EXIT_TOOL
from routers.gates import DAY, CallsMade, LastTurn
from routers.portfolio import KnownPortfolio, portfolio_after

TURNS_REMEMBERED = 5
FINAL_TEXT_CHARS_MAX = 160
TRADES_SHOWN_MAX = 4
PHRASE_CHARS_MAX = 120
TURN_IDS_MAX = 64
"""Ids of ended turns to keep, to recognise a second `Turn`."""
CALLS_KEPT = 10_000
"""Turns of the last day of venue time whose calls are kept: no cap is higher."""

CLOSING_WORD = "reasoning:"
PAST_TENSE = {"buy": "bought", "sell": "sold"}


@dataclass(slots=True)
class AgentHistory:
    """An agent's records of `agent.turns`, folded.

    Attributes:
        lines: One line per remembered decision, oldest first.
        last_offset: Offset of the newest snapshot that a turn was started on; -1 for none.
        last_as_of: Venue time of that snapshot.
        open_turn: The started turn that has not ended, or None.
        known: The account as the agent knows it, or None.
        turns: How many turns ended.
        complete: True if the records were read from the first one on.
        since: Venue time of the oldest record that was read.
        last_started: The newest `TurnStarted`, or None.
        covered: Offset of the newest snapshot that a turn or a record of skipped ones covers; -1
            for none.
        covered_as_of: Venue time of that record.
        skipped: Reason -> snapshots that were skipped since the last turn.
        calls: Model calls of each turn in the last day of venue time, oldest first.
        heard_seq: The agent was told of all closed orders up to this sequence number.
        feedback_from: Feedback at earlier offsets was used before the last turn.
        feedback_used: Ids of the feedback that the last turn used.
    """

    lines: deque[str] = field(default_factory=lambda: deque(maxlen=TURNS_REMEMBERED))
    last_offset: int = -1
    last_as_of: datetime | None = None
    open_turn: TurnStarted | None = None
    known: KnownPortfolio | None = None
    turns: int = 0
    complete: bool = False
    since: datetime | None = None
    last_started: TurnStarted | None = None
    covered: int = -1
    covered_as_of: datetime | None = None
    skipped: Counter[str] = field(default_factory=Counter)
    calls: deque[CallsMade] = field(default_factory=lambda: deque(maxlen=CALLS_KEPT))
    heard_seq: int = 0
    feedback_from: int = 0
    feedback_used: tuple[str, ...] = ()
    _ended: deque[str] = field(default_factory=lambda: deque(maxlen=TURN_IDS_MAX))

    def begin(self, started: TurnStarted) -> None:
        """Record the start of a turn, unless it has ended already."""
        if self.has_ended(started.turn_id):
            return
        self.open_turn = self.last_started = started
        if (first := started.read_to.get(topics.FEEDBACK.name)) is not None:
            self.feedback_from, self.feedback_used = first, ()
        self._advance_to(started.snapshot_offset, started.as_of)
        self._note_calls(started.turn_id, started.as_of, started.calls_max or 1)

    def skip(self, skipped: SkippedSnapshots) -> bool:
        """Record skipped snapshots; False if they are covered by earlier records."""
        is_new = covers_new_snapshots(skipped, self.covered, self.covered_as_of)
        if is_new or skipped.snapshot_offset > self.covered:
            self.covered, self.covered_as_of = skipped.snapshot_offset, skipped.as_of
        if is_new:
            self.skipped.update(skipped.counts)
        return is_new

    @property
    def last_turn(self) -> LastTurn | None:
        """What the gates know of the last turn, or None before the first."""
        if self.last_offset < 0 or self.last_as_of is None:
            return None
        started = self.last_started
        known = started is not None and started.as_of == self.last_as_of
        mids = started.mids if started is not None and known else {}
        return LastTurn(self.last_offset, self.last_as_of, mids)

    def covers(self, turn_id: str, offset: int, as_of: datetime) -> bool:
        """True if a snapshot was answered or skipped already, or is a copy of one that was.

        An older offset with a newer venue time means that the topic was created again.
        """
        if self.has_ended(turn_id):
            return True
        if offset > self.covered or self.covered_as_of is None:
            return False
        return as_of <= self.covered_as_of

    def forget_offsets(self) -> None:
        """Forget offsets of snapshots: the topic was created again."""
        self.last_offset = self.covered = -1

    def is_due(self, offset: int, cadence: int) -> bool:
        """True if a snapshot is due: it is the first, an older one, or `cadence` after the last."""
        return not 0 <= self.last_offset < offset < self.last_offset + cadence

    def skipped_before(self, offset: int, cadence: int) -> int:
        """How many snapshots were missed before this one: skipped, and not by a gate or cadence."""
        if self.skipped:
            return sum(count for reason, count in self.skipped.items() if reason in MISSED)
        return max(0, offset - self.last_offset - cadence) if self.last_offset >= 0 else 0

    def has_ended(self, turn_id: str) -> bool:
        """True if this turn is one of the newest that ended."""
        return turn_id in self._ended

    def end(self, turn: Turn) -> bool:
        """Record the end of a turn; False if it had ended before."""
        if self.has_ended(turn.turn_id):
            return False
        self._ended.append(turn.turn_id)
        self.turns += 1
        self.known = portfolio_after(turn, self.known)
        self.heard_seq = max(self.heard_seq, turn.heard_seq)
        if self.open_turn is not None and self.open_turn.turn_id == turn.turn_id:
            self.open_turn = None
        self._advance_to(turn.snapshot_offset, turn.as_of)
        if turn.outcome != "aborted":  # Else calls may have been in flight, or are not known.
            self._note_calls(turn.turn_id, turn.as_of, len(turn.rounds))
        if turn.owner is not None and is_decision(turn):
            self.feedback_used = turn.owner.feedback
        if turn.memory:
            self.lines.append(turn.memory)
        return True

    def _advance_to(self, offset: int, as_of: datetime) -> None:
        if offset >= self.last_offset:
            self.last_offset, self.last_as_of = offset, as_of
        if offset > self.covered:
            self.covered, self.covered_as_of = offset, as_of
            self.skipped.clear()

    def _note_calls(self, turn_id: str, as_of: datetime, calls: int) -> None:
        """Note the calls of a turn, instead of what was noted about it before."""
        while self.calls and self.calls[0].as_of <= as_of - DAY:
            self.calls.popleft()
        if self.calls and self.calls[-1].turn_id == turn_id:
            self.calls.pop()
        self.calls.append(CallsMade(turn_id, as_of, calls))


def fold_history(agent: str, records: Iterable[Message]) -> AgentHistory:
    """Fold the history of an agent from records of `agent.turns`, in log order."""
    history = AgentHistory()
    for record in records:
        if history.since is None and isinstance(record, Turn | TurnStarted | SkippedSnapshots):
            history.since = record.as_of
        if isinstance(record, TurnStarted) and record.agent == agent:
            history.begin(record)
        elif isinstance(record, Turn) and record.agent == agent:
            history.end(record)
        elif isinstance(record, SkippedSnapshots) and record.agent == agent:
            history.skip(record)
    return history


def memory_line(as_of: datetime, trades: list[str], final_text: str) -> str:
    """One line about a turn: venue time, trades, and the model's reasoning.

    Args:
        as_of: Venue time of the snapshot.
        trades: Phrases from `trade_phrase`, in order.
        final_text: The model's final text.
    """
    done = ", ".join(trades[:TRADES_SHOWN_MAX]) or "no trade"
    if (more := len(trades) - TRADES_SHOWN_MAX) > 0:
        done += f" and {more} more"
    reasoning = " ".join(_closing(final_text).split()).replace('"', "'")
    if len(reasoning) > FINAL_TEXT_CHARS_MAX:
        reasoning = reasoning[: FINAL_TEXT_CHARS_MAX - 3] + "..."
    return f"{as_of:%H:%M} {done}" + (f': "{reasoning}"' if reasoning else "")


def _closing(final_text: str) -> str:
    """The text after the last "Reasoning:", or all of it if there is none."""
    at = final_text.lower().rfind(CLOSING_WORD)
    return final_text[at + len(CLOSING_WORD) :] if at >= 0 else final_text


def trade_phrase(call: RequestedCall, result: ToolResult | None) -> str:
    """The outcome of a call that the executor decides, in a few words.

    Args:
        call: The call as the model wrote it.
        result: The result, or None if none came in time.
    """
    value = result.value if result is not None and isinstance(result.value, Mapping) else {}
    asked = _arguments(call.arguments)
    action, quantity, product_id = (
        str(value.get(name) or asked.get(name) or "?")
        for name in ("action", "quantity", "product_id")
    )
    order = f"{quantity} {product_id}"
    wanted, done = f"{action} {order}", f"{PAST_TENSE.get(action.lower(), action)} {order}"
    if call.name == EXIT_TOOL:
        wanted, done = f"set exits of {product_id}", f"set exits of {product_id}"
    elif call.name == CANCEL_TOOL:
        which = "all orders" if asked.get("order_id") == "all" else "an order"
        wanted, done = f"cancel {which}", f"cancelled {which}"
    elif value.get("outcome") == "accepted":
        done = f"placed a limit order to {wanted} at {asked.get('limit_price', '?')}"
    elif price := value.get("price"):
        done += f" at {price}" + (
            "; the rest waits" if value.get("outcome") == "part_filled" else ""
        )
    if result is None:
        phrase = f"asked to {wanted} (no answer in time)"
    elif not result.ok:
        phrase = f"refused to {wanted} ({result.error or 'see the tool message'})"
    else:
        phrase = done
    return " ".join(phrase.split())[:PHRASE_CHARS_MAX]


def _arguments(text: str) -> Mapping[str, JsonValue]:
    try:
        value = from_json(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
