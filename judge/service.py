"""The judge as a process: folds a season as it goes, and says what it proves.

Reads arena.roster, market.snapshots, account.events, agent.turns and llm.calls, and
judge.evaluations for what was said already. Writes judge.evaluations. After a restart it continues
after its checkpoint if that fits the logs, else at their first records, and does not publish again
what is in the topic. Any number of judges may run; with the same settings they write the same
bytes under the same id.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from arena import topics
from arena.bus.base import Bus, LogReader, Record
from arena.clock import Clock, SystemClock
from arena.errors import DependencyMissing, Malformed
from arena.messages import Evaluation
from arena.node import Node
from judge.checkpoints import SeasonCheckpoint
from judge.leaderboard import (
    CONFIDENCE,
    RESAMPLES,
    SEED,
    evaluation_id,
    horizon_of,
    leaderboard,
)
from judge.schedule import newest_due
from judge.season import SEASON_TOPICS, SeasonBuilder
from judge.statistics.pairs import LookDecisions, LookMemo
from judge.verdict_text import as_stopped

READ_TIMEOUT_S = 0.5
RECORDS_PER_READ = 500
LOOKS_MAX = 128
"""Decisions of earlier looks that are kept; a season has some ten, of returns and of alpha."""
CATCH_UP_S = 60.0
"""Longest time without a record before reading to the end is given up."""


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """What a judge is asked: two that are asked the same answer the same."""

    confidence: float = CONFIDENCE
    seed: int = SEED
    resamples: int = RESAMPLES

    def id_of(self, snapshot_id: str) -> str:
        """The id of the evaluation up to a snapshot."""
        return evaluation_id(snapshot_id, self.confidence, self.seed, self.resamples)

    def evaluate(
        self,
        builder: SeasonBuilder,
        upto: int | None = None,
        memo: LookMemo | None = None,
        *,
        stopped: bool = False,
    ) -> Evaluation:
        """Judge a season that may continue; one without a planned end may until it is stopped.

        Args:
            builder: What was read.
            upto: Index of the last snapshot that is judged; None judges all that is known.
            memo: What earlier looks decided; the evaluation is the same without it.
            stopped: No snapshot will be added, though more may be planned.
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
        ).evaluation()
        rules_changed = season.assumptions.rules_changed
        return as_stopped(found, rules_changed=rules_changed) if stopped else found


class LookCache(dict[bytes, LookDecisions]):
    """What the newest looks decided, at most `LOOKS_MAX` of them: each is computed once a life."""

    def __setitem__(self, key: bytes, value: LookDecisions) -> None:
        """Keep one more; the oldest goes."""
        super().__setitem__(key, value)
        while len(self) > LOOKS_MAX:
            del self[next(iter(self))]


async def judge_once(
    bus: Bus,
    settings: JudgeOptions,
    clock: Clock | None = None,
    checkpoint: SeasonCheckpoint | None = None,
    *,
    stopped: bool = False,
) -> Evaluation:
    """Read the season to the ends of its topics as they are now, and judge it.

    Args:
        bus: Connected.
        settings: What is asked.
        clock: For the deadline.
        checkpoint: To continue after, and to keep what was read; None reads everything.
        stopped: The contest has ended: no snapshot will be added.

    Raises:
        DependencyMissing: The broker stopped answering on the way.
    """
    await bus.ensure_topics(_season_specs())
    reader = await bus.log_reader(*SEASON_TOPICS)
    try:
        if checkpoint is not None:
            await checkpoint.open(reader, bus)
        fold = SeasonBuilder() if checkpoint is None else checkpoint
        await _read_to(reader, await reader.end_offsets(), fold.apply, clock or SystemClock())
    finally:
        await reader.close()
    builder = fold if isinstance(fold, SeasonBuilder) else fold.builder
    if checkpoint is not None:
        await checkpoint.close()
    return await asyncio.to_thread(lambda: settings.evaluate(builder, stopped=stopped))


