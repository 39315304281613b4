"""The fold of trials: one runs at a time, and each ends once."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from arena.messages import TrialEnded, TrialStarted
from arena.prompt_trials import (
    TRIALS_MAX,
    PromptTrial,
    apply_trial,
    newest_result,
    running_trial,
)
from arena.prompt_versions import version_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHAMPION, CHALLENGER = version_of("Buy."), version_of("Sell.")
ARMS = {arm: (f"shadow-1-{arm}-1",) for arm in ("champion", "challenger", "copy")}


def started(number: int = 1, **changes: Any) -> TrialStarted:
    """The start of a trial."""
    # Any: fields of the message.
    fields: dict[str, Any] = {
        "trial_id": f"{number:012x}",
        "agent": "momentum",
        "champion": CHAMPION,
        "challenger": CHALLENGER,
        "arms": ARMS,
        "snapshots": 60,
        "by": "cli/host",
        "at": NOON,
    }
    return TrialStarted(**fields | changes)


def ended(number: int = 1, **changes: Any) -> TrialEnded:
    """The result of a trial."""
    # Any: fields of the message.
    fields: dict[str, Any] = {
        "trial_id": f"{number:012x}",
        "agent": "momentum",
        "champion": CHAMPION,
        "challenger": CHALLENGER,
        "market": "live",
        "verdict": "keep",
        "reasons": ("worse",),
        "periods": 60,
        "repeats": 1,
        "by": "cli/host",
        "at": NOON,
    }
    return TrialEnded(**fields | changes)


def test_a_trial_runs_and_ends_once() -> None:
    """A second start, and a second result, change nothing."""
    trials = list[PromptTrial]()
    assert apply_trial(trials, started(), 0) == ""
    assert running_trial(trials) == trials[0]
    assert "is running" in apply_trial(trials, started(2), 1)
    assert apply_trial(trials, ended(), 2) == ""
    assert running_trial(trials) is None
    assert "has ended" in apply_trial(trials, ended(verdict="promote"), 3)
    assert "is known" in apply_trial(trials, started(), 4)
    result = newest_result(trials, CHALLENGER)
    assert result is not None
    assert result.verdict == "keep"
    assert newest_result(trials, CHAMPION) is None


def test_shadow_agents_need_a_start_and_a_contest_does_not() -> None:
    """A result of shadow agents without a start is refused; of a contest it counts."""
    trials = list[PromptTrial]()
    assert "never began" in apply_trial(trials, ended(), 0)
    assert apply_trial(trials, ended(market="replay", run="r1"), 1) == ""
    assert trials[0].started is None
    assert trials[0].challenger == CHALLENGER


def test_the_oldest_trials_are_forgotten() -> None:
    """The list of trials is bounded."""
    trials = list[PromptTrial]()
    for number in range(TRIALS_MAX + 3):
        apply_trial(trials, ended(number, market="replay"), number)
    assert len(trials) == TRIALS_MAX
    assert trials[0].trial_id == f"{3:012x}"


@pytest.mark.parametrize("arms", [{}, {**ARMS, "copy": ()}, {"champion": ("a",)}])
def test_a_trial_without_three_equal_arms_is_refused(arms: dict[str, tuple[str, ...]]) -> None:
    """Every arm has the same number of shadow agents."""
    with pytest.raises(ValidationError, match="three arms"):
        started(arms=arms)
