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
    first_record_ms,
    newest_result,
    running_trial,
)
from arena.prompt_versions import version_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHAMPION, CHALLENGER = version_of("Buy."), version_of("Sell.")
ARM_NAMES = ("champion", "challenger", "copy")
ARMS = {arm: (f"shadow-{1:012x}-{arm}-1",) for arm in ARM_NAMES}


def started(number: int = 1, **changes: Any) -> TrialStarted:
    """The start of a trial."""
    # Any: fields of the message.
    fields: dict[str, Any] = {
        "trial_id": f"{number:012x}",
        "agent": "momentum",
        "champion": CHAMPION,
        "challenger": CHALLENGER,
        "arms": {arm: (f"shadow-{number:012x}-{arm}-1",) for arm in ARM_NAMES},
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


def test_any_start_gives_a_time_to_read_from() -> None:
    """Ten minutes before it, for a fast clock; never before the first possible one."""
    assert first_record_ms(started()) == int(NOON.timestamp() - 600) * 1_000
    assert first_record_ms(started(at=datetime(1, 1, 1, tzinfo=UTC))) == 0


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


@pytest.mark.parametrize(
    "name", ["momentum", "shadow-1-copy-1", f"shadow-{2:012x}-copy-1", f"shadow-{1:012x}-\n", ""]
)
def test_a_trial_names_only_shadow_agents_of_its_own(name: str) -> None:
    """They are started and limited, so a record cannot name a contestant."""
    with pytest.raises(ValidationError):
        started(arms={**ARMS, "copy": (name,)})


def test_a_shadow_agent_is_in_one_arm() -> None:
    """One agent cannot play two texts."""
    with pytest.raises(ValidationError, match="two arms"):
        started(arms={**ARMS, "copy": ARMS["champion"]})


@pytest.mark.parametrize(
    "changes",
    [{"champion": CHALLENGER}, {"challenger": CHAMPION}, {"market": "replay"}],
)
def test_a_result_of_something_else_does_not_end_a_trial(
    changes: dict[str, Any],  # Any: fields of the message.
) -> None:
    """Of the same id, but about other texts or another market."""
    trials = list[PromptTrial]()
    assert apply_trial(trials, started(), 0) == ""
    assert "names other texts" in apply_trial(trials, ended(verdict="promote", **changes), 1)
    assert running_trial(trials) == trials[0]
    assert apply_trial(trials, ended(), 2) == ""


def test_many_results_do_not_forget_the_running_trial() -> None:
    """Lock-step contests can be many while shadow agents play."""
    trials = list[PromptTrial]()
    assert apply_trial(trials, started(), 0) == ""
    for number in range(2, TRIALS_MAX + 10):
        assert apply_trial(trials, ended(number, market="replay", run="r"), number) == ""
    running = running_trial(trials)
    assert running is not None
    assert (running.trial_id, len(trials)) == (f"{1:012x}", TRIALS_MAX)


@pytest.mark.parametrize(
    "body",
    [
        {"detectable_pct": float("nan")},
        {"reasons": ("x" * 2_000,)},
        {"reasons": ("x",) * 21},
        {"periods": 10**40},
        {"quality": {"estimate": 1.0, "low": float("-inf"), "high": 2.0}},
    ],
)
def test_a_result_beyond_its_bounds_is_refused(body: dict[str, Any]) -> None:
    """No reader has to print it."""  # Any: fields of the message.
    with pytest.raises(ValidationError):
        ended(**body)