def _season_specs() -> list[topics.TopicSpec]:
    return [topics.spec_of(name) for name in (*SEASON_TOPICS, topics.EVALUATIONS.name)]


class Judge:
    """Serves evaluations until cancelled.

    Attributes:
        checkpoint: The season, kept between two lives.
        said: Ids of evaluations that are in the topic.
        looks: What earlier looks decided.
    """

    def __init__(self, node: Node, settings: JudgeOptions) -> None:
        """Know nothing yet."""
        self.node = node
        self.settings = settings
        self.checkpoint = SeasonCheckpoint(node.settings, node.log)
        self.said: set[str] = set()
        self.looks = LookCache()

    @property
    def builder(self) -> SeasonBuilder:
        """The season so far."""
        return self.checkpoint.builder

    async def serve(self) -> None:
        """Fold, and publish an evaluation whenever one is due."""
        node = self.node
        await node.bus.ensure_topics(_season_specs())
        reader = await node.bus.log_reader(*SEASON_TOPICS, topics.EVALUATIONS.name)
        try:
            await self.checkpoint.open(reader, node.bus)
            await self._catch_up(reader)
            node.status = "running"
            node.log.info("judging", snapshots=self.builder.snapshots, said=len(self.said))
            while True:
                await self._say(reader)
                for record in await reader.read(
                    timeout_s=READ_TIMEOUT_S, max_records=RECORDS_PER_READ
                ):
                    self.apply(record)
        finally:
            await reader.close()
            await self.checkpoint.close()

    def apply(self, record: Record) -> None:
        """Fold one record."""
        if record.topic != topics.EVALUATIONS.name:
            self.checkpoint.apply(record)
            return
        try:
            message = record.message()
        except Malformed as error:
            where = f"{record.topic}[{record.partition}]@{record.offset}"
            self.node.log.warning("unreadable evaluation", record=where, error=str(error))
            return
        if isinstance(message, Evaluation):
            self.said.add(message.evaluation_id)

    async def _catch_up(self, reader: LogReader) -> None:
        await _read_to(reader, await reader.end_offsets(), self.apply, self.node.clock)

    async def _say(self, reader: LogReader) -> None:
        index = newest_due(self.builder)
        if index is None or self._is_said(index):
            return
        # The turns of the snapshot were read; its orders were decided before they ended, so they
        # are in the log by now, but perhaps not yet in the fold.
        await self._catch_up(reader)
        if self._is_said(index):
            return
        began = time.perf_counter()
        # In a thread, so that heartbeats continue; nothing is folded until it returns.
        evaluation = await asyncio.to_thread(self._evaluate, index)
        await self.node.bus.append(topics.EVALUATIONS.name, evaluation, key=evaluation.snapshot_id)
        self.said.add(evaluation.evaluation_id)
        took_ms = (time.perf_counter() - began) * 1000
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
        return self.settings.evaluate(self.builder, index, self.looks)

    def _is_said(self, index: int) -> bool:
        point = self.builder.folds.market.snapshots[index]
        return self.settings.id_of(point.snapshot_id) in self.said


async def _read_to(
    reader: LogReader,
    ends: Mapping[tuple[str, int], int],
    apply: Callable[[Record], None],
    clock: Clock,
) -> None:
    """Read until every partition is at its end.

    Raises:
        DependencyMissing: Nothing came for `CATCH_UP_S` though the ends were not reached.
    """
    heard_s = clock.monotonic()
    while any(reader.position(topic, partition) < end for (topic, partition), end in ends.items()):
        records = await reader.read(timeout_s=READ_TIMEOUT_S, max_records=RECORDS_PER_READ)
        for record in records:
            apply(record)
        if records:
            heard_s = clock.monotonic()
            await asyncio.sleep(0)
        elif clock.monotonic() - heard_s > CATCH_UP_S:
            raise DependencyMissing(
                f"no record came for {CATCH_UP_S:g} s before the end of the topics",
                remedy="is the broker alive? arena status shows it",
            )
