"""What the coach does about an agent after an evaluation: one step at a time. Pure.

The coach proposes, and a person approves, unless `auto` is set. Guard rails: one change is pending
at most; a changed agent is left alone until its version is confirmed, rolled back or over; a text
that failed once is not proposed again for a day of the market; a version under which the agent no
longer trades is taken back; every text passes `judge.prompts.lint`. With `trials`, `auto` approves
only what a trial promotes, and a proposal stays pending while a trial of it runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

from arena.durations import duration_option, later
from arena.errors import UsageError
from arena.messages import AgentEvaluation, Evidence, PromptAction, PromptDecided, PromptProposed
from arena.messages.coaching import REASON_CHARS_MAX
from arena.messages.trials import TrialVerdict
from arena.money import parse_share
from arena.prompt_trials import newest_result, running_trial
from arena.prompt_versions import AgentPrompts, PromptVersion, version_of, why_not_proposed
from judge.prompts.lint import lint
from judge.prompts.templates import compose, template_of
from judge.prompts.triggers import Trigger, score_of, trigger_of

COOLDOWN_S: Final = 3_600.0
EXPIRES_S: Final = 4 * 3_600.0
ACTIVITY_TURNS: Final = 12
"""Turns with a decision after which a version must have led to an order."""
CONFIRM_TURNS: Final = 12
CONFIRM_POINTS: Final = 5.0
"""Points by which decision quality must have grown for a version to be confirmed by itself."""
RISK_FACTOR: Final = Decimal("0.5")
AGAIN_AFTER_S: Final = 86_400.0
PROPOSING_AUTHORS: Final = ("judge", "optimiser")
ACTION_OF_VERDICT: Final[Mapping[TrialVerdict, PromptAction]] = {
    "promote": "approve",
    "keep": "reject",
}
"""What `auto` does about a result; an undecided one is left to a person."""


@dataclass(frozen=True, slots=True)
class CoachSettings:
    """How the coach works.

    Attributes:
        auto: It approves and confirms its own proposals.
        cooldown_s: Least seconds of venue time between two changes.
        expires_s: Seconds of venue time after which an unconfirmed version gives way to its parent,
            and a pending proposal is withdrawn.
        scale_risk_s: For how many seconds of venue time limits of exposure are scaled after a
            drawdown or an emergency; None never scales them.
        risk_factor: What they are multiplied by.
        trials: Proposals are tried by shadow agents; `auto` waits for the result.
    """

    auto: bool = False
    cooldown_s: float = COOLDOWN_S
    expires_s: float = EXPIRES_S
    scale_risk_s: float | None = None
    risk_factor: Decimal = RISK_FACTOR
    trials: bool = False


def coach_settings(
    mode: Literal["off", "propose", "auto"],
    cooldown: str,
    expires: str,
    scale_risk: str | None,
    risk_factor: str,
    *,
    trials: bool = False,
) -> CoachSettings | None:
    """The settings of the flags of `arena judge`; None for no coach.

    Raises:
        UsageError: A time or the factor cannot be used.
    """
    if mode == "off":
        return None
    try:
        factor = parse_share(risk_factor)
    except ValueError as error:
        raise UsageError(f"--coach-risk-factor: {error}") from None
    if not factor:
        raise UsageError("--coach-risk-factor is 0", remedy="write a share above 0, such as 0.5")
    scaled_s = None
    if scale_risk is not None:
        scaled_s = duration_option("--coach-scale-risk", scale_risk)
    return CoachSettings(
        auto=mode == "auto",
        cooldown_s=duration_option("--coach-cooldown", cooldown),
        expires_s=duration_option("--coach-expires", expires),
        scale_risk_s=scaled_s,
        risk_factor=factor,
        trials=trials,
    )


@dataclass(frozen=True, slots=True)
class CoachStep:
    """What the coach does.

    Attributes:
        record: What it appends to `prompts`; None for nothing.
        note: Why, for the log.
        trigger: The trigger of a proposal.
    """

    record: PromptProposed | PromptDecided | None = None
    note: str = ""
    trigger: Trigger | None = None


NOTHING: Final = CoachStep()


def next_step(
    own: AgentPrompts,
    evaluation: AgentEvaluation,
    settings: CoachSettings,
    *,
    by: str,
    at: datetime,
) -> CoachStep:
    """The coach's next step about one agent.

    Args:
        own: The versions of the agent.
        evaluation: Its newest evaluation.
        settings: How the coach works.
        by: The sender, such as "judge/<host>".
        at: Wall time, for the record.
    """
    recorder = _Recorder(evaluation, settings, by, at)
    now = own.in_force(evaluation.as_of)
    if own.frozen or now is None:
        return NOTHING
    if now.author in PROPOSING_AUTHORS and now.version == evaluation.version:
        if is_idle(evaluation):
            reason = f"{evaluation.version_turns} turns without an order since it came into force"
            return recorder.decide("rollback", now.parent, reason)
        if now.expires_at is not None and not now.confirmed:
            return _about_probation(now, evaluation, settings, recorder)
    if own.pending is not None:
        return _about_pending(own, own.pending, evaluation, settings, recorder)
    return _propose(own, now, evaluation, recorder)


def trial_step(
    agent: str, own: AgentPrompts, settings: CoachSettings, *, by: str, at: datetime
) -> CoachStep:
    """What the coach does about the result of a trial of the pending proposal.

    Args:
        agent: The agent.
        own: Its versions.
        settings: How the coach works; without `auto` a person decides.
        by: The sender, such as "judge/<host>".
        at: Wall time, for the record.
    """
    pending = own.pending
    if not (settings.trials and settings.auto) or own.frozen or pending is None:
        return NOTHING
    if pending.author not in PROPOSING_AUTHORS:
        return NOTHING
    result = newest_result(own.trials, pending.version)
    if result is None or own.result_of_pending(result.as_of) is not result:
        return NOTHING
    action = ACTION_OF_VERDICT.get(result.verdict)
    if action is None:
        return NOTHING
    reason = f"trial {result.trial_id}, {result.verdict}: {'; '.join(result.reasons)}"
    record = PromptDecided(
        agent=agent,
        version=pending.version,
        action=action,
        author="judge",
        by=by,
        reason=reason[:REASON_CHARS_MAX],
        evidence=Evidence(as_of=result.as_of, turns=result.periods),
        as_of=result.as_of,
        at=at,
    )
    return CoachStep(record, record.reason)


def is_idle(evaluation: AgentEvaluation) -> bool:
    """True if the agent stopped trading under its version."""
    return evaluation.version_turns >= ACTIVITY_TURNS and not evaluation.version_orders


def evidence_of(evaluation: AgentEvaluation) -> Evidence:
    """The figures of an evaluation that a change is based on."""
    return Evidence(
        evaluation_id=evaluation.evaluation_id,
        as_of=evaluation.as_of,
        overall=evaluation.overall,
        returns=score_of(evaluation, "returns"),
        risk=score_of(evaluation, "risk"),
        quality=score_of(evaluation, "quality"),
        consistency=score_of(evaluation, "consistency"),
        return_pct=evaluation.return_pct,
        drawdown_pct=evaluation.drawdown_pct,
        turns=evaluation.turns,
    )


@dataclass(frozen=True, slots=True)
class _Recorder:
    """Writes the coach's records about one agent."""

    evaluation: AgentEvaluation
    settings: CoachSettings
    by: str
    at: datetime

    def decide(self, action: PromptAction, version: str, reason: str) -> CoachStep:
        """A decision about a version."""
        record = PromptDecided(
            agent=self.evaluation.agent,
            version=version,
            action=action,
            author="judge",
            by=self.by,
            reason=reason,
            evidence=evidence_of(self.evaluation),
            as_of=self.evaluation.as_of,
            at=self.at,
        )
        return CoachStep(record, reason)

    def propose(self, text: str, parent: PromptVersion, trigger: Trigger) -> CoachStep:
        """A proposal."""
        record = PromptProposed(
            agent=self.evaluation.agent,
            version=version_of(text),
            text=text,
            parent=parent.version,
            author="judge",
            by=self.by,
            reason=f"{trigger.name}: {trigger.reason}"[:REASON_CHARS_MAX],
            template=trigger.template,
            evidence=evidence_of(self.evaluation),
            cooldown_s=self.settings.cooldown_s,
            expires_s=self.settings.expires_s,
            as_of=self.evaluation.as_of,
            at=self.at,
        )
        return CoachStep(record, record.reason, trigger)


