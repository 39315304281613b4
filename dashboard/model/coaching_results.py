"""What a coach sees of an agent: scores, versions of its prompt, its owner's words. Pure."""

from datetime import datetime
from functools import lru_cache

from arena.check_words import failed_words
from arena.messages import AgentEvaluation, Evidence, Judged
from arena.plural import counted
from arena.prompt_versions import AgentPrompts, PromptVersion
from arena.text_diff import diff_lines, is_comparable
from dashboard.model.results import (
    AgentCoaching,
    EvaluationResult,
    EvidenceResult,
    FailedCheck,
    ModelOpinion,
    PendingFeedback,
    PreferencesResult,
    PromptMark,
    PromptVersionResult,
)
from dashboard.model.trial_results import trial_results, waiting_trial
from dashboard.model.view import ArenaView

VERSIONS_SHOWN = 20
"""Newest versions of an answer."""
SHOWN_TEXTS = ("in force", "pending")
"""States of the versions whose whole text is in an answer."""
FEEDBACK_SHOWN = 20
MARKS_MAX = 50
"""Newest changes that a curve marks."""
DIFF_LINES_MAX = 200
LINE_CHARS_MAX = 500
SCRIPTED_NOTE = "built-in rules"
"""How the judge's note about scripted answers begins; the words say that first."""
JUDGED_NOTE = "judged: "
"""How an evaluation's note about the judging model begins; `judged` has the same words."""


def coaching_of(view: ArenaView, agent: str) -> AgentCoaching:
    """What a coach sees of an agent; an unknown name has nothing."""
    found, as_of = view.coaching, view.market.venue_now
    own = found.prompts.of(agent)
    now = own.in_force(as_of)
    known = found.evaluations.get(agent)
    prefers = found.owner.preferences.get(agent)
    newest = [*own.versions.values()][-VERSIONS_SHOWN:]
    turns, is_whole = view.turns.agents.get(agent), view.turns.window.complete
    waiting = list(found.waiting(agent, turns, is_whole=is_whole))[:FEEDBACK_SHOWN]
    return AgentCoaching(
        agent=agent,
        frozen=_why_frozen(view, own, agent),
        in_force=now.version if now else "",
        evaluations=tuple(evaluation(one) for one in reversed(known.newest if known else ())),
        prompts=tuple(_version(own, one, as_of) for one in reversed(newest)),
        waiting=None if own.pending is None else _version(own, own.pending, as_of),
        waiting_trial=waiting_trial(view, own),
        trials=trial_results(view, own),
        feedback=tuple(
            PendingFeedback(
                feedback_id=one.feedback_id, to=one.to, text=one.text, by=one.by, at=one.at
            )
            for one in waiting
        ),
        preferences=None
        if prefers is None
        else PreferencesResult(
            risk=prefers.risk,
            style=prefers.style,
            experience=prefers.experience,
            by=prefers.by,
            at=prefers.at,
        ),
    )


def _why_frozen(view: ArenaView, own: AgentPrompts, agent: str) -> str:
    spec = view.roster.get(agent)
    if spec is not None and spec.prompts == "frozen":
        return "by the contest"
    return "by a person" if own.frozen else ""


def prompt_marks(view: ArenaView, agent: str) -> tuple[PromptMark, ...]:
    """When another version came into force, oldest first; the first text is not a change."""
    own, as_of = view.coaching.prompts.of(agent), view.market.venue_now
    marks = [
        PromptMark(at=one.as_of, version=one.version, author=one.author, reason=one.reason)
        for one in own.changes
        if one.before and one.as_of is not None
    ]
    now, current = own.in_force(as_of), own.versions.get(own.current)
    if now is not None and current is not None and now is not current and current.expires_at:
        # Nothing was recorded: its time was over.
        reason = f"version {current.short} was not confirmed in time"
        marks.append(
            PromptMark(at=current.expires_at, version=now.version, author="judge", reason=reason)
        )
    return tuple(marks[-MARKS_MAX:])


