"""Asks a chat node which of two agents decided better on the same snapshots.

Reads `agent.turns`, `arena.roster`, `judge.evaluations` and `judge.inbox`; writes
`ai_prompted.<node>` and `judge.evaluations`. The chat node must be running.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from arena import ids, topics
from arena.bus.base import Bus, Record
from arena.errors import UsageError
from arena.messages import ChatReply, PairwiseComparison, Turn, TurnJudgement
from arena.read_topic import for_each_record
from arena.roster import read_agents
from arena.unknown_names import unknown_name
from judge.evaluations.llm.asking import Progress, ask_all, only_node, require_node
from judge.evaluations.llm.pairs import (
    CONFIDENCE,
    chosen_snapshots,
    count_pairs,
    is_comparable,
    share_of_b,
)
from judge.evaluations.llm.reply import parse_better
from judge.evaluations.llm.request import Better, PairRequest, chat_request, pair_requests
from judge.evaluations.llm.service import WAIT_S

VERSIONS_MAX = 20


async def compare(
    bus: Bus,
    a: str,
    b: str,
    node: str | None,
    count: int,
    progress: Progress,
    *,
    wait_s: float = WAIT_S,
) -> PairwiseComparison:
    """Compare two agents' decisions pair by pair, and publish the counts.

    Args:
        bus: A started bus.
        a: An agent.
        b: Another agent.
        node: The chat node; None for the one that judged last, or the only one of the agents.
        count: Most pairs.
        progress: Called with the number of answers so far and of questions.
        wait_s: Longest wait for a reply, in seconds.

    Raises:
        UsageError: An agent is not known, they never decided on the same snapshot, or no chat node
            can be chosen.
        DependencyMissing: The chat node does not reply.
    """
    await bus.ensure_topics([topics.TURNS, topics.EVALUATIONS, topics.JUDGE_INBOX, topics.ROSTER])
    agents = await read_agents(bus)
    for name in (a, b):
        if name not in agents:
            raise unknown_name("agent", name, agents)
    if a == b:
        raise UsageError(f"{a} cannot be compared with itself", remedy="name another agent")
    node = node or only_node(await _judging_nodes(bus), [one.node for one in agents.values()])
    await require_node(bus, node, agents)
    pairs, seen = await _pairs(bus, a, b, count)
    asked = [pair_requests(*pair, node) for pair in pairs]
    answers = _Answers({one.call_id: one for pair in asked for one in pair})
    now = bus.clock.now()
    requests = [chat_request(one.call_id, one.messages, now) for one in answers.requests.values()]
    await ask_all(bus, node, requests, answers.take, progress, wait_s=wait_s)
    counts = count_pairs(
        [(answers.better[one.call_id], answers.better[two.call_id]) for one, two in asked]
    )
    result = PairwiseComparison(
        comparison_id=ids.derive("comparison", node, *answers.requests),
        agent_a=a,
        agent_b=b,
        versions_a=_versions([one for one, _ in pairs]),
        versions_b=_versions([two for _, two in pairs]),
        node=node,
        model=answers.model,
        scripted=answers.scripted,
        pairs=len(pairs),
        pairs_seen=seen,
        a_better=counts.a,
        b_better=counts.b,
        ties=counts.ties,
        first_place=counts.first_place,
        failed=counts.failed,
        share_b=share_of_b(counts),
        confidence=CONFIDENCE,
        cost_usd=answers.cost_usd,
        at=bus.clock.now(),
    )
    await bus.append(topics.EVALUATIONS.name, result, key=node)
    return result


@dataclass(slots=True)
class _Answers:
    """The answers so far, by call.

    Attributes:
        requests: Call id -> what was asked.
        cost_usd: Of all calls; None if one of them is unknown.
    """

    requests: dict[str, PairRequest]
    better: dict[str, Better | None] = field(default_factory=dict)
    model: str = ""
    scripted: bool = False
    cost_usd: Decimal | None = Decimal(0)

    async def take(self, call_id: str, reply: ChatReply | None) -> None:
        """Read a reply."""
        self.better[call_id] = None
        if reply is None:
            return
        self.model, self.scripted = reply.model or self.model, reply.scripted
        cost = reply.usage.cost_usd
        self.cost_usd = None if cost is None or self.cost_usd is None else self.cost_usd + cost
        if reply.outcome == "ok":
            self.better[call_id] = parse_better(reply.text, self.requests[call_id].shown)


def _versions(turns: list[Turn]) -> tuple[str, ...]:
    """The versions of the text that the turns played by, oldest first."""
    found = dict.fromkeys(turn.version for turn in turns if turn.version)
    return tuple(found)[-VERSIONS_MAX:]


async def _judging_nodes(bus: Bus) -> list[str]:
    """Chat nodes that have judged, oldest first."""
    found: dict[str, None] = {}

    def take(record: Record) -> None:
        message = record.message_or_none() if record.kind == "TurnJudgement" else None
        if isinstance(message, TurnJudgement):
            found.pop(message.node, None)
            found[message.node] = None

    await for_each_record(bus, topics.EVALUATIONS, take)
    return list(found)


async def _pairs(bus: Bus, a: str, b: str, count: int) -> tuple[list[tuple[Turn, Turn]], int]:
    """The pairs (turn of A, turn of B), oldest first, and how many there are in all.

    The turns are read twice, so that only the chosen ones are kept.

    Raises:
        UsageError: They never decided on the same snapshot.
    """
    decided: dict[str, set[str]] = {a: set(), b: set()}

    def note(turn: Turn) -> None:
        decided[turn.agent].add(turn.snapshot_id)

    await _for_each_decision(bus, (a, b), note)
    seen = len(decided[a] & decided[b])
    if not seen:
        raise UsageError(
            f"{a} and {b} have not decided on the same snapshot",
            remedy="let the arena run for some snapshots, then try again",
        )
    chosen = chosen_snapshots(decided[a], decided[b], count)
    turns: dict[str, dict[str, Turn]] = {a: {}, b: {}}

    def keep(turn: Turn) -> None:
        if turn.snapshot_id in chosen:
            turns[turn.agent].setdefault(turn.snapshot_id, turn)

    await _for_each_decision(bus, (a, b), keep)
    first = sorted(turns[a].values(), key=lambda turn: turn.as_of)
    return [(turn, turns[b][turn.snapshot_id]) for turn in first], seen


async def _for_each_decision(
    bus: Bus, agents: tuple[str, str], take: Callable[[Turn], None]
) -> None:
    def take_record(record: Record) -> None:
        if record.kind != "Turn" or record.key_text not in agents:
            return
        message = record.message_or_none()
        if (
            isinstance(message, Turn)
            and message.agent == record.key_text
            and is_comparable(message)
        ):
            take(message)

    await for_each_record(bus, topics.TURNS, take_record)
