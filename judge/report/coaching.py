"""The facts of the report's chapter on coaching: evaluations, versions, attribution. Pure.

Only agents that were coached are in it: those with more than the version of their file, with a
trial or with an evaluation, whose prompts were not frozen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from arena.messages import AgentEvaluation, Evidence
from arena.prompt_versions import AgentPrompts, PromptVersion
from arena.text_diff import diff_lines
from judge.report.coaching_figures import VersionFigures, version_figures
from judge.report.coaching_fold import CoachingFold
from judge.report.trials import ShownTrial, shown_trials
from judge.season import Season
from judge.statistics.columns import FamilyOptions

VERSIONS_SHOWN = 12
"""Newest versions of an agent in the chapter."""
EVALUATIONS_SHOWN = 1_000
"""Most evaluations in the chapter, over all agents; each agent can show `EVALUATIONS_LEAST`."""
EVALUATIONS_LEAST = 10
DIFF_LINES_SHOWN = 2_000
"""Most lines of changed text, over all versions; each version can show `DIFF_LINES_LEAST`."""
DIFF_LINES_MAX = 60
DIFF_LINES_LEAST = 5
DIFF_CHARS_MAX = 240
RESAMPLES = 1_000


@dataclass(frozen=True, slots=True)
class ShownEvaluation:
    """One evaluation, as the chapter shows it.

    Attributes:
        scores: "returns", "risk", "quality" and "consistency".
        judged: What is to be said of the model that judged turns; "" if none did.
    """

    evaluation_id: str
    as_of: datetime
    overall: float | None
    grade: str
    scores: dict[str, float | None]
    trend: str
    trend_change: float | None
    cause: str
    version: str
    judged: str


@dataclass(frozen=True, slots=True)
class ShownVersion:
    """One version of an agent's text, and what the agent did by it.

    Attributes:
        state: At the end of the records.
        evidence, evidence_after: Figures before the change, and of the newest decision about it.
        diff: What changed from the version that it was made from.
        figures: None if the agent is not ranked, or took no turn by it.
    """

    version: str
    state: str
    parent: str
    author: str
    by: str
    reason: str
    template: str
    proposed_at: datetime | None
    since: datetime | None
    expires_at: datetime | None
    confirmed: bool
    decided_by: str
    decided_for: str
    evidence: Evidence | None
    evidence_after: Evidence | None
    diff: tuple[str, ...]
    figures: VersionFigures | None


@dataclass(frozen=True, slots=True)
class ShownChange:
    """A version came into force."""

    as_of: datetime | None
    version: str
    before: str
    author: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class CoachedAgent:
    """One agent of the chapter.

    Attributes:
        ranked: True if it is on the leaderboard, so that its account is compared.
        evaluations: Oldest first.
        evaluations_omitted, versions_omitted: How many older ones are left out.
        changes: What came into force, oldest first.
        trials: The newest trials of its texts, oldest first.
    """

    agent: str
    ranked: bool
    evaluations: tuple[ShownEvaluation, ...]
    evaluations_omitted: int
    versions: tuple[ShownVersion, ...]
    versions_omitted: int
    changes: tuple[ShownChange, ...]
    trials: tuple[ShownTrial, ...]


def coached_agents(
    season: Season, fold: CoachingFold, *, confidence: float, seed: int
) -> tuple[CoachedAgent, ...]:
    """Return the agents of the chapter, by name.

    Args:
        season: The season.
        fold: The fold of coaching.
        confidence: Confidence of the intervals.
        seed: Seed of the resampling.
    """
    options = FamilyOptions(confidence=confidence, seed=seed, resamples=RESAMPLES)
    agents = fold.agents()
    versions = sum(len(fold.book.of(agent).versions) for agent in agents)
    bounds = _Bounds(
        evaluations=max(EVALUATIONS_LEAST, EVALUATIONS_SHOWN // max(1, len(agents))),
        lines=min(DIFF_LINES_MAX, max(DIFF_LINES_LEAST, DIFF_LINES_SHOWN // max(1, versions))),
    )
    return tuple(_coached(season, fold, agent, options, bounds) for agent in agents)


class _Bounds(NamedTuple):
    """Most evaluations of an agent, and most lines of a changed text."""

    evaluations: int
    lines: int


def _coached(
    season: Season, fold: CoachingFold, agent: str, options: FamilyOptions, bounds: _Bounds
) -> CoachedAgent:
    own, ranked = fold.book.of(agent), agent in season.names
    known = list(own.in_order())
    shown = known[-VERSIONS_SHOWN:]
    figures: dict[str, VersionFigures] = {}
    if ranked:
        parents = {one.version: one.parent for one in shown}
        index = season.names.index(agent)
        figures = version_figures(season, index, fold.turns.get(agent, ()), parents, options)
    evaluations = sorted(fold.evaluations.get(agent, ()), key=lambda one: one.as_of)
    newest = evaluations[-bounds.evaluations :]
    return CoachedAgent(
        agent=agent,
        ranked=ranked,
        evaluations=tuple(_evaluation(one) for one in newest),
        evaluations_omitted=fold.omitted.get(agent, 0) + len(evaluations) - len(newest),
        versions=tuple(_version(own, one, season, figures, bounds.lines) for one in shown),
        versions_omitted=len(known) - len(shown),
        changes=tuple(
            ShownChange(one.as_of, one.version, one.before, one.author, one.by, one.reason)
            for one in own.changes[-2 * VERSIONS_SHOWN :]
        ),
        trials=shown_trials(own),
    )


def _evaluation(one: AgentEvaluation) -> ShownEvaluation:
    judged = ""
    if one.judged is not None:
        who = "built-in rules" if one.judged.scripted else one.judged.model or one.judged.node
        judged = "; ".join(filter(None, (f"judged by {who}", one.judged.note)))
    return ShownEvaluation(
        evaluation_id=one.evaluation_id,
        as_of=one.as_of,
        overall=one.overall,
        grade=one.grade or "",
        scores={name: part.score for name, part in one.dimensions.items()},
        trend=one.trend,
        trend_change=one.trend_change,
        cause=one.cause,
        version=one.version,
        judged=judged,
    )


def _version(
    own: AgentPrompts,
    one: PromptVersion,
    season: Season,
    figures: Mapping[str, VersionFigures],
    lines: int,
) -> ShownVersion:
    parent = own.versions.get(one.parent)
    return ShownVersion(
        version=one.version,
        state=own.state_at(one, season.assumptions.last),
        parent=one.parent,
        author=one.author,
        by=one.by,
        reason=one.reason,
        template=one.template,
        proposed_at=one.proposed_as_of,
        since=one.since,
        expires_at=None if one.confirmed else one.expires_at,
        confirmed=one.confirmed,
        decided_by=one.decided_by,
        decided_for=one.decided_for,
        evidence=one.evidence,
        evidence_after=one.evidence_after,
        diff=() if parent is None else _diff(parent.text, one.text, lines),
        figures=figures.get(one.version),
    )


def _diff(before: str, after: str, most: int) -> tuple[str, ...]:
    """What changed, as the lines of a unified diff without its heads; long ones are cut."""
    lines = [line[:DIFF_CHARS_MAX] for line in diff_lines(before, after)]
    more = len(lines) - most
    return (*lines[:most], *([f"... and {more} more lines"] if more > 0 else ()))
