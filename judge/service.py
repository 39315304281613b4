"""The judge process: folds a season and publishes evaluations.

Reads arena.roster, market.snapshots, account.events, agent.turns and llm.calls, and
judge.evaluations for the evaluations already published. Writes judge.evaluations, also with the
evaluations of agents (`judge.evaluations.service`). After a restart it continues from its
checkpoint if that matches the logs, else from their first records, and does not publish an
evaluation twice. Any number of judges can run; with the same options they write the same bytes
under the same id.
"""

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

from arena import topics
from arena.bus.base import Bus, LogReader, Record
from arena.errors import Malformed
from arena.messages import Evaluation
from arena.node import Node
from arena.read_topic import read_to_ends
from judge.checkpoints import SeasonCheckpoint
from judge.evaluations.book import BOOK_TOPICS
from judge.evaluations.evaluate import DEFAULT_OPTIONS, EvaluationOptions
from judge.evaluations.llm.service import TurnJudgeOptions
from judge.evaluations.service import AgentEvaluator
from judge.leaderboard import (
    CONFIDENCE,
    RESAMPLES,
    SEED,
    evaluation_id,
    horizon_of,
    leaderboard,
)
from judge.lockstep_rounds import LockstepRounds
from judge.prompts.coach import CoachSettings
from judge.schedule import newest_due
from judge.season import SEASON_TOPICS, SeasonBuilder
from judge.statistics.pairs import LookDecisions, LookMemo
from judge.verdict_text import as_stopped

READ_TIMEOUT_S = 0.5
RECORDS_PER_READ = 500
LOOKS_MAX = 128
"""Most cached looks; a season has about ten, for returns and for alpha."""
CATCH_UP_S = 60.0
"""Longest time without a record while reading to the end."""


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """Options of a judge; two judges with the same options give the same evaluations.

    Attributes:
        evaluations: Options of the evaluations of agents.
        turns: How turns are judged by a language model; None if they are not.
        coach: How the coach works; None for no coach.
        lock_step: The market waits: evaluate and coach once per snapshot, when it is answered.
    """

    confidence: float = CONFIDENCE
    seed: int = SEED
    resamples: int = RESAMPLES
    evaluations: EvaluationOptions = DEFAULT_OPTIONS
    turns: TurnJudgeOptions | None = None
    coach: CoachSettings | None = None
    lock_step: bool = False

    def id_of(self, snapshot_id: str) -> str:
        """Return the id of the evaluation up to a snapshot."""
        return evaluation_id(snapshot_id, self.confidence, self.seed, self.resamples)

    def evaluate(
        self,
        builder: SeasonBuilder,
        upto: int | None = None,
        memo: LookMemo | None = None,
        *,
        stopped: bool = False,
    ) -> Evaluation:
        """Judge a season, which can continue until its planned end or until it is stopped.

        Args:
            builder: The fold of the season.
            upto: Index of the last snapshot to judge; None for all.
            memo: Cache of earlier looks' decisions; it does not change the evaluation.
            stopped: True if no snapshot will be added, even if more were planned.
        """
        season = builder.season(upto)
        found = leaderboard(
            season,
            confidence=self.confidence,
            seed=self.seed,
            resamples=self.resamples,
            horizon=horizon_of(season, open_ended=not stopped),
            season_after=lambda snapshots: builder.season(snapshots - 1),
            memo=memo,
        ).evaluation
        rules_changed = season.assumptions.rules_changed
        return as_stopped(found, rules_changed=rules_changed) if stopped else found


class LookCache(dict[bytes, LookDecisions]):
    """Cache of the decisions of the newest looks, at most `LOOKS_MAX` of them."""

    def __setitem__(self, key: bytes, value: LookDecisions) -> None:
        """Add one look; drop the oldest if there are too many."""
        super().__setitem__(key, value)
        while len(self) > LOOKS_MAX:
            del self[next(iter(self))]


async def judge_once(
    bus: Bus,
    options: JudgeOptions,
    checkpoint: SeasonCheckpoint | None = None,
    *,
    stopped: bool = False,
) -> Evaluation:
    """Read the season to the current ends of its topics, and judge it.

    Args:
        bus: A started bus.
        options: Options of the judge.
        checkpoint: Checkpoint to continue from and to write; None reads everything.
        stopped: True if the contest has ended, so that no snapshot will be added.

    Raises:
        BrokerUnavailable: The broker stopped answering.
    """
    await bus.ensure_topics(_season_specs())
    reader = await bus.log_reader(*SEASON_TOPICS)
    try:
        if checkpoint is not None:
            await checkpoint.open(reader, bus)
        fold = SeasonBuilder() if checkpoint is None else checkpoint
        await _read_to_ends(reader, fold.apply)
    finally:
        await reader.close()
    builder = fold if isinstance(fold, SeasonBuilder) else fold.builder
    if checkpoint is not None:
        await checkpoint.close()
    return await bus.threads.run(lambda: options.evaluate(builder, stopped=stopped))


