"""Checks, for invariant 9, that every turn was played by the version in force. Pure.

A coached router says in `TurnStarted.read_to` how far it had read `prompts`. The fold of that
prefix must have the turn's version in force at the venue time of its snapshot. A frozen router
reads nothing: its version is that of the file on the roster.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from arena import topics
from arena.bus.base import Record
from arena.messages import AgentSpec
from arena.prompt_versions import AgentPrompts, PromptBook
from arena.topics import partition_of
from ledger.audit.checker import Scope
from ledger.audit.decoding import DecodedRecord, Json, parse_time
from ledger.audit.turns import TurnIndex

PROMPTS, ROSTER, TURNS = topics.PROMPTS.name, topics.ROSTER.name, topics.TURNS.name
AGENT_KEY = "agent/"

Report = Callable[[bool, str, str, str, object], bool]
"""Reports location, subject, what was expected and what was found, if it does not hold."""


@dataclass(frozen=True, slots=True)
class _Start:
    """The start of a turn that names a version.

    Attributes:
        read_to: Offset up to which its router had read `prompts`; -1 if it is frozen.
    """

    location: str
    subject: str
    turn_id: str
    version: str
    as_of: datetime
    started_at: datetime
    read_to: int


class PromptVersionsCheck:
    """Versions of prompts and the turns that name them.

    Args:
        scope: What records come.
        turns: The index of turns.
        report: Reports a violation.
        counts: Gets what was checked.
    """

    def __init__(
        self, scope: Scope, turns: TurnIndex, report: Report, counts: Counter[str]
    ) -> None:
        """Start without records."""
        self._scope = scope
        self._turns = turns
        self._report = report
        self._counts = counts
        self._records: dict[str, list[Record]] = defaultdict(list)
        self._specs: dict[str, list[AgentSpec]] = defaultdict(list)
        self._starts: dict[str, list[_Start]] = defaultdict(list)
        self._ends: dict[str, tuple[str, str, str]] = {}

    def take(self, decoded: DecodedRecord, body: Json) -> None:
        """Note a record of `prompts`, `arena.roster` or `agent.turns`."""
        record = decoded.record
        if decoded.topic == PROMPTS:
            if self._is_in_place(record):
                self._records[record.key_text].append(record)
        elif decoded.topic == ROSTER:
            spec = record.message_or_none() if decoded.kind == "AgentSpec" else None
            if isinstance(spec, AgentSpec) and record.key_text == AGENT_KEY + spec.agent:
                self._specs[spec.agent].append(spec)
        elif decoded.topic == TURNS and (version := str(body.get("version", ""))):
            agent, turn_id = str(body["agent"]), str(body["turn_id"])
            if record.key_text == agent and self._is_in_place(record):
                self._turn(decoded, body, (agent, turn_id, version))

    def _is_in_place(self, record: Record) -> bool:
        """True if a record is in the partition of its key."""
        count = len(self._scope.spans.get(record.topic, {})) or 1
        return record.partition == partition_of(record.key_text, count)

    def _turn(self, decoded: DecodedRecord, body: Json, named: tuple[str, str, str]) -> None:
        agent, turn_id, version = named
        subject = f"turn {turn_id}, agent {agent}"
        if decoded.kind == "Turn":
            self._ends.setdefault(turn_id, (decoded.location, subject, version))
            return
        read_to = (body.get("read_to") or {}).get(PROMPTS, -1)
        self._starts[agent].append(
            _Start(
                decoded.location,
                subject,
                turn_id,
                version,
                parse_time(str(body["as_of"])),
                parse_time(str(body["started_at"])),
                int(read_to),
            )
        )

    def finish(self) -> None:
        """Check every start, and that the end of its turn names the same version."""
        named: dict[str, set[str]] = defaultdict(set)
        for agent, starts in self._starts.items():
            known = [one for one in starts if self._turns.has_trace(one.turn_id)]
            for one in known:
                named[one.turn_id].add(one.version)
            self._coached(agent, sorted((s for s in known if s.read_to >= 0), key=_read_to))
            self._frozen(agent, [s for s in known if s.read_to < 0])
        for turn_id, (location, subject, version) in self._ends.items():
            if started := named.get(turn_id):
                text = f"the version of its start, {' or '.join(sorted(started))}"
                self._report(version in started, location, subject, text, version)

    def _coached(self, agent: str, starts: list[_Start]) -> None:
        if not self._scope.has(PROMPTS):
            self._counts["versions without the topic prompts"] += len(starts)
            return
        partition = partition_of(agent, len(self._scope.spans[PROMPTS]) or 1)
        if self._scope.first(PROMPTS, partition) > 0:
            self._counts["versions of prompts that are no longer kept"] += len(starts)
            return
        end = self._scope.end(PROMPTS, partition)
        book, left = PromptBook(), iter(self._records[agent])
        following = next(left, None)
        for one in starts:
            if self._scope.live and one.read_to > end:
                self._counts["versions newer than these records"] += 1
                continue
            text = f"{PROMPTS}[{partition}] up to offset {one.read_to}"
            if not self._report(one.read_to <= end, one.location, one.subject, text, end):
                continue
            while following is not None and following.offset < one.read_to:
                book.apply(following)
                following = next(left, None)
            now = book.of(agent).in_force(one.as_of)
            self._counts["versions of prompts"] += 1
            if now is None or now.version != one.version:
                text = "the version in force at its snapshot, "
                text += "none" if now is None else now.version
                found = f"{one.version}{_what_it_is(book.of(agent), one.version)}"
                self._report(False, one.location, one.subject, text, found)

    def _frozen(self, agent: str, starts: list[_Start]) -> None:
        specs = self._specs[agent]
        for one in starts:
            spec = next((s for s in reversed(specs) if s.joined_at <= one.started_at), None)
            if spec is None or not spec.prompt_sha256:
                continue  # The roster keeps the newest only.
            self._counts["versions of prompts"] += 1
            text = f"the version of its file, {spec.prompt_sha256}"
            holds = one.version == spec.prompt_sha256
            self._report(holds, one.location, one.subject, text, one.version)


def _read_to(start: _Start) -> int:
    return start.read_to


def _what_it_is(own: AgentPrompts, version: str) -> str:
    """What the fold says about a version that was not in force."""
    found = next((one for one in own.in_order() if one.version == version), None)
    why = next((one.why for one in reversed(own.refused) if one.version == version), "")
    if found is not None:
        return f", which was {found.state}"
    return f", which was refused: {why}" if why else ", which has no text"
