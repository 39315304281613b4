"""Which change the coach proposes after an evaluation. Pure.

Thresholds and their order are those that the arena has always named: an emergency first, then
drawdown, then decisions, then the overall score, and last more risk for an agent that is too calm.
"""

from dataclasses import dataclass
from typing import Final

from arena.messages import AgentEvaluation, Template
from judge.prompts.templates import NAMES

EMERGENCY_BELOW: Final = 40.0
DRAWDOWN_ABOVE_PCT: Final = 20.0
QUALITY_BELOW: Final = 40.0
UPDATE_BELOW: Final = 50.0
CALM_DRAWDOWN_PCT: Final = 5.0
CALM_RETURN_PCT: Final = 2.0
CALM_SCORE: Final = 60.0
FAILED_SHARE_MIN: Final = 0.2
"""A check is worth a rule if at least this share of the turns that it applies to failed it."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """A change that an evaluation calls for.

    Attributes:
        name: Its name: "emergency_conservative", "risk_reduction", "decision_improvement",
            "update" or "increase_aggressiveness".
        template: The template to use.
        failed: Checks whose rules the text gets, the worst first.
        reason: Why, with the figures.
        cuts_risk: True if the agent's limits of risk may be scaled for a while, too.
    """

    name: str
    template: Template
    failed: tuple[str, ...]
    reason: str
    cuts_risk: bool = False


def trigger_of(evaluation: AgentEvaluation, template: Template) -> Trigger | None:
    """The change that an evaluation calls for; None for no change.

    Args:
        evaluation: The newest evaluation of an agent.
        template: The template of its text in force; "" for none.
    """
    overall, quality = evaluation.overall, score_of(evaluation, "quality")
    drawdown, gained = evaluation.drawdown_pct, evaluation.return_pct
    if overall is None:
        return None
    failed = worst_checks(evaluation)
    scored = f"overall score {overall:.1f}"
    if overall < EMERGENCY_BELOW:
        reason = f"{scored} is below {EMERGENCY_BELOW:g}"
        return Trigger("emergency_conservative", "conservative", failed, reason, cuts_risk=True)
    if drawdown is not None and drawdown > DRAWDOWN_ABOVE_PCT:
        reason = f"drawdown of {drawdown:.1f} % is above {DRAWDOWN_ABOVE_PCT:g} %"
        return Trigger("risk_reduction", "conservative", failed, reason, cuts_risk=True)
    if quality is not None and quality < QUALITY_BELOW:
        reason = f"decision quality {quality:.1f} is below {QUALITY_BELOW:g}"
        return Trigger("decision_improvement", template, failed, reason)
    if overall < UPDATE_BELOW:
        reason = f"{scored} is below {UPDATE_BELOW:g}"
        return Trigger("update", _more_cautious(template), failed, reason)
    calm = drawdown is not None and drawdown < CALM_DRAWDOWN_PCT
    if calm and gained is not None and gained < CALM_RETURN_PCT and overall > CALM_SCORE:
        reason = (
            f"drawdown {drawdown:.1f} %, return {gained:.1f} % and {scored}: it may take more risk"
        )
        return Trigger("increase_aggressiveness", _bolder(template), failed, reason)
    return None


def score_of(evaluation: AgentEvaluation, dimension: str) -> float | None:
    """The score of a dimension; None if it has none."""
    found = evaluation.dimensions.get(dimension)
    return None if found is None else found.score


def worst_checks(evaluation: AgentEvaluation) -> tuple[str, ...]:
    """The checks that at least `FAILED_SHARE_MIN` of their turns failed, the worst first."""
    shares = {
        name: one.failed / (one.passed + one.failed)
        for name, one in evaluation.checks.items()
        if one.failed
    }
    worst = sorted(shares, key=lambda name: (-shares[name], name))
    return tuple(name for name in worst if shares[name] >= FAILED_SHARE_MIN)


def _more_cautious(template: Template) -> Template:
    """One step more cautious; a strategy without a template starts with "standard"."""
    if not template:
        return "standard"
    return NAMES[max(0, NAMES.index(template) - 1)]


def _bolder(template: Template) -> Template:
    """One step bolder; a strategy without a template starts with "aggressive"."""
    if not template:
        return "aggressive"
    return NAMES[min(len(NAMES) - 1, NAMES.index(template) + 1)]
