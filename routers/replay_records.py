"""Recorded turns of every agent, played again snapshot by snapshot.

Reads an export (`arena.exports`): the snapshots once; the turns and the inbox of an agent side by
side with them. Keeps a hash of every request and call, and of everything else a bounded part.
Where the export has no requests and inboxes, only the prompts are rendered again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import islice
from pathlib import Path

from arena import topics
from arena.bus.base import Record
from arena.errors import UsageError
from arena.exports import read_manifest, read_records
from arena.messages import (
    AgentSpec,
    Cause,
    ChatRequest,
    MarketSnapshot,
    PromptSize,
    Sampling,
    ToolCall,
    ToolOffered,
    Turn,
    TurnStarted,
)
from arena.topics import partition_of
from arena.versions import VersionsInOrder, recorded_by
from routers.memory import History
from routers.plan import Limits, Opening, Player
from routers.prompt import (
    HOUSE_RULES,
    MarketText,
    left_out_text,
    prompt_sha256,
    render_market,
    render_system,
    render_user,
)
from routers.replay import content_sha256, play_again, turn_difference
from routers.replay_found import Replayed
from routers.replay_inbox import Inbox, message_in
from routers.replay_kept import KeptRecords
from routers.replay_roster import RosterOfTheTime
from routers.replay_turns import own_turns
from routers.strategy import Strategy, load_shipped
from routers.transcript import ROUNDS_MAX

SNAPSHOTS, TURNS, ROSTER = topics.SNAPSHOTS.name, topics.TURNS.name, topics.ROSTER.name
EVENTS = topics.EVENTS.name
DIFFERENCES_MAX = 100
"""Differences that are named; the replay ends there."""
RULES_BEGIN = HOUSE_RULES.partition("{")[0].strip().splitlines()[0]
"""How the rules begin in prompts of every size."""
NO_LIMIT_S = 1e9


@dataclass(frozen=True, slots=True)
class _Asked:
    """A recorded request or call: what was asked, and how long an answer was waited for.

    Attributes:
        proper: It is in the partition of its agent; of several, the first of those was handled.
    """

    sha256: str
    wait_s: float
    proper: bool


class _Agent:
    """One agent: its turns in log order, its inbox, and what it remembers."""

    def __init__(
        self,
        name: str,
        roster: RosterOfTheTime,
        turns: Iterator[tuple[Record, TurnStarted | Turn]],
        inbox: Inbox | None,
    ) -> None:
        self.name = name
        self.inbox = inbox
        self._roster = roster
        self.history = History()
        self.skipped = 0
        self._turns = turns
        self._versions = VersionsInOrder()
        self.older = ""
        self.next: tuple[str, Turn] | None = self._advance()

    def end(self, turn: Turn) -> None:
        """Remember a turn, and go to the next."""
        self.history.end(turn)
        if self.inbox is not None:
            self.inbox.forget(turn.turn_id)
        self.next = self._advance()

    def _advance(self) -> tuple[str, Turn] | None:
        """The next turn that counts, and its place."""
        for record, message in self._turns:
            if isinstance(message, TurnStarted):
                spec = self._roster.spec_at(self.name, message.started_at)
                last, cadence = self.history.last_offset, spec.cadence
                gap = message.snapshot_offset - last - cadence
                self.skipped = max(0, gap) if last >= 0 else 0
                self.history.begin(message)
            else:
                today = self._versions.is_of_today(record)
                self.older = "" if today else recorded_by(record)
                return f"{TURNS}[{record.partition}]@{record.offset}", message
        return None


class Replay:
    """Plays the turns of a folder again."""

    def __init__(self, folder: Path) -> None:
        """Read the roster and what was asked.

        Raises:
            UsageError: The folder is no export with snapshots, turns and a roster.
        """
        self._folder = folder
        self._held = read_manifest(folder).topics
        self._roster = RosterOfTheTime(read_records(folder, [ROSTER]), self._epochs())
        self._whole = any(t.startswith(topics.PROMPTED.name) for t in self._held)
        self._replayed = Replayed()
        self._sampling: dict[tuple[str, str], Sampling] = {}
        self._tools: dict[tuple[str, str], tuple[str, ...]] = {}
        self._asked: dict[str, _Asked] = {}
        self._kept = KeptRecords(self._held, self._asked)
        self._first = min((s.first for s in self._held[SNAPSHOTS].partitions.values()), default=0)
        if self._whole:
            self._read_asked()
        self._strategies: dict[tuple[str, str, str, int | None], Strategy] = {}
        self._hashes = {name: sha256() for name in ("prompts", "asked", "turns")}

    def run(self) -> Replayed:
        """Play everything again."""
        found = self._replayed
        agents = [self._agent(name) for name in sorted(self._roster.specs)]
        found.counts["agents"] = len(agents)
        for record in read_records(self._folder, [SNAPSHOTS]):
            self._snapshot(record, agents)
            if len(found.differences) >= DIFFERENCES_MAX:
                break
        else:
            for agent in (agent for agent in agents if agent.next is not None):
                self._no_snapshot(agent)
        if not self._whole:
            text = "requests and tool calls: not checkable without ai_prompted.* and agent.inbox.*"
            found.notes.append(text)
        for name, digest in self._hashes.items():
            setattr(found, name, digest.hexdigest())
        return found

    def _epochs(self) -> Iterator[Record]:
        """The epochs of the account log: they state the rules that a compacted roster forgot."""
        if EVENTS in self._held:
            yield from (r for r in read_records(self._folder, [EVENTS]) if r.kind == "Epoch")

    def _agent(self, agent: str) -> _Agent:
        records = (r for r in read_records(self._folder, [TURNS]) if self._is_proper(r, agent))
        end = max((s.end for s in self._held[SNAPSHOTS].partitions.values()), default=0)
        turns = own_turns(agent, records, end, self._is_forged)
        inbox = None
        if self._whole and (name := topics.inbox(agent)) in self._held:
            for record in islice(read_records(self._folder, [name]), 1):
                self._kept.note(record)
            inbox = Inbox(read_records(self._folder, [name]), self._asked)
        return self._without_deleted(_Agent(agent, self._roster, turns, inbox))

    def _without_deleted(self, agent: _Agent) -> _Agent:
        """Let an agent remember the turns whose snapshots are deleted."""
        while agent.next is not None and agent.next[1].snapshot_offset < self._first:
            self._replayed.counts["snapshots no longer kept"] += 1
            agent.end(agent.next[1])
        return agent

    def _is_forged(self, turn: Turn) -> bool:
        return self._whole and self._kept.is_forged(turn)

    def _read_asked(self) -> None:
        names = [t for t in self._held if t.startswith(topics.PROMPTED.name)]
        work = (topics.COMMANDS.name, topics.TOOL_CALLS.name)
        names += [name for name in work if name in self._held]
        found = self._asked
        for record in read_records(self._folder, names):
            self._kept.note(record)
            message = message_in(record)
            if not isinstance(message, ChatRequest | ToolCall):
                continue
            known = found.get(message.call_id)
            proper = self._is_proper(record, message.agent)
            if known is None or (proper and not known.proper):
                wait_s = (message.deadline_at - message.issued_at).total_seconds()
                found[message.call_id] = _Asked(content_sha256(message), wait_s, proper)
                if isinstance(message, ChatRequest):
                    whose = (message.agent, message.strategy)
                    self._sampling.setdefault(whose, message.sampling)
                    self._tools.setdefault(whose, tuple(tool.name for tool in message.tools))

    def _is_proper(self, record: Record, agent: str) -> bool:
        """True if a record is where a router writes for an agent: under its key, its partition."""
        number = partition_of(agent, len(self._held[record.topic].partitions))
        return (record.key_text, record.partition) == (agent, number)

    def _snapshot(self, record: Record, agents: list[_Agent]) -> None:
        """Play every turn on a snapshot."""
        waiting = [a for a in agents if a.next and a.next[1].snapshot_offset == record.offset]
        if not waiting:
            return
        snapshot = message_in(record)
        if not isinstance(snapshot, MarketSnapshot):
            return
        self._replayed.counts["snapshots"] += 1
        texts: dict[PromptSize, MarketText] = {}
        for agent in waiting:
            # A turn may have been begun on the same snapshot by another process before.
            while agent.next is not None and agent.next[1].snapshot_offset == record.offset:
                place, turn = agent.next
                if turn.messages:
                    size = self._size_of(turn)
                    if size not in texts:
                        texts[size] = render_market(snapshot, size)
                    self._replayed.begin(agent.older)
                    self._turn(agent, place, turn, snapshot, texts[size])
                else:
                    self._replayed.counts["cut off"] += 1
                agent.end(turn)

    def _turn(
        self, agent: _Agent, place: str, turn: Turn, snapshot: MarketSnapshot, market: MarketText
    ) -> None:
        found = self._replayed
        subject = f"turn {turn.turn_id}, agent {turn.agent}"
        spec = self._roster.spec_at(agent.name, turn.started_at)
        if spec.joined_at > turn.started_at and spec.strategy != turn.strategy:
            spec = self._forgotten(spec, turn)
        size, strategy = self._size_of(turn), self._strategy(spec, turn)
        known, lines = agent.history.known, tuple(agent.history.lines)
        user = render_user(market, snapshot, known, lines, size)
        system, offers = self._system(strategy, turn, size)
        if system != turn.messages[0].content and spec.joined_at > turn.started_at:
            strategy = self._strategy(self._forgotten(spec, turn), turn)
            system, offers = self._system(strategy, turn, size)
        digest = prompt_sha256(system, user)
        self._hashes["prompts"].update(f"{turn.turn_id} {digest}\n".encode())
        found.counts["prompts"] += 1
        said = turn.prompt_sha256
        if not found.expect(digest == said, place, subject, f"prompt {said}", f"prompt {digest}"):
            return
        if agent.inbox is None:
            return
        if not self._kept.has_all(turn):
            found.counts["turns whose requests or answers are no longer kept"] += 1
            return
        limits = self._limits(turn)
        player = Player.of(turn.agent, turn.node, strategy, limits, offers.values(), size)
        opening = Opening(
            snapshot=snapshot,
            snapshot_offset=turn.snapshot_offset,
            skipped=agent.skipped,
            system=system,
            user=user,
            known=known,
            left_out=left_out_text(system, market, known, lines, size),
        )
        played = play_again(player, opening, turn, agent.inbox.pull)
        found.counts["turns"] += 1
        self._compare_asked(place, subject, played.asked)
        self._compare_turn(place, subject, turn, played.turn)

    def _size_of(self, turn: Turn) -> PromptSize:
        """The size of a turn's prompt; a turn before the oldest announcement tells its own."""
        spec = self._roster.spec_at(turn.agent, turn.started_at)
        own = spec.joined_at > turn.started_at and "prompt_size" in turn.model_fields_set
        return turn.prompt_size if own else spec.prompt_size

    def _forgotten(self, spec: AgentSpec, turn: Turn) -> AgentSpec:
        """Who played a turn before all that a compacted roster still knows of the name."""
        changes = {
            "strategy": turn.strategy,
            "node": turn.node,
            "prompt_sha256": "",
            "prompt_version": turn.prompt_version,
            "tools": self._tools.get((turn.agent, turn.strategy), spec.tools),
            "seed": None,
        }
        return spec.model_copy(update=changes)

    def _strategy(self, spec: AgentSpec, turn: Turn) -> Strategy:
        """The shipped strategy where its prompt is the one that was used, else the recorded one."""
        prompt = turn.messages[0].content.partition(f"\n\n{RULES_BEGIN}")[0] + "\n"
        kept = (spec.agent, spec.strategy, spec.prompt_sha256 or prompt, spec.seed)
        if kept in self._strategies:
            return self._strategies[kept]
        try:
            strategy = load_shipped(spec.strategy)
        except UsageError:
            strategy = Strategy(spec.strategy, prompt="-")
        if strategy.prompt_sha256 != spec.prompt_sha256:
            self._replayed.notes.append(f"{spec.agent}: its strategy's prompt is the recorded one")
            strategy = Strategy(spec.strategy, prompt, spec.tools, spec.cadence, spec.kind)
            sampling = self._sampling.get((spec.agent, spec.strategy), strategy.sampling)
            version = spec.prompt_version
            strategy = replace(strategy, prompt_version=version, sampling=sampling)
        if spec.seed is not None:
            sampling = strategy.sampling.model_copy(update={"seed": spec.seed})
            strategy = replace(strategy, sampling=sampling)
        self._strategies[kept] = strategy
        return strategy

    def _system(
        self, strategy: Strategy, turn: Turn, size: PromptSize
    ) -> tuple[str, dict[str, ToolOffered]]:
        """The system message by the roster as it stood then, and the tools on offer."""
        first, tools = "", frozenset(strategy.tools)
        for offers, rules in self._roster.states_at(turn.started_at):
            system = render_system(strategy.prompt, rules, size)
            if system == turn.messages[0].content:
                if offers.keys() >= tools:
                    return system, offers
                first = system
            first = first or system
        # A compacted roster has forgotten the offers of that time, and tells only newer ones.
        return first, self._roster.first_offers(tools)

    def _limits(self, turn: Turn) -> Limits:
        """The bounds of a turn, from what it asked and how it ended."""
        first = next((r.call_id for r in turn.rounds), "")
        decision_s = self._asked[first].wait_s if first in self._asked else NO_LIMIT_S
        calls = (i for r in turn.rounds for i in r.tool_call_ids if i in self._asked)
        tool_s = next((self._asked[i].wait_s for i in calls), NO_LIMIT_S)
        # The limit is not in the records; both ends below may have come of it.
        limited = turn.outcome == "max_rounds" or turn.cause == Cause.UNUSABLE_ANSWER
        rounds = len(turn.rounds) if limited else ROUNDS_MAX
        return Limits(rounds=rounds, decision_s=decision_s, tool_s=tool_s)

    def _compare_asked(self, place: str, subject: str, asked: list[ChatRequest | ToolCall]) -> None:
        for message in asked:
            digest = content_sha256(message)
            self._hashes["asked"].update(f"{message.call_id} {digest}\n".encode())
            name = "requests" if isinstance(message, ChatRequest) else "tool calls"
            self._replayed.counts[name] += 1
            recorded = self._asked.get(message.call_id)
            said = recorded.sha256 if recorded is not None else "none"
            expected = f"{message.type_name()} {message.call_id} {said}"
            self._replayed.expect(said == digest, place, subject, expected, digest)

    def _compare_turn(self, place: str, subject: str, turn: Turn, played: Turn | None) -> None:
        if not self._replayed.expect(played is not None, place, subject, "an end", "none"):
            return
        assert played is not None, "expected above"
        self._hashes["turns"].update(f"{turn.turn_id} {played.outcome} {played.memory}\n".encode())
        if (different := turn_difference(turn, played)) is not None:
            self._replayed.expect(False, place, subject, *different)

    def _no_snapshot(self, agent: _Agent) -> None:
        """The rest of an agent's turns cannot be played: their snapshot is not there."""
        assert agent.next is not None, "its caller looked"
        place, turn = agent.next
        self._replayed.version = ""  # No version leaves out a snapshot.
        text = f"snapshot {turn.snapshot_id} at {SNAPSHOTS}[0]@{turn.snapshot_offset}"
        self._replayed.expect(False, place, f"turn {turn.turn_id}", text, "none")