def _about_probation(
    now: PromptVersion, evaluation: AgentEvaluation, settings: CoachSettings, recorder: _Recorder
) -> CoachStep:
    """A version in force that is not confirmed: confirm it, or leave the agent alone."""
    evidence, after = now.evidence, evaluation.version_quality
    # Figures of a search cannot be compared: they count one answer per snapshot, and fewer checks.
    if not settings.auto or evidence is None or not evidence.evaluation_id or after is None:
        return NOTHING
    before = evidence.quality
    if before is None:
        return NOTHING
    grown = after - before
    if evaluation.version_turns < CONFIRM_TURNS or grown < CONFIRM_POINTS:
        return NOTHING
    reason = f"decision quality grew by {grown:.1f} points over {evaluation.version_turns} turns"
    return recorder.decide("confirm", now.version, reason)


def _about_pending(
    own: AgentPrompts,
    pending: PromptVersion,
    evaluation: AgentEvaluation,
    settings: CoachSettings,
    recorder: _Recorder,
) -> CoachStep:
    if pending.author not in PROPOSING_AUTHORS:
        return NOTHING
    decided = trial_step(evaluation.agent, own, settings, by=recorder.by, at=recorder.at)
    if decided.record is not None:
        return NOTHING  # The caller does that, whether or not there is a new evaluation.
    running = running_trial(own.trials)
    if running is not None and running.challenger == pending.version:
        return NOTHING
    if settings.auto and not settings.trials and pending.author == "judge":
        return recorder.decide("approve", pending.version, "approved by the coach itself")
    tried = own.result_of_pending(evaluation.as_of)
    # A result is news: a person has the whole time again to decide about it.
    since = pending.proposed_as_of if tried is None or tried.as_of is None else tried.as_of
    if since is None or evaluation.as_of < later(since, settings.expires_s):
        return NOTHING
    return recorder.decide("reject", pending.version, "it was not approved in time")


def _propose(
    own: AgentPrompts, now: PromptVersion, evaluation: AgentEvaluation, recorder: _Recorder
) -> CoachStep:
    trigger = trigger_of(evaluation, template_of(now.text))
    if trigger is None:
        return NOTHING
    text = compose(now.text, trigger.template, trigger.failed)
    if text == now.text:
        return CoachStep(note=f"{trigger.name}: its text says so already")
    step = recorder.propose(text, now, trigger)
    assert isinstance(step.record, PromptProposed), "it is a proposal"
    if _failed_lately(own.versions.get(step.record.version), evaluation.as_of):
        return CoachStep(note=f"{trigger.name}: this text was tried in the last day")
    if faults := lint(text, now.text):
        return CoachStep(note=f"{trigger.name}: the text is not proposed, {faults[0]}")
    if why := why_not_proposed(own, step.record):
        return CoachStep(note=f"{trigger.name}: {why}")
    return step


def _failed_lately(version: PromptVersion | None, as_of: datetime) -> bool:
    if version is None:
        return False
    tried = version.since or version.proposed_as_of
    return tried is None or as_of < later(tried, AGAIN_AFTER_S)
