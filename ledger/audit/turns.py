"""Finds the effective record of every turn, for several invariants. Pure.

A turn can be recorded twice: by a router that was replaced, or by a forged record with its id. The
effective record is the first one in the partition of its agent, after the record of the turn's
start. Others are counted, and reported if they differ.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from arena import topics
from arena.topics import partition_of
from ledger.audit.checker import Scope
from ledger.audit.decoding import DecodedRecord, Json, prompt_sha256

TURNS = topics.TURNS.name
NAMED_MAX = 5


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """The content of a `Turn` record.

    Attributes:
        rank: 0 for a record in the right partition; the record with the lowest rank is effective.
        prompt: The prompt hash that it names.
        found: The hash of the prompt that it holds; "" if it holds none.
        rounds: Call id, outcome and ids of the tool calls of each round.
    """

    location: str
    turn_id: str
    agent: str
    outcome: str
    snapshot_id: str
    snapshot_offset: int
    rank: int
    prompt: str
    found: str
    rounds: tuple[tuple[str, str, tuple[str, ...]], ...]

    @property
    def subject(self) -> str:
        """The ids of the turn and its agent."""
        return f"turn {self.turn_id}, agent {self.agent}"

    def content(self) -> tuple[object, ...]:
        """Return everything but the location."""
        return self.outcome, self.snapshot_id, self.snapshot_offset, self.prompt, self.rounds


@dataclass(frozen=True, slots=True)
class TurnStart:
    """The content of a `TurnStarted` record; `rank` as in `TurnRecord`."""

    location: str
    snapshot_offset: int
    rank: int


@dataclass(slots=True)
class TurnIndex:
    """The turns by id.

    Attributes:
        scope: What records will come.
        effective: Turn id -> its effective record, after `finish`.
        started: Turn id -> its effective `TurnStarted` record.
        asked: Turns that a request to a model or a model call names.
        counts: Counts of other records. others: locations of records that differ.
    """

    scope: Scope
    effective: dict[str, TurnRecord] = field(default_factory=dict)
    started: dict[str, TurnStart] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    others: list[str] = field(default_factory=list)
    _begun: set[tuple[int, str]] = field(default_factory=set)
    _records: dict[str, list[TurnRecord]] = field(default_factory=lambda: defaultdict(list))

    def take(self, decoded: DecodedRecord) -> None:
        """Note a record of any topic."""
        if decoded.topic == TURNS:
            body = decoded.body or {}
            if decoded.kind == "TurnStarted":
                self._start(decoded, body)
            elif decoded.kind == "Turn":
                record = self._read(decoded, body)
                self._records[record.turn_id].append(record)
        elif decoded.kind in ("ChatRequest", "LlmCall"):
            self.asked.add(str((decoded.body or {}).get("turn_id")))

    def _start(self, decoded: DecodedRecord, body: Json) -> None:
        turn_id = str(body["turn_id"])
        rank = int(not self._is_proper(decoded, str(body["agent"])))
        started = TurnStart(decoded.location, int(body["snapshot_offset"]), rank)
        known = self.started.setdefault(turn_id, started)
        if rank < known.rank:
            self.started[turn_id] = started
        self._begun.add((decoded.record.partition, turn_id))

    def _is_proper(self, decoded: DecodedRecord, agent: str) -> bool:
        """True if a record is in the partition of its agent, with the key of its agent."""
        shards = len(self.scope.spans.get(TURNS, {})) or 1
        record = decoded.record
        return record.key_text == agent and record.partition == partition_of(agent, shards)

    def _read(self, decoded: DecodedRecord, turn: Json) -> TurnRecord:
        partition = decoded.record.partition
        turn_id, agent = str(turn["turn_id"]), str(turn["agent"])
        proper = self._is_proper(decoded, agent)
        messages = turn["messages"]
        return TurnRecord(
            location=decoded.location,
            turn_id=turn_id,
            agent=agent,
            outcome=str(turn["outcome"]),
            snapshot_id=str(turn["snapshot_id"]),
            snapshot_offset=int(turn["snapshot_offset"]),
            rank=2 * (not proper) + ((partition, turn_id) not in self._begun),
            prompt=str(turn["prompt_sha256"]),
            found=prompt_sha256(messages) if messages else "",
            rounds=tuple(
                (str(r["call_id"]), str(r["outcome"]), tuple(map(str, r["tool_call_ids"])))
                for r in turn["rounds"]
            ),
        )

    def finish(self) -> None:
        """Choose the effective record of every turn, after the last record."""
        for turn_id, records in self._records.items():
            first = self.effective[turn_id] = min(records, key=lambda one: one.rank)
            for other in records:
                if other is first:
                    continue
                same = other.content() == first.content()
                self.counts["turns told twice" if same else "turns told again, otherwise"] += 1
                if not same and len(self.others) < NAMED_MAX:
                    self.others.append(other.location)
        self._records.clear()

    def has_trace(self, turn_id: str) -> bool:
        """True if a request or a model call names a turn, or if requests are missing."""
        return turn_id in self.asked or not self.whole(topics.PROMPTED.name)

    def whole(self, family: str) -> bool:
        """True if every topic of a family is there from its first record."""
        spans = [s for t, s in self.scope.spans.items() if t.startswith(family)]
        return bool(spans) and all(span.first == 0 for found in spans for span in found.values())
