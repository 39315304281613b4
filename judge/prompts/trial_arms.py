"""The arms of a trial: returns and decision quality per period, from records. Pure but for a file.

`read_arms` reads the exported records of a lock-step contest; `judge.prompts.live_trial` folds the
topics of a running arena. Both make the arms here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from arena import topics
from arena.errors import UsageError
from arena.exports import read_manifest, read_records
from arena.messages import Turn
from judge.evaluations.check_fold import sends_order
from judge.evaluations.checks import CHECKS, FAILED, PASSED, WEIGHTS, AgentMemory, check_turn
from judge.prompts.trial_result import TrialArm
from judge.season import SEASON_TOPICS, Season, SeasonBuilder
from judge.statistics.types import FloatArray

POINTS: Final = 100.0


@dataclass(slots=True)
class TurnPoints:
    """The points of turns, of each agent in their order; the first record of a turn counts.

    Attributes:
        points: Agent -> snapshot id -> points of its turn, NaN where no check applied.
        ordered: Agent -> ids of the snapshots on which it sent an order.
    """

    points: dict[str, dict[str, float]] = field(default_factory=dict)
    ordered: dict[str, set[str]] = field(default_factory=dict)
    _memories: dict[str, AgentMemory] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def take(self, turn: Turn) -> None:
        """Check a turn; an aborted one is not counted."""
        if turn.turn_id in self._seen or turn.outcome == "aborted":
            return
        self._seen.add(turn.turn_id)
        memory = self._memories.setdefault(turn.agent, AgentMemory())
        own = self.points.setdefault(turn.agent, {})
        own[turn.snapshot_id] = points_of(check_turn(turn, memory).results)
        if sends_order(turn):
            self.ordered.setdefault(turn.agent, set()).add(turn.snapshot_id)

    def by_snapshot(self, snapshot_ids: Sequence[str], names: Sequence[str]) -> FloatArray:
        """Points on each of T snapshots, mean over the agents; NaN where no check applied. [T]."""
        found = [self.points.get(name, {}) for name in names]
        rows = [[own.get(one, np.nan) for own in found] for one in snapshot_ids]
        points = np.array(rows, dtype=np.float64).reshape(len(snapshot_ids), len(names))
        counts = (~np.isnan(points)).sum(axis=1)
        sums = np.nansum(points, axis=1)
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def arm_of(
    log_returns: FloatArray, points: TurnPoints, snapshot_ids: Sequence[str], names: Sequence[str]
) -> TrialArm:
    """An arm of a trial.

    Args:
        log_returns: Log returns of its R agents, one per repeat; shape [T, R].
        points: The points of their turns.
        snapshot_ids: The T snapshots.
        names: The agents.
    """
    returns: FloatArray = log_returns.mean(axis=1)
    shown = set(snapshot_ids)
    orders = sum(len(shown & points.ordered.get(name, set())) for name in names)
    return TrialArm(returns, points.by_snapshot(snapshot_ids, names), orders)


def read_arms(records: Path, arms: Mapping[str, Sequence[str]]) -> dict[str, TrialArm]:
    """The arms of a trial in lock-step.

    Args:
        records: Folder of the exported records of its contest.
        arms: Arm -> names of its agents, one per repeat.

    Raises:
        UsageError: There are no records, or an agent of an arm decided nothing.
        BrokenLog: A file of records is damaged.
    """
    read_manifest(records)
    builder, points = SeasonBuilder("lock-step"), TurnPoints()
    for record in read_records(records, SEASON_TOPICS):
        builder.apply(record)
        if record.topic == topics.TURNS.name:
            message = record.message_or_none()
            if isinstance(message, Turn):
                points.take(message)
    season = builder.season()
    return {arm: _arm(season, names, points) for arm, names in arms.items()}


def _arm(season: Season, names: Sequence[str], points: TurnPoints) -> TrialArm:
    known = {name: index for index, name in enumerate(season.names)}
    missing = [name for name in names if name not in known]
    if missing:
        why = {dead.agent: dead.cause for dead in season.dead}
        text = ", ".join(
            f"{name} ({why.get(name, 'it is not in the records')})" for name in missing
        )
        raise UsageError(
            f"the trial has no result: {text}", remedy="read the logs of its routers and chat node"
        )
    columns = [known[name] for name in names]
    return arm_of(season.log_returns()[:, columns], points, season.snapshot_ids, names)


def points_of(results: str) -> float:
    """The weighted share of the applicable checks that a turn passed, 0 to 100; NaN without any.

    Args:
        results: One character for each of `CHECKS`.
    """
    weight = {PASSED: 0, FAILED: 0}
    for name, result in zip(CHECKS, results, strict=True):
        if result in weight:
            weight[result] += WEIGHTS[name]
    whole = weight[PASSED] + weight[FAILED]
    return POINTS * weight[PASSED] / whole if whole else float("nan")