def evaluation(one: AgentEvaluation) -> EvaluationResult:
    """An evaluation as a result."""
    failed = [
        FailedCheck(
            check=check,
            failed=count.failed,
            checked=count.passed + count.failed,
            words=failed_words(check, count),
            turns=one.failed_turns.get(check, ()),
        )
        for check, count in one.checks.items()
        if count.failed
    ]
    return EvaluationResult(
        evaluation_id=one.evaluation_id,
        as_of=one.as_of,
        cause=one.cause,
        turns=one.turns,
        version=one.version,
        overall=one.overall,
        grade=one.grade,
        dimensions={name: found.score for name, found in one.dimensions.items()},
        trend=one.trend,
        trend_change=one.trend_change,
        corrected=one.quality_interval,
        failed=tuple(sorted(failed, key=lambda found: -found.failed)),
        judged=None if one.judged is None else _opinion(one.judged),
        notes=tuple(note for note in one.notes if not note.startswith(JUDGED_NOTE)),
    )


def _opinion(one: Judged) -> ModelOpinion:
    who = "scripted rules, not an LLM" if one.scripted else one.model or one.node
    words = [f"{who}, judged {counted(one.turns, 'turn')}"]
    if one.failed:
        words.append(f"no usable answer about {one.failed:,}")
    if one.credit is not None:
        words.append(f"{one.credit:.0%} of the answers speak for the agent")
    if one.corrected is not None:
        words.append(f"{one.corrected:.0%} corrected")
    elif not one.calibration_id and "uncalibrated" not in one.note:
        words.append("uncalibrated")
    said = one.note.split("; ") if one.note else []
    words += [part for part in said if not (one.scripted and part.startswith(SCRIPTED_NOTE))]
    return ModelOpinion(
        node=one.node,
        model=one.model,
        scripted=one.scripted,
        calibrated=bool(one.calibration_id),
        turns=one.turns,
        failed=one.failed,
        credit=one.credit,
        corrected=one.corrected,
        words="; ".join(words),
    )


def _version(own: AgentPrompts, one: PromptVersion, as_of: datetime | None) -> PromptVersionResult:
    state = own.state_at(one, as_of)
    parent = own.versions.get(one.parent)
    diff, added, removed = ((), None, None) if parent is None else diff_of(parent.text, one.text)
    return PromptVersionResult(
        version=one.version,
        parent=one.parent,
        state=state,
        author=one.author,
        by=one.by,
        reason=one.reason,
        template=one.template,
        since=one.since,
        expires_at=one.expires_at,
        confirmed=one.confirmed,
        decided_by=one.decided_by,
        decided_for=one.decided_for,
        text=one.text if state in SHOWN_TEXTS else None,
        diff=diff,
        added=added,
        removed=removed,
        before=_evidence(one.evidence),
        after=_evidence(one.evidence_after),
    )


def _evidence(one: Evidence | None) -> EvidenceResult | None:
    if one is None:
        return None
    return EvidenceResult(
        overall=one.overall,
        quality=one.quality,
        return_pct=one.return_pct,
        drawdown_pct=one.drawdown_pct,
        turns=one.turns,
    )


@lru_cache(maxsize=256)
def diff_of(before: str, after: str) -> tuple[tuple[str, ...], int | None, int | None]:
    """What changed from one text to another.

    Returns:
        The lines of a unified diff, at most `DIFF_LINES_MAX`; lines added and removed, None if the
        texts are too long to compare.
    """
    lines = diff_lines(before, after)
    if not is_comparable(before, after):
        return tuple(lines), None, None
    shown = [line[:LINE_CHARS_MAX] for line in lines[:DIFF_LINES_MAX]]
    if len(lines) > DIFF_LINES_MAX:
        shown.append(f"@ {len(lines) - DIFF_LINES_MAX:,} more lines")
    added, removed = (sum(line.startswith(mark) for line in lines) for mark in "+-")
    return tuple(shown), added, removed
