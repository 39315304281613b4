"""Decision quality by snapshot, from turns."""

from datetime import UTC, datetime

import numpy as np

from arena.messages import ChatMessage, RequestedCall, Turn
from judge.evaluations.checks import CHECKS
from judge.prompts.trial_arms import TurnPoints, arm_of, points_of

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def turn(agent: str, snapshot: str, final: str = "Reasoning: holding.", **fields: object) -> Turn:
    """A turn that sent no order."""
    messages = (
        ChatMessage(role="system", content="You trade."),
        ChatMessage(role="user", content="# Market as of 2026-03-01T12:00:00Z (BTC-USD)"),
        ChatMessage(role="assistant", content=final),
    )
    return Turn(
        **{
            "turn_id": f"{agent}/{snapshot}",
            "agent": agent,
            "strategy": "s",
            "node": "rules",
            "snapshot_id": snapshot,
            "snapshot_offset": 0,
            "as_of": AT,
            "messages": messages,
            "final_text": final,
            "outcome": "completed",
            "started_at": AT,
            "ended_at": AT,
        }
        | fields
    )


def test_points_are_the_weighted_share_of_applicable_checks() -> None:
    """`valid` counts three times, `figures` twice."""
    nothing = "-" * len(CHECKS)
    assert np.isnan(points_of(nothing))
    assert 100 == points_of("p" + nothing[1:])
    assert 60 == points_of("pf" + nothing[2:])


def test_quality_is_the_mean_over_the_agents_of_each_snapshot() -> None:
    """An aborted turn, a second record and a turn elsewhere do not count."""
    invented = "Reasoning: holding, the RSI is 98.76."
    turns = [
        turn("a-1", "s1"),
        turn("a-2", "s1", invented),
        turn("a-2", "s1"),
        turn("a-1", "s2", invented),
        turn("a-1", "s3", outcome="aborted"),
        turn("a-1", "elsewhere"),
    ]
    points = TurnPoints()
    for one in turns:
        points.take(one)
    found = points.by_snapshot(["s1", "s2", "s3"], ["a-1", "a-2"])
    assert found[0] > found[1]
    assert np.isnan(found[2])


def test_turns_with_an_order_are_counted_on_the_snapshots_of_the_trial() -> None:
    """Of all agents of the arm."""
    arguments = '{"action": "buy", "product_id": "BTC-USD", "cash_fraction": "0.5"}'
    call = RequestedCall(model_call_id="1", name="execute_trade", arguments=arguments)
    asked = ChatMessage(role="assistant", content="", tool_calls=(call,))
    ordered = (*turn("a-1", "s1").messages[:2], asked)
    points = TurnPoints()
    for agent, snapshot in (("a-1", "s1"), ("a-2", "s2"), ("a-2", "elsewhere"), ("b-1", "s1")):
        points.take(turn(agent, snapshot, messages=ordered))
    points.take(turn("a-1", "s2"))
    shown, names = ["s1", "s2"], ["a-1", "a-2"]
    assert 2 == arm_of(np.zeros((2, 2)), points, shown, names).orders
