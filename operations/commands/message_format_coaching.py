"""One line of text per message about evaluations, versions of prompts, and the owner's words."""

from collections.abc import Callable

from arena.messages import (
    AgentEvaluation,
    EvaluationRequest,
    Feedback,
    JudgeCalibration,
    Message,
    PairwiseComparison,
    Preferences,
    PromptDecided,
    PromptProposed,
    RiskAdjustment,
    TrialEnded,
    TrialStarted,
    TurnJudgement,
)
from arena.plural import counted
from arena.prompt_versions import short_version

PAST = {
    "approve": "approved",
    "reject": "rejected",
    "confirm": "confirmed",
    "rollback": "returned to",
}
TEXT_CHARS_MAX = 120


def evaluation_text(message: AgentEvaluation) -> str:
    """The line of an `AgentEvaluation`."""
    if message.overall is None:
        return f"{message.agent} evaluated ({message.cause}): no score"
    scores = ", ".join(
        f"{name} -" if one.score is None else f"{name} {one.score:.0f}"
        for name, one in message.dimensions.items()
    )
    return (
        f"{message.agent} evaluated ({message.cause}): {message.overall:.1f} {message.grade},"
        f" {message.trend}; {scores}"
    )


def judgement_text(message: TurnJudgement) -> str:
    """The line of a `TurnJudgement`."""
    where = f"turn {message.turn_id[:8]} of {message.agent} judged by {message.node}"
    if message.credit is None:
        return f"{where}: no answer, {message.failure}"
    planted = f" (planted: {message.planted})" if message.planted else ""
    return f"{where}: credit {message.credit:.2f}{planted}"


def calibration_text(message: JudgeCalibration) -> str:
    """The line of a `JudgeCalibration`."""
    return (
        f"{message.node} calibrated as a judge: {counted(len(message.rates), 'question')},"
        f" {counted(message.turns, 'turn')}"
    )


def comparison_text(message: PairwiseComparison) -> str:
    """The line of a `PairwiseComparison`."""
    return (
        f"{message.agent_a} and {message.agent_b} compared by {message.node}:"
        f" {message.a_better} to {message.b_better}, {counted(message.ties, 'tie')}"
    )


def evaluation_request_text(message: EvaluationRequest) -> str:
    """The line of an `EvaluationRequest`."""
    return f"an evaluation of {message.agent} requested by {message.by}"


def proposed_text(message: PromptProposed) -> str:
    """The line of a `PromptProposed`."""
    made_from = f", made from {short_version(message.parent)}" if message.parent else ""
    why = f": {message.reason[:TEXT_CHARS_MAX]}" if message.reason else ""
    return (
        f"prompt {short_version(message.version)} of {message.agent} by {message.author}"
        f"{made_from}{why}"
    )


def decided_text(message: PromptDecided) -> str:
    """The line of a `PromptDecided`."""
    why = f": {message.reason[:TEXT_CHARS_MAX]}" if message.reason else ""
    if message.action in ("freeze", "unfreeze"):
        state = "frozen" if message.action == "freeze" else "no longer frozen"
        return f"prompts of {message.agent} are {state}, by {message.by}{why}"
    what = f"{PAST[message.action]} {short_version(message.version)}"
    return f"prompt of {message.agent}: {message.by} {what}{why}"


def trial_started_text(message: TrialStarted) -> str:
    """The line of a `TrialStarted`."""
    return (
        f"trial {message.trial_id} of {message.agent} begins:"
        f" {short_version(message.challenger)} against {short_version(message.champion)},"
        f" {counted(len(message.names), 'shadow agent')},"
        f" {counted(message.snapshots, 'snapshot')}"
    )


def trial_ended_text(message: TrialEnded) -> str:
    """The line of a `TrialEnded`."""
    why = f": {message.reasons[0][:TEXT_CHARS_MAX]}" if message.reasons else ""
    return (
        f"trial {message.trial_id} of {message.agent} ({message.market}):"
        f" {message.verdict} {short_version(message.challenger)}{why}"
    )


def feedback_text(message: Feedback) -> str:
    """The line of a `Feedback`."""
    text = message.text[:TEXT_CHARS_MAX]
    whom = message.agent if message.to == "agent" else f"the judge of {message.agent}"
    return f"{message.by} to {whom}: {text}"


def preferences_text(message: Preferences) -> str:
    """The line of a `Preferences`."""
    named = {"risk": message.risk, "style": message.style, "experience": message.experience}
    wishes = ", ".join(f"{name} {value}" for name, value in named.items() if value is not None)
    return f"{message.by} prefers for {message.agent}: {wishes or 'nothing'}"


def adjustment_text(message: RiskAdjustment) -> str:
    """The line of a `RiskAdjustment`."""
    return (
        f"limits of exposure of {message.agent} times {message.factor:f} until"
        f" {message.expires_at:%Y-%m-%d %H:%M} UTC, by {message.by}: {message.reason}"
    )


# Any function takes its own type of message.
FORMATS: dict[type[Message], Callable[..., str]] = {
    AgentEvaluation: evaluation_text,
    TurnJudgement: judgement_text,
    JudgeCalibration: calibration_text,
    PairwiseComparison: comparison_text,
    EvaluationRequest: evaluation_request_text,
    PromptProposed: proposed_text,
    PromptDecided: decided_text,
    TrialStarted: trial_started_text,
    TrialEnded: trial_ended_text,
    Feedback: feedback_text,
    Preferences: preferences_text,
    RiskAdjustment: adjustment_text,
}
