"""An agent's health by the window of turns equals that of the shared fold."""

import pytest

from arena.agent_health import AgentHealth
from arena.messages.turns import TurnOutcome
from dashboard.recent_turns import AgentTurns
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
    turns, vital = AgentTurns(), AgentHealth("a")
    for number, outcome in enumerate(outcomes):
        one = turn(outcome, cause="timeout", error="" if outcome == "max_rounds" else "it failed")
        turns.count_turn(f"t{number}", number, one)
        vital.apply(one)

    found = turns.vital("a")
    assert (found.failed_run, found.cause, found.error) == (
        vital.failed_run,
        vital.cause,
        vital.error,
    )
    assert (found.is_dead, found.never_decided) == (vital.is_dead, vital.never_decided)
    if vital.failed_run:
        assert vital == found
