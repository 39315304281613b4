"""Records of `judge.evaluations` about single agents, for readers of the topic."""

from datetime import UTC, datetime

from arena import ids
from arena.messages import AgentEvaluation, Dimension, JudgeCalibration, Message, TurnJudgement

AS_OF = datetime(2026, 11, 20, 14, 10, tzinfo=UTC)


def agent_evaluation(number: int = 0, agent: str = "momentum") -> AgentEvaluation:
    """An evaluation of an agent."""
    return AgentEvaluation(
        evaluation_id=ids.derive("agent-evaluation", agent, number),
        agent=agent,
        snapshot_id="s",
        as_of=AS_OF,
        cause="cadence",
        window_s=600,
        turns=3,
        overall=61.5,
        grade="D",
        dimensions={"returns": Dimension(score=61.5, weight=0.3)},
    )


def other_records() -> list[Message]:
    """One message of every kind that is not the evaluation of a season."""
    judgement = TurnJudgement(
        judgement_id="j",
        agent="momentum",
        turn_id="t",
        snapshot_id="s",
        as_of=AS_OF,
        rubric="r",
        node="judge",
        call_id="c",
        at=AS_OF,
    )
    calibration = JudgeCalibration(
        calibration_id="c", rubric="r", node="judge", turns=0, rates=(), at=AS_OF
    )
    return [agent_evaluation(), judgement, calibration]
