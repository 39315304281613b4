"""Evaluates one agent now, for `arena judge evaluate`, whether or not a judge process runs.

Reads what the judge's process reads, with its checkpoint; writes `judge.evaluations`.
"""

from dataclasses import dataclass

from arena import topics
from arena.bus.base import Bus, Record
from arena.errors import ArenaError, UsageError
from arena.messages import AgentEvaluation
from arena.read_topic import read_to_ends
from arena.shadow_agents import is_shadow, without_shadows
from arena.unknown_names import check_agent_name, unknown_name
from judge.checkpoints import SeasonCheckpoint
from judge.evaluations.book import BOOK_TOPICS, EvaluationBook
from judge.evaluations.cadence import LEAST_S, earliest_after
from judge.evaluations.check_fold import CheckedTurn
from judge.evaluations.due import settled_index
from judge.evaluations.evaluate import Asked, EvaluationOptions, evaluate
from judge.evaluations.llm.rubric import shipped_rubric
from judge.season import SEASON_TOPICS
from judge.season.assemble import SeasonFolds

STALL_S = 60.0
"""Longest time without a record while reading to the ends."""
RECORDS_PER_READ = 500
ENDED = "the arena has ended: nothing was published"


@dataclass(frozen=True, slots=True)
class EvaluatedNow:
    """An evaluation, and what became of it.

    Attributes:
        published: True if it is in `judge.evaluations`.
        why_not: Why it was not published; "" if it was.
        turns: The checked turns of the agent.
    """

    evaluation: AgentEvaluation
    published: bool
    why_not: str
    turns: list[CheckedTurn]

    def reasons(self, check: str) -> list[tuple[str, str]]:
        """The failed turns of a check that the evaluation names, each with the reason."""
        named = self.evaluation.failed_turns.get(check, ())
        found = {row.turn_id: row.reasons.get(check, "") for row in self.turns}
        return [(turn_id, found.get(turn_id, "")) for turn_id in named]


async def evaluate_now(
    bus: Bus,
    checkpoint: SeasonCheckpoint,
    agent: str,
    request_id: str,
    options: EvaluationOptions,
    *,
    ended: bool,
) -> EvaluatedNow:
    """Evaluate an agent at its newest settled snapshot, and publish that if it may be.

    Args:
        bus: A started bus.
        checkpoint: The judge's checkpoint, not open yet.
        agent: Name of the agent.
        request_id: Id of this request; an older one that waits is answered instead.
        options: Options of the judge.
        ended: True if the arena has ended, so that nothing is published.

    Raises:
        UsageError: The agent is unknown, or is a baseline.
        ArenaError: The agent has no turn yet.
        BrokerUnavailable: The broker stopped answering.
    """
    book = await _read(bus, check_agent_name(agent), checkpoint)
    builder, checks = checkpoint.builder, checkpoint.checks
    require_competitor(builder.folds, agent)
    rows, last = checks.of(agent), settled_index(builder, agent)
    if not rows or last < 0:
        raise ArenaError(f"{agent} has had no turn yet", remedy="try again after its first turn")
    asked = book.pending(agent) or Asked("demand", request_id)
    earlier = book.earlier(agent, shipped_rubric())
    folds = builder.folds
    found = await bus.threads.run(
        lambda: evaluate(folds, checks, agent, last, asked, earlier, options)
    )
    why_not = ENDED if ended else _too_soon(book, found)
    if not why_not:
        await bus.append(topics.EVALUATIONS.name, found, key=agent)
    return EvaluatedNow(found, not why_not, why_not, rows)


def require_competitor(folds: SeasonFolds, agent: str) -> None:
    """Require an agent that can be evaluated.

    Raises:
        UsageError: The agent is unknown, a baseline, or a shadow agent.
    """
    known, spec = folds.roster.keys() | folds.turns.turns.keys(), folds.roster.get(agent)
    if agent not in known:
        raise unknown_name("agent", agent, without_shadows(known, folds.roster))
    if is_shadow(agent, spec):
        raise UsageError(
            f"{agent} is a shadow agent of a trial, which is not evaluated",
            remedy="its trial compares it: arena prompts list AGENT",
        )
    if spec is not None and spec.kind != "agent":
        kind = "shadow agent" if spec.is_shadow else spec.kind
        raise UsageError(
            f"{agent} is a {kind}, which is not evaluated", remedy="name a competing agent"
        )


def _too_soon(book: EvaluationBook, found: AgentEvaluation) -> str:
    before = book.newest(found.agent)
    if before is None or found.as_of >= earliest_after(before):
        return ""
    return (
        f"not published: the last evaluation, at {before.as_of:%H:%M:%S} UTC of market time, is"
        f" less than {LEAST_S / 60:g} minutes older"
    )


async def _read(bus: Bus, agent: str, checkpoint: SeasonCheckpoint) -> EvaluationBook:
    """Read all topics to their present ends."""
    book, names = EvaluationBook(), (*SEASON_TOPICS, *BOOK_TOPICS)
    await bus.ensure_topics([topics.spec_of(name) for name in names])
    reader = await bus.log_reader(*names)

    def take(record: Record) -> None:
        if record.topic in BOOK_TOPICS:
            book.apply(record)
        else:
            checkpoint.apply(record)

    try:
        await checkpoint.open(reader, bus)
        async for records in read_to_ends(reader, stall_s=STALL_S, max_records=RECORDS_PER_READ):
            for record in records:
                take(record)
            await reader.clock.sleep(0)
    finally:
        await reader.close()
    await checkpoint.close()
    return book
