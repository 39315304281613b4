"""What a trial of a text finds, for arms whose true difference is known."""

from dataclasses import replace

import numpy as np
import pytest

from judge.prompts.trial_result import TrialArm, TrialResult, judge_trial
from judge.statistics.types import FloatArray
from judge.statistics.verdict import PERIODS_MIN

PERIODS = 120


def arm(seed: int, drift: float = 0.0, quality: float = 60.0, periods: int = PERIODS) -> TrialArm:
    """An arm with some drift per period and some mean quality; arms share the market."""
    market, own = np.random.default_rng(0), np.random.default_rng(seed)
    returns = market.normal(0, 0.002, periods) + own.normal(drift, 0.0003, periods)
    points = np.clip(own.normal(quality, 10, periods), 0, 100)
    return TrialArm(returns, points)


def trial(*, drift: float = 0.0, quality: float = 60.0) -> TrialResult:
    """A trial of a challenger with some true values."""
    return judge_trial(arm(1), arm(2, drift=drift, quality=quality), arm(3))


def test_clearly_better_text_is_promoted() -> None:
    """By its quality; its return is only not worse."""
    found = trial(quality=75.0)
    assert "promote" == found.verdict
    assert found.quality is not None
    assert found.quality.low > 0
    assert 10 < found.quality.estimate < 20


def test_profit_promotes_nothing() -> None:
    """A text that earned more and decides the same is undecided."""
    found = trial(drift=0.001)
    assert "undecided" == found.verdict
    assert found.return_pct is not None
    assert found.return_pct.low > 0


def test_better_text_that_may_have_lost_too_much_is_not_promoted() -> None:
    """The guard needs the whole interval."""
    found = trial(quality=75.0, drift=-0.0002)
    assert "undecided" == found.verdict
    assert any("not excluded" in reason for reason in found.reasons)


def test_text_that_stops_trading_is_not_promoted() -> None:
    """An agent that does nothing fails no check, and pays no fees."""
    champion, challenger = replace(arm(1), orders=30), arm(2, quality=75.0)
    idle = judge_trial(champion, challenger, replace(arm(3), orders=28))
    assert "undecided" == idle.verdict
    assert "no order, and the champion did in 30 turns" in idle.reasons[1]
    for orders in (1, 30):
        found = judge_trial(champion, replace(challenger, orders=orders), champion)
        assert "promote" == found.verdict
    assert "promote" == judge_trial(arm(1), challenger, arm(3)).verdict


def test_worse_text_is_not_kept_in_doubt() -> None:
    """The champion stays."""
    assert "keep" == trial(quality=45.0).verdict


def test_equal_texts_are_undecided_and_say_what_could_have_been_found() -> None:
    """The noise floor is the copy's distance."""
    found = trial()
    assert "undecided" == found.verdict
    assert found.detectable_pct is not None
    assert f"under {found.detectable_pct:.2f} % would be found" in found.reasons[-1]
    assert found.noise_quality is not None
    assert abs(found.noise_quality.estimate) < 3


def test_same_decisions_in_every_snapshot_are_undecided() -> None:
    """Scripted rules that do not read the changed sentence."""
    same = arm(1)
    found = judge_trial(same, same, same)
    assert "undecided" == found.verdict
    assert found.quality is not None
    assert 0 == found.quality.estimate


def test_difference_within_the_noise_of_the_copy_is_undecided() -> None:
    """Two runs of one text differ as much."""
    found = judge_trial(arm(1), arm(2, quality=66.0), arm(3, quality=70.0))
    assert "undecided" == found.verdict
    assert any("noise" in reason for reason in found.reasons)


def test_short_trial_is_too_early() -> None:
    """As a short contest is."""
    short = PERIODS_MIN - 1
    found = judge_trial(*(arm(seed, periods=short) for seed in (1, 2, 3)))
    assert ("undecided", None) == (found.verdict, found.quality)
    assert "too early" in found.reasons[0]


def test_trial_without_checks_is_undecided() -> None:
    """Quality decides, so there must be some."""
    nothing: FloatArray = np.full(PERIODS, np.nan)
    arms = [TrialArm(arm(seed).returns, nothing) for seed in (1, 2, 3)]
    found = judge_trial(*arms)
    assert ("undecided", None) == (found.verdict, found.quality)


def test_arms_of_different_lengths_are_refused() -> None:
    """They did not see the same snapshots."""
    with pytest.raises(ValueError, match="shape|dimension|size"):
        judge_trial(arm(1), arm(2, periods=100), arm(3))


def test_false_promotions_are_rare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of trials between equal texts; the level of each interval is 5 % at either side."""
    monkeypatch.setattr("judge.prompts.trial_result.RESAMPLES", 400)  # 3 times faster
    found = [
        judge_trial(arm(3 * n + 1), arm(3 * n + 2), arm(3 * n + 3), seed=n).verdict
        for n in range(60)
    ]
    assert found.count("promote") <= 3
    assert found.count("keep") <= 6


def test_reasons_have_no_minus_before_zero() -> None:
    """A difference that rounds to nothing has no direction."""
    challenger = replace(arm(2, quality=75.0), returns=arm(1).returns - 1e-7)
    found = judge_trial(arm(1), challenger, arm(1))
    assert "return +0.0 [+0.0, +0.0] %" in found.reasons[1]


def test_rare_differences_are_not_taken_for_none() -> None:
    """One large loss in one period says nothing about the next, and does not count as zero."""
    champion, copy = arm(1), arm(3)
    returns = champion.returns.copy()
    returns[7] -= 0.05
    lost = judge_trial(champion, replace(arm(2, quality=75.0), returns=returns), copy)
    assert ("undecided", None) == (lost.verdict, lost.return_pct)
    assert any("differs too rarely" in reason for reason in lost.reasons)
    quality = champion.quality.copy()
    quality[7] = 0.0
    rare = judge_trial(champion, replace(arm(2), quality=quality), copy)
    assert ("undecided", None) == (rare.verdict, rare.quality)
    assert "differ too rarely" in rare.reasons[0]