def _season_specs() -> list[topics.TopicSpec]:
    return [topics.spec_of(name) for name in (*SEASON_TOPICS, topics.EVALUATIONS.name)]


class Judge:
    """Publishes evaluations until cancelled.

    Attributes:
        checkpoint: The season and its checkpoint.
        published: Ids of the evaluations in the topic.
        looks: Cache of earlier looks' decisions.
        evaluator: Evaluates single agents.
        rounds: Evaluates and coaches in lock-step with the market; None without one.
    """

    def __init__(self, node: Node, options: JudgeOptions) -> None:
        """Create a judge.

        Args:
            node: The running node.
            options: Options of the judge.
        """
        self.node = node
        self.options = options
        self.checkpoint = SeasonCheckpoint(node.settings, node.log, node.threads)
        self.published: set[str] = set()
        self.looks = LookCache()
        self.evaluator = AgentEvaluator(node, self.checkpoint, options.evaluations)
        self.rounds: LockstepRounds | None = None

    @property
    def builder(self) -> SeasonBuilder:
        """The fold of the season so far."""
        return self.checkpoint.builder

    async def serve(self) -> None:
        """Fold records, and publish an evaluation whenever one is due."""
        node = self.node
        names = (*SEASON_TOPICS, *BOOK_TOPICS)
        await node.bus.ensure_topics([topics.spec_of(name) for name in names])
        reader = await node.bus.log_reader(*names)
        try:
            await self.checkpoint.open(reader, node.bus)
            await self._catch_up(reader)
            node.status = "running"
            node.log.info(
                "judging", snapshots=self.builder.snapshots, published=len(self.published)
            )
            while True:
                await self._publish_if_due(reader)
                if self.rounds is None:
                    await self.evaluator.publish_due(lambda: self._catch_up(reader))
                else:
                    await self.rounds.play(lambda: self._catch_up(reader))
                for record in await reader.read(
                    timeout_s=READ_TIMEOUT_S, max_records=RECORDS_PER_READ
                ):
                    self.apply(record)
        finally:
            await reader.close()
            await self.checkpoint.close()

    def apply(self, record: Record) -> None:
        """Fold one record."""
        if record.topic not in BOOK_TOPICS:
            self.checkpoint.apply(record)
            if self.rounds is not None:
                self.rounds.note(record)
            return
        self.evaluator.apply(record)
        if record.topic != topics.EVALUATIONS.name:
            return
        try:
            message = record.message()
        except Malformed as error:
            where = f"{record.topic}[{record.partition}]@{record.offset}"
            self.node.log.warning("unreadable evaluation", record=where, error=str(error))
            return
        if isinstance(message, Evaluation):
            self.published.add(message.evaluation_id)

    async def _catch_up(self, reader: LogReader) -> None:
        await _read_to_ends(reader, self.apply)

    async def _publish_if_due(self, reader: LogReader) -> None:
        index = newest_due(self.builder)
        if index is None or self._is_published(index):
            return
        # The turns of the snapshot were read. Its orders were decided before the turns ended, so
        # they are in the log, but perhaps not yet in the fold.
        await self._catch_up(reader)
        if self._is_published(index):
            return
        began = self.node.clock.monotonic()
        # In a thread, so that heartbeats continue. Nothing is folded until it returns.
        evaluation = await self.node.threads.run(lambda: self._evaluate(index))
        await self.node.bus.append(topics.EVALUATIONS.name, evaluation, key=evaluation.snapshot_id)
        self.published.add(evaluation.evaluation_id)
        took_ms = (self.node.clock.monotonic() - began) * 1000
        self.node.counters["evaluations"] += 1
        self.node.gauges["evaluation_ms"] = round(took_ms, 1)
        self.node.details["verdict"] = evaluation.verdict
        self.node.log.info(
            "evaluated",
            evaluation_id=evaluation.evaluation_id,
            snapshots=evaluation.snapshots,
            verdict=evaluation.verdict,
            duration_ms=round(took_ms, 1),
        )

    def _evaluate(self, index: int) -> Evaluation:
        return self.options.evaluate(self.builder, index, self.looks)

    def _is_published(self, index: int) -> bool:
        point = self.builder.folds.market.snapshots[index]
        return self.options.id_of(point.snapshot_id) in self.published


async def _read_to_ends(reader: LogReader, apply: Callable[[Record], None]) -> None:
    """Apply the records up to the present ends.

    Raises:
        BrokerUnavailable: No record arrived for `CATCH_UP_S` before the ends were reached.
    """
    batches = read_to_ends(reader, stall_s=CATCH_UP_S, max_records=RECORDS_PER_READ)
    async with aclosing(batches):
        async for records in batches:
            for record in records:
                apply(record)
            await reader.clock.sleep(0)
