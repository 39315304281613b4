"""A coach in the tests' arena: evaluations, versions of a prompt, a proposal, an owner's words."""

from arena import ids, topics
from arena.messages import (
    AgentEvaluation,
    CheckCount,
    Dimension,
    Evidence,
    Feedback,
    Judged,
    Preferences,
    PromptDecided,
    PromptProposed,
)
from arena.owner_words import preferences_key
from arena.prompt_versions import version_of
from tests.dashboard.scenario import Scenario

FIRST = "You trade on momentum.\nBuy what rises.\nSell what falls.\n"
CAREFUL = "You trade on momentum.\nBuy what rises, at most 15 % of your equity in one product.\n"
UNCALIBRATED = "uncalibrated: `arena judge calibrate` measures how reliable this judge is"
PROPOSED = CAREFUL + "Keep at least 20 % in cash.\n"


def proposed(
    scenario: Scenario, agent: str, text: str, parent: str = "", **changes: object
) -> PromptProposed:
    """Write a text that an agent may get."""
    found = PromptProposed.model_validate(
        {
            "agent": agent,
            "version": version_of(text),
            "text": text,
            "parent": version_of(parent) if parent else "",
            "author": "judge" if parent else "file",
            "by": "judge/host",
            "reason": "overall score below 50" if parent else "the text of strategy momentum",
            "as_of": scenario.venue,
            "at": scenario.wall,
            **changes,
        }
    )
    scenario.write(topics.PROMPTS.name, found, agent)
    return found


def decided(scenario: Scenario, agent: str, text: str, action: str = "approve") -> PromptDecided:
    """Write a decision of a person about a text."""
    found = PromptDecided.model_validate(
        {
            "agent": agent,
            "version": version_of(text) if text else "",
            "action": action,
            "author": "person",
            "by": "cli/host",
            "reason": "it read well",
            "as_of": scenario.venue,
            "at": scenario.wall,
        }
    )
    scenario.write(topics.PROMPTS.name, found, agent)
    return found


def evaluated(scenario: Scenario, agent: str, **changes: object) -> AgentEvaluation:
    """Write an evaluation of an agent at the newest snapshot."""
    assert scenario.newest is not None
    scores = {"returns": 48.21, "risk": 82.5, "quality": 55.04, "consistency": None}
    found = AgentEvaluation.model_validate(
        {
            "evaluation_id": ids.derive("evaluation", agent, scenario.newest.snapshot_id),
            "agent": agent,
            "snapshot_id": scenario.newest.snapshot_id,
            "as_of": scenario.newest.as_of,
            "cause": "cadence",
            "window_s": 600.0,
            "turns": 12,
            "version": version_of(CAREFUL),
            "overall": 61.37,
            "grade": "D",
            "dimensions": {
                name: Dimension(score=score, weight=0.25) for name, score in scores.items()
            },
            "trend": "improving",
            "trend_change": 6.1,
            "checks": {
                "valid": CheckCount(passed=12),
                "figures": CheckCount(passed=9, failed=3),
                "churn": CheckCount(passed=4, failed=4, not_applicable=4),
            },
            "failed_turns": {"figures": ("t-1", "t-2")},
            "judged": Judged(
                node="opinions",
                model="scripted",
                scripted=True,
                rubric="r1",
                turns=5,
                credit=0.71,
                note=f"built-in rules answered, not a language model; {UNCALIBRATED}",
            ),
            "notes": (f"judged: {UNCALIBRATED}", "consistency: fewer than 5 returns"),
            **changes,
        }
    )
    scenario.write(topics.EVALUATIONS.name, found, agent)
    return found


def said(scenario: Scenario, agent: str, text: str, to: str = "agent") -> Feedback:
    """Write feedback of an agent's owner."""
    found = Feedback.model_validate(
        {
            "feedback_id": ids.derive("feedback", agent, text),
            "agent": agent,
            "to": to,
            "text": text,
            "by": "cli/host",
            "at": scenario.wall,
        }
    )
    scenario.write(topics.FEEDBACK.name, found, agent)
    return found


def prefer(scenario: Scenario, agent: str, **wishes: str) -> None:
    """Write an owner's preferences."""
    found = Preferences.model_validate(
        {"agent": agent, "by": "cli/host", "at": scenario.wall, **wishes}
    )
    scenario.write(topics.CONTROL.name, found, preferences_key(agent))


def coached(scenario: Scenario, agent: str, steps: int = 4) -> None:
    """Let a coach work on an agent: two evaluations, a version in force, one that waits, words.

    Args:
        scenario: The arena; it runs three times `steps` snapshots meanwhile.
        agent: The agent.
        steps: Snapshots between two events.
    """
    proposed(scenario, agent, FIRST)
    scenario.run(steps)
    evaluated(scenario, agent, overall=44.5, grade="F", trend="unknown", trend_change=None)
    before = Evidence(overall=44.5, quality=41.0, return_pct=-1.25, turns=9)
    proposed(scenario, agent, CAREFUL, FIRST, template="conservative", evidence=before)
    decided(scenario, agent, CAREFUL)
    scenario.run(steps)
    evaluated(scenario, agent)
    proposed(scenario, agent, PROPOSED, CAREFUL, reason="cash was below 5 % of equity")
    prefer(scenario, agent, risk="low", style="conservative")
    said(scenario, agent, "Take profits earlier.")
    said(scenario, agent, "You sold at the low.", to="judge")
    scenario.run(steps)
