"""Reads the arms of a trial from the exported records of its contest."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from arena import topics
from arena.errors import UsageError
from arena.exports import read_manifest, read_records
from arena.messages import Turn
from judge.evaluations.checks import CHECKS, FAILED, PASSED, WEIGHTS, AgentMemory, check_turn
from judge.prompts.trial_result import TrialArm
from judge.season import SEASON_TOPICS, Season, SeasonBuilder
from judge.statistics.types import FloatArray

POINTS: Final = 100.0


def read_arms(records: Path, arms: Mapping[str, Sequence[str]]) -> dict[str, TrialArm]:
    """The arms of a trial.

    Args:
        records: Folder of the exported records of its contest.
        arms: Arm -> names of its agents, one per repeat.

    Raises:
        UsageError: There are no records, or an agent of an arm decided nothing.
        BrokenLog: A file of records is damaged.
    """
    read_manifest(records)
    builder, turns = SeasonBuilder("lock-step"), list[Turn]()
    for record in read_records(records, SEASON_TOPICS):
        builder.apply(record)
        if record.topic == topics.TURNS.name:
            message = record.message_or_none()
            if isinstance(message, Turn):
                turns.append(message)
    season = builder.season()
    return {arm: _arm(season, names, turns) for arm, names in arms.items()}


def _arm(season: Season, names: Sequence[str], turns: Iterable[Turn]) -> TrialArm:
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
    returns: FloatArray = season.log_returns()[:, columns].mean(axis=1)
    own = [turn for turn in turns if turn.agent in set(names)]
    return TrialArm(returns, quality_by_snapshot(own, season.snapshot_ids, names))


def quality_by_snapshot(
    turns: Iterable[Turn], snapshot_ids: Sequence[str], names: Sequence[str]
) -> FloatArray:
    """Points of the turns on each snapshot, mean over the agents; NaN where no check applied.

    Args:
        turns: Turns of these agents, each agent's in their order.
        snapshot_ids: The T snapshots.
        names: The agents.
    """
    rows = {one: index for index, one in enumerate(snapshot_ids)}
    points = np.full((len(snapshot_ids), len(names)), np.nan)
    memories = {name: AgentMemory() for name in names}
    seen: set[str] = set()
    for turn in turns:
        if turn.turn_id in seen or turn.outcome == "aborted":
            continue
        seen.add(turn.turn_id)
        results = check_turn(turn, memories[turn.agent]).results
        if turn.snapshot_id in rows:
            points[rows[turn.snapshot_id], list(names).index(turn.agent)] = points_of(results)
    counts = (~np.isnan(points)).sum(axis=1)
    sums = np.nansum(points, axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


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
