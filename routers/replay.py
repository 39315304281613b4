"""Replays the recorded turns of every agent, snapshot by snapshot.

Reads an export (`arena.exports`): the snapshots once, and along with them the turns and the inbox
of each agent. Keeps a hash of every request and call, and a bounded part of everything else. If the
export has no requests and inboxes, only the prompts are rendered again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path

from arena import topics
from arena.bus.base import Record
from arena.exports import read_manifest, read_records
from arena.messages import (
    Cause,
    ChatRequest,
    MarketSnapshot,
    PromptSize,
    Sampling,
    SkippedSnapshots,
    ToolCall,
    ToolOffered,
    ToolResult,
    Turn,
    TurnStarted,
)
from arena.topics import partition_of
from routers.account_check import AccountLook, check_call, known_before, look_of
from routers.conversation_limits import ROUNDS_MAX
from routers.prompt import (
    MarketText,
    left_out_text,
    prompt_sha256,
    render_market,
    render_system,
    render_user,
)
from routers.prompt_owner import market_beside
from routers.replay_agent import RecordedAgent
from routers.replay_coaching import RecordedCoaching
from routers.replay_gates import GatedAgent, replay_gates
from routers.replay_inbox import RecordedInbox
from routers.replay_result import TurnReplayResult
from routers.replay_retention import RetainedRecords
from routers.replay_roster import RosterHistory, shown_parts
from routers.replay_strategies import RecordedStrategies
from routers.replay_turn import content_sha256, replay_turn, turn_difference
from routers.replay_turn_filter import authentic_turns
from routers.strategy import Strategy, turn_kinds
from routers.turn_types import Asked, Limits, Now, ResolvedAgent, TurnInput

SNAPSHOTS, TURNS, ROSTER = topics.SNAPSHOTS.name, topics.TURNS.name, topics.ROSTER.name
EVENTS = topics.EVENTS.name
DIFFERENCES_MAX = 100
"""The replay ends after so many differences."""
NO_LIMIT_S = 1e9


@dataclass(frozen=True, slots=True)
class _RecordedRequest:
    """A recorded request or call.

    Attributes:
        sha256: Hash of its content without times.
        timeout_s: From its issue to its deadline.
        in_own_partition: It is in its agent's partition; of several, the first one there counted.
    """

    sha256: str
    timeout_s: float
    in_own_partition: bool


class TurnReplay:
    """Replays the turns of an export."""

    def __init__(self, folder: Path) -> None:
        """Read the roster and the requests of an export.

        Args:
            folder: The folder of the export.

        Raises:
            UsageError: The folder is not an export with snapshots, turns and a roster.
        """
        self._folder = folder
        self._topics = read_manifest(folder).topics
        self._roster = RosterHistory(read_records(folder, [ROSTER]), self._epochs())
        self._has_requests = any(t.startswith(topics.PROMPTED.name) for t in self._topics)
        self._result = TurnReplayResult()
        self._sampling: dict[tuple[str, str], Sampling] = {}
        self._tools: dict[tuple[str, str], tuple[str, ...]] = {}
        self._requests: dict[str, _RecordedRequest] = {}
        self._retained = RetainedRecords(self._topics, self._requests)
        self._first = min((s.first for s in self._topics[SNAPSHOTS].partitions.values()), default=0)
        if self._has_requests:
            self._read_requests()
        self._coaching = RecordedCoaching(
            self._records(topics.PROMPTS.name), self._records(topics.FEEDBACK.name)
        )
        self._strategies = RecordedStrategies(
            self._coaching, self._sampling, self._tools, self._result
        )
        self._hashes = {name: sha256() for name in ("prompts", "asked", "turns")}

    def run(self) -> TurnReplayResult:
        """Replay all turns."""
        found = self._result
        agents = [self._agent(name) for name in sorted(self._roster.specs)]
        found.counts["agents"] = len(agents)
        for record in read_records(self._folder, [SNAPSHOTS]):
            self._replay_snapshot(record, agents)
            if len(found.differences) >= DIFFERENCES_MAX:
                break
        else:
            for agent in (agent for agent in agents if agent.next is not None):
                self._report_missing_snapshot(agent)
        self._replay_gates()
        if not self._has_requests:
            text = "requests and tool calls: not checkable without ai_prompted.* and agent.inbox.*"
            found.notes.append(text)
        for name, digest in self._hashes.items():
            setattr(found, name, digest.hexdigest())
        return found

    def _records(self, topic: str) -> Iterable[Record]:
        return read_records(self._folder, [topic]) if topic in self._topics else ()

    def _epochs(self) -> Iterator[Record]:
        """The epochs of the account log: they state rules that a compacted roster has lost."""
        if EVENTS in self._topics:
            yield from (r for r in read_records(self._folder, [EVENTS]) if r.kind == "Epoch")

    def _replay_gates(self) -> None:
        """Check what the gates decided, of agents whose records are complete."""
        first = {p: span.first for p, span in self._topics[TURNS].partitions.items()}
        agents = []
        for name, specs in sorted(self._roster.specs.items()):
            if all(spec.gates is None for spec in specs):
                continue
            if first.get(partition_of(name, len(first)), 0):
                self._result.notes.append(f"{name}: gates are not checkable without all its turns")
                continue
            agents.append(GatedAgent(name, self._roster, self._turns_of(name)))
        replay_gates(read_records(self._folder, [SNAPSHOTS]), agents, self._result)

    def _turns_of(
        self, agent: str
    ) -> Iterator[tuple[Record, TurnStarted | Turn | SkippedSnapshots]]:
        """The records of an agent that count."""
        records = (
            r for r in read_records(self._folder, [TURNS]) if self._is_own_partition(r, agent)
        )
        end = max((s.end for s in self._topics[SNAPSHOTS].partitions.values()), default=0)
        return authentic_turns(agent, records, end, self._is_forged)

    def _agent(self, agent: str) -> RecordedAgent:
        turns = self._turns_of(agent)
        inbox = None
        if self._has_requests and (name := topics.inbox(agent)) in self._topics:
            for record in islice(read_records(self._folder, [name]), 1):
                self._retained.add(record)
            inbox = RecordedInbox(read_records(self._folder, [name]), self._requests)
        return self._skip_deleted(RecordedAgent(agent, self._roster, turns, inbox))

    def _skip_deleted(self, agent: RecordedAgent) -> RecordedAgent:
        """Move an agent's turns whose snapshots are deleted to its history."""
        while agent.next is not None and agent.next[1].snapshot_offset < self._first:
            self._result.counts["snapshots no longer kept"] += 1
            agent.end(agent.next[1])
        return agent

    def _is_forged(self, turn: Turn) -> bool:
        return self._has_requests and self._retained.is_forged(turn)

    def _read_requests(self) -> None:
        names = [t for t in self._topics if t.startswith(topics.PROMPTED.name)]
        work = (topics.COMMANDS.name, topics.TOOL_CALLS.name)
        names += [name for name in work if name in self._topics]
        found = self._requests
        for record in read_records(self._folder, names):
            self._retained.add(record)
            message = record.message_or_none()
            if not isinstance(message, ChatRequest | ToolCall) or not message.agent:
                continue
            known = found.get(message.call_id)
            in_own_partition = self._is_own_partition(record, message.agent)
            if known is None or (in_own_partition and not known.in_own_partition):
                timeout_s = (message.deadline_at - message.issued_at).total_seconds()
                found[message.call_id] = _RecordedRequest(
                    content_sha256(message), timeout_s, in_own_partition
                )
                if isinstance(message, ChatRequest):
                    whose = (message.agent, message.strategy)
                    self._sampling.setdefault(whose, message.sampling)
                    self._tools.setdefault(whose, tuple(tool.name for tool in message.tools))

    def _is_own_partition(self, record: Record, agent: str) -> bool:
        """True if a record has the key and partition that a router writes to for an agent."""
        number = partition_of(agent, len(self._topics[record.topic].partitions))
        return (record.key_text, record.partition) == (agent, number)

    def _replay_snapshot(self, record: Record, agents: list[RecordedAgent]) -> None:
        """Replay every turn on a snapshot."""
        waiting = [a for a in agents if a.next and a.next[1].snapshot_offset == record.offset]
        if not waiting:
            return
        snapshot = record.message_or_none()
        if not isinstance(snapshot, MarketSnapshot):
            return
        self._result.counts["snapshots"] += 1
        texts: dict[tuple[PromptSize, tuple[str, ...]], MarketText] = {}
        for agent in waiting:
            # Another process may have started a turn on the same snapshot before.
            while agent.next is not None and agent.next[1].snapshot_offset == record.offset:
                place, turn = agent.next
                if turn.messages:
                    key = self._size_of(turn), self._shows_of(turn)
                    if key not in texts:
                        texts[key] = render_market(snapshot, *key)
                    self._result.begin(agent.version)
                    self._replay_turn(agent, place, turn, snapshot, texts[key])
                else:
                    self._result.counts["cut off"] += 1
                agent.end(turn)

    def _replay_turn(
        self,
        agent: RecordedAgent,
        place: str,
        turn: Turn,
        snapshot: MarketSnapshot,
        market: MarketText,
    ) -> None:
        found = self._result
        subject = f"turn {turn.turn_id}, agent {turn.agent}"
        spec = self._roster.spec_at(agent.name, turn.started_at)
        if spec.joined_at > turn.started_at and spec.strategy != turn.strategy:
            spec = self._strategies.spec_from_turn(spec, turn)
        size, strategy = self._size_of(turn), self._strategies.strategy_of(spec, turn)
        known = known_before(agent.history.known, turn.checked, snapshot)
        lines = tuple(agent.history.lines)
        closings = () if turn.checked is None else turn.checked.closings
        owner = self._coaching.owner_text(turn)
        market = market_beside(owner, market, snapshot, size, self._shows_of(turn))
        user = render_user(market, snapshot, known, lines, size, closings, owner)
        system, offers = self._system(strategy, turn, size)
        if system != turn.messages[0].content and spec.joined_at > turn.started_at:
            older = self._strategies.spec_from_turn(spec, turn)
            strategy = self._strategies.strategy_of(older, turn)
            system, offers = self._system(strategy, turn, size)
        digest = prompt_sha256(system, user)
        self._hashes["prompts"].update(f"{turn.turn_id} {digest}\n".encode())
        found.counts["prompts"] += 1
        expected = turn.prompt_sha256
        if not found.expect(
            digest == expected, place, subject, f"prompt {expected}", f"prompt {digest}"
        ):
            return
        if agent.inbox is None:
            return
        kind = turn.turn_kind if spec.joined_at > turn.started_at else spec.turn_kind
        played = turn.turn_kind if turn.turn_kind in turn_kinds() else "none"
        if not found.expect(kind == played, place, subject, f"a turn of kind {kind}", played):
            return
        if not self._retained.has_all(turn):
            found.counts["turns whose requests or answers are no longer kept"] += 1
            return
        limits = self._limits(turn)
        look = self._look_again(agent, turn, snapshot, (place, subject))
        resolved = ResolvedAgent.of(turn.agent, turn.node, strategy, limits, offers.values(), size)
        turn_input = TurnInput(
            snapshot=snapshot,
            snapshot_offset=turn.snapshot_offset,
            skipped=agent.skipped,
            system=system,
            user=user,
            known=known,
            context=market.context,
            left_out=left_out_text(system, market, known, lines, size),
            asked=Asked(turn.asked, turn.asked_by),
            checked=look.check,
            heard_seq=look.heard_seq,
            version=turn.version,
            owner=turn.owner,
        )
        replayed = replay_turn(resolved, turn_input, turn, agent.inbox.find)
        found.counts["turns"] += 1
        self._compare_requests(place, subject, replayed.sent)
        self._compare_turn(place, subject, turn, replayed.turn)

    def _look_again(
        self, agent: RecordedAgent, turn: Turn, snapshot: MarketSnapshot, where: tuple[str, str]
    ) -> AccountLook:
        """What the router was told of the account before a turn, from the agent's inbox."""
        heard_seq = agent.history.heard_seq
        if turn.checked is None or agent.inbox is None:
            return AccountLook(None, heard_seq)
        now = Now(turn.started_at, 0.0)
        self._compare_requests(*where, [check_call(turn.agent, snapshot, now, NO_LIMIT_S)])
        found = agent.inbox.find(turn.checked.call_id)
        result = found[1] if found is not None else None
        return look_of(result if isinstance(result, ToolResult) else None, heard_seq)

    def _size_of(self, turn: Turn) -> PromptSize:
        """The prompt size of a turn: from the roster, or its own if it is older than that."""
        spec = self._roster.spec_at(turn.agent, turn.started_at)
        own = spec.joined_at > turn.started_at and "prompt_size" in turn.model_fields_set
        return turn.prompt_size if own else spec.prompt_size

    def _shows_of(self, turn: Turn) -> tuple[str, ...]:
        """What the prompt of a turn shows: from the roster, as for its size."""
        spec = self._roster.spec_at(turn.agent, turn.started_at)
        return shown_parts(spec, turn)

    def _system(
        self, strategy: Strategy, turn: Turn, size: PromptSize
    ) -> tuple[str, dict[str, ToolOffered]]:
        """The system message by the roster of that time, and the tools that were offered."""
        first, tools = "", frozenset(strategy.tools)
        for offers, rules in self._roster.states_at(turn.started_at):
            system = render_system(strategy.prompt, rules, size, strategy.tools)
            if system == turn.messages[0].content:
                if offers.keys() >= tools:
                    return system, offers
                first = system
            first = first or system
        # A compacted roster has lost the offers of that time, and has only newer ones.
        return first, self._roster.first_offers(tools)

    def _limits(self, turn: Turn) -> Limits:
        """The bounds of a turn, from its requests and its outcome."""
        first = next((r.call_id for r in turn.rounds), "")
        decision_s = self._requests[first].timeout_s if first in self._requests else NO_LIMIT_S
        calls = (i for r in turn.rounds for i in r.tool_call_ids if i in self._requests)
        tool_s = next((self._requests[i].timeout_s for i in calls), NO_LIMIT_S)
        # The limit is not in the records; it may be the reason for either of these ends.
        limited = turn.outcome == "max_rounds" or turn.cause == Cause.UNUSABLE_ANSWER
        rounds = len(turn.rounds) if limited else ROUNDS_MAX
        return Limits(rounds=rounds, decision_s=decision_s, tool_s=tool_s)

    def _compare_requests(
        self, place: str, subject: str, sent: list[ChatRequest | ToolCall]
    ) -> None:
        for message in sent:
            digest = content_sha256(message)
            self._hashes["asked"].update(f"{message.call_id} {digest}\n".encode())
            name = "requests" if isinstance(message, ChatRequest) else "tool calls"
            self._result.counts[name] += 1
            recorded = self._requests.get(message.call_id)
            recorded_digest = recorded.sha256 if recorded is not None else "none"
            expected = f"{message.type_name()} {message.call_id} {recorded_digest}"
            self._result.expect(recorded_digest == digest, place, subject, expected, digest)

    def _compare_turn(self, place: str, subject: str, turn: Turn, replayed: Turn | None) -> None:
        if not self._result.expect(replayed is not None, place, subject, "an end", "none"):
            return
        assert replayed is not None, "expected above"
        self._hashes["turns"].update(
            f"{turn.turn_id} {replayed.outcome} {replayed.memory}\n".encode()
        )
        if (different := turn_difference(turn, replayed)) is not None:
            self._result.expect(False, place, subject, *different)

    def _report_missing_snapshot(self, agent: RecordedAgent) -> None:
        """Report a turn whose snapshot is missing; the agent's turns after it are not replayed."""
        assert agent.next is not None, "the caller checked"
        place, turn = agent.next
        self._result.version = ""  # A missing snapshot is a difference in every version.
        text = f"snapshot {turn.snapshot_id} at {SNAPSHOTS}[0]@{turn.snapshot_offset}"
        self._result.expect(False, place, f"turn {turn.turn_id}", text, "none")
