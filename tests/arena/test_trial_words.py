"""Trials in words: how far they are, what they found, and which one is of the proposal."""

import pytest

from arena.messages import TrialEnded, TrialInterval, TrialStarted
from arena.prompt_trials import PromptTrial, apply_trial
from arena.prompt_versions import AgentPrompts, PromptVersion
from arena.shadow_agents import named, shadow_cost_text
from arena.trial_words import (
    figure_text,
    trial_of_pending,
    trial_text,
)
from tests.arena.test_prompt_trials import CHALLENGER, CHAMPION, NOON, ended, started


def pending(offset: int) -> PromptVersion:
    """The challenger as a proposal."""
    return PromptVersion(
        version=CHALLENGER,
        text="Sell.",
        parent=CHAMPION,
        author="judge",
        by="judge/host",
        reason="",
        template="",
        evidence=None,
        cooldown_s=0.0,
        expires_s=None,
        proposed_as_of=None,
        proposed_at=NOON,
        offset=offset,
    )


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        ((9.46, 4.1, 14.9), "+9.5 [+4.1, +14.9]"),
        ((-0.01, -0.04, 0.0), "+0.0 [+0.0, +0.0]"),
        (None, ""),
    ],
)
def test_a_difference_that_rounds_to_zero_has_no_minus(
    interval: tuple[float, float, float] | None, text: str
) -> None:
    """A minus before zero would be read as a loss."""
    names = ("estimate", "low", "high")
    found = None if interval is None else dict(zip(names, interval, strict=True))
    assert figure_text(None if found is None else TrialInterval(**found), 1) == text


def test_only_trials_after_the_proposal_are_about_it() -> None:
    """The same text may have been tried and rejected before; a running one comes first."""
    trials: list[PromptTrial] = []
    messages: list[TrialStarted | TrialEnded] = [started(1), ended(1), started(2), ended(2)]
    for offset, message in enumerate([*messages, started(3)]):
        assert apply_trial(trials, message, offset) == ""
    own = AgentPrompts(pending=pending(1), trials=trials)

    found = trial_of_pending(own)
    assert found is not None
    assert trial_text(found, 34) == "trial 000000000003 is running: 34 of 60 snapshots"
    assert apply_trial(trials, ended(3, verdict="promote"), 5) == ""
    found = trial_of_pending(own)
    assert found is not None
    assert trial_text(found).startswith("trial 000000000003: promote: ")
    assert trial_of_pending(AgentPrompts(pending=pending(9), trials=trials)) is None
    assert trial_of_pending(AgentPrompts(trials=trials)) is None


def test_shadow_agents_are_named_as_such() -> None:
    """In lists of accounts, and where their cost is stated."""
    assert named("shadow-x-copy-1") == "shadow-x-copy-1 (shadow agent of a trial)"
    assert named("momentum") == "momentum"
    assert shadow_cost_text(1, None) == "Shadow agents of trials: 1 model call, cost unknown"
