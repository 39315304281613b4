"""What the page shows of an agent's coach, and marks of changes on curves. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from arena.page.line_chart import Mark
from arena.prompt_versions import short_version
from dashboard.model.results import (
    AgentCoaching,
    DifferenceResult,
    EvaluationResult,
    PromptMark,
    PromptVersionResult,
    ShadowResult,
    TrialResult,
)
from dashboard.web.page import formats

DIFF_STYLES = {"+": "added", "-": "removed", "@": "place"}


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of a diff and its style."""

    words: str
    style: str


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version of a prompt in words.

    Attributes:
        author: Who wrote it, with the template that it came from.
        decided: Who decided about it last, and why; "" if it was in force at once.
        changed: Lines added and removed: "+3 -1"; "" if unknown.
        found: Scores around the change in words; "" without any.
    """

    version: PromptVersionResult
    short: str
    author: str
    decided: str
    changed: str
    found: str
    diff: tuple[DiffLine, ...]


@dataclass(frozen=True, slots=True)
class TrialRow:
    """A trial in words.

    Attributes:
        state: Its verdict, or that it is running.
        tried: What was tried against what.
        quality, returned: Challenger less champion with its interval; "" if not compared.
        quality_noise, return_noise: The same of the copy.
    """

    trial: TrialResult
    state: str
    tried: str
    quality: str
    quality_noise: str
    returned: str
    return_noise: str


@dataclass(frozen=True, slots=True)
class CoachingRows:
    """The section of the coach.

    Attributes:
        newest: The newest evaluation; None without one.
        waiting: The pending proposal; None without one.
        trials: The trials, the newest first.
        shadows: The shadow agents of the trial that runs.
        any: True if there is something to show.
    """

    newest: EvaluationResult | None
    versions: tuple[VersionRow, ...]
    waiting: VersionRow | None
    trials: tuple[TrialRow, ...]
    shadows: tuple[ShadowResult, ...]
    any: bool


def coaching_rows(found: AgentCoaching) -> CoachingRows:
    """What the section shows besides the result itself."""
    newest = found.evaluations[0] if found.evaluations else None
    several = len(found.prompts) > 1 or any(one.author != "file" for one in found.prompts)
    return CoachingRows(
        newest=newest,
        versions=tuple(_row(one) for one in found.prompts),
        waiting=None if found.waiting is None else _row(found.waiting),
        trials=tuple(_trial(one) for one in found.trials),
        shadows=tuple(shadow for one in found.trials for shadow in one.shadows),
        any=bool(
            newest
            or several
            or found.waiting
            or found.feedback
            or found.preferences
            or found.trials
        ),
    )


def _trial(one: TrialResult) -> TrialRow:
    return TrialRow(
        trial=one,
        state=one.verdict or one.state,
        tried=f"{short_version(one.challenger)} against {short_version(one.champion)}",
        quality=_difference(one.quality, 1),
        quality_noise=_difference(one.noise_quality, 1),
        returned=_difference(one.return_pct, 2),
        return_noise=_difference(one.noise_return_pct, 2),
    )


def _difference(found: DifferenceResult | None, digits: int) -> str:
    """A difference with its interval: "+9.5 (+4.1 … +14.9)"; "" without one."""
    if found is None:
        return ""
    ends = (found.estimate, found.low, found.high)
    estimate, low, high = (formats.minus(f"{value:+.{digits}f}") for value in ends)
    return f"{estimate} ({low} … {high})"


def _row(one: PromptVersionResult) -> VersionRow:
    decided = ""
    if one.decided_by:
        decided = f"{one.decided_by}: {one.decided_for}" if one.decided_for else one.decided_by
    changed = "" if one.added is None else f"+{one.added} −{one.removed}"
    return VersionRow(
        version=one,
        short=short_version(one.version),
        author=f"{one.author}, {one.template}" if one.template else one.author,
        decided=decided,
        changed=changed,
        found=_scores(one),
        diff=tuple(DiffLine(line, DIFF_STYLES.get(line[:1], "")) for line in one.diff),
    )


def _scores(one: PromptVersionResult) -> str:
    """Scores around the change: "44.50 before, 61.37 after"."""
    parts = ((one.before, "before"), (one.after, "after"))
    known = [(e.overall, when) for e, when in parts if e is not None and e.overall is not None]
    return ", ".join(f"{overall:.2f} {when}" for overall, when in known)


def score(value: float | None) -> str:
    """A score from 0 to 100 with two decimals."""
    return formats.UNKNOWN if value is None else f"{value:.2f}"


def trend(one: EvaluationResult) -> str:
    """The trend with its change in points: "improving, +6.10"."""
    if one.trend_change is None:
        return one.trend
    return f"{one.trend}, {formats.minus(f'{one.trend_change:+.2f}')}"


def short(version: str) -> str:
    """The first characters of a version."""
    return short_version(version) or formats.UNKNOWN


def curve_marks(changes: Sequence[PromptMark]) -> tuple[Mark, ...]:
    """The changes of a prompt on a curve, in words."""
    return tuple(
        Mark(
            int(one.at.timestamp() * 1000),
            f"{formats.stamp(one.at)}: version {short(one.version)} by {one.author}",
        )
        for one in changes
    )
