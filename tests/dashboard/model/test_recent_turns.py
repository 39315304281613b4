"""An agent's health by the window of turns equals that of the shared fold."""

import pytest

from arena.agent_health import AgentHealth
from arena.messages.turns import TurnOutcome
from dashboard.model.recent_turns import AgentTurns
from tests.arena.test_agent_health import turn

FAILED: TurnOutcome = "failed"


@pytest.mark.parametrize(
    "outcomes",
    [
        [FAILED] * 5,
        ["max_rounds"] * 6,
        ["completed", "expired", "aborted", FAILED, "max_rounds"],
        [FAILED, "completed", "aborted"],
        ["completed", "completed"],
        ["aborted"],
        [],
    ],
)
def test_window_of_turns_gives_the_same_health_as_the_fold(outcomes: list[TurnOutcome]) -> None:
    """Counts, cause and error are equal for any outcomes."""
    turns, health = AgentTurns(), AgentHealth("a")
    for number, outcome in enumerate(outcomes):
        one = turn(outcome, cause="timeout", error="" if outcome == "max_rounds" else "it failed")
        turns.count_turn(f"t{number}", number, one)
        health.apply(one)

    found = turns.health("a")
    assert (found.failed_run, found.cause, found.error) == (
        health.failed_run,
        health.cause,
        health.error,
    )
    assert (found.is_dead, found.never_decided) == (health.is_dead, health.never_decided)
    if health.failed_run:
        assert health == found
