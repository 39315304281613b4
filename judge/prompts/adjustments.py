"""Scales an agent's limits of exposure for a while after a drawdown or an emergency. Pure."""

from datetime import datetime
from typing import Final

from arena.durations import later
from arena.messages import AgentEvaluation, RiskAdjustment
from judge.prompts.coach import CoachSettings
from judge.prompts.triggers import trigger_of

REASON_CHARS_MAX: Final = 500


def adjustment_of(
    evaluation: AgentEvaluation,
    active: RiskAdjustment | None,
    settings: CoachSettings,
    *,
    by: str,
    at: datetime,
) -> RiskAdjustment | None:
    """The adjustment that an evaluation calls for; None for none, or while one is in force.

    Args:
        evaluation: The newest evaluation of an agent.
        active: The newest adjustment of its limits.
        settings: How the coach works.
        by: The sender.
        at: Wall time, for the record.
    """
    if settings.scale_risk_s is None:
        return None
    if active is not None and evaluation.as_of < active.expires_at:
        return None
    trigger = trigger_of(evaluation, "")
    if trigger is None or not trigger.cuts_risk:
        return None
    return RiskAdjustment(
        agent=evaluation.agent,
        factor=settings.risk_factor,
        expires_at=later(evaluation.as_of, settings.scale_risk_s),
        reason=f"{trigger.name}: {trigger.reason}"[:REASON_CHARS_MAX],
        by=by,
        at=at,
    )
