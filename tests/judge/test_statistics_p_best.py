"""P(best): closed forms, and its calibration where the truth is known."""

from functools import cache

import numpy as np
import pytest

from judge.statistics.p_best import (
    CHECKED_SPREADS,
    MISS_MAX,
    Calibration,
    best_probabilities,
    calibration,
    calibration_bins,
)

DRAWS = np.random.default_rng(5).standard_normal((999, 6))


@cache
def simulated(agents: int, correlation: float) -> tuple[Calibration, ...]:
    """Seasons at every spread of skill with a promise."""
    return tuple(
        calibration(agents=agents, spread=spread, correlation=correlation, seasons=300)
        for spread in CHECKED_SPREADS
    )


FIELDS = [(2, 0.0), (6, 0.0), (6, 0.5), (20, 0.5)]


def test_leaders_are_the_best_as_often_as_stated() -> None:
    """Of all leaders with P(best) about p, a share p is truly the best, for every p."""
    found = calibration_bins([one for field in FIELDS for one in simulated(*field)])

    assert len(found) == 10
    for one in found:
        # A share of so many leaders has a standard error.
        noise = 2.0 * np.sqrt(one.given * (1.0 - one.given) / one.leaders)
        assert one.best == pytest.approx(one.given, abs=MISS_MAX + noise)


@pytest.mark.parametrize("field", FIELDS)
def test_without_skill_the_leader_has_little_more_than_its_share(field: tuple[int, float]) -> None:
    """The leader's chance is near 1 / N at any correlation.

    The plain share of resampled seasons would be 75 % for two agents, 51 % for six and 36 % for
    twenty.
    """
    even = simulated(*field)[0]
    most = {2: 0.64, 6: 0.31, 20: 0.14}[field[0]]

    assert 1.0 / field[0] == pytest.approx(even.best.mean())
    assert even.given.mean() < most


@pytest.mark.parametrize("field", FIELDS)
def test_calibration_is_bounded_at_each_spread_of_skill(field: tuple[int, float]) -> None:
    """One rule cannot be exact at each spread of skill; it is within 14 points."""
    for one in simulated(*field):
        assert one.best.mean() == pytest.approx(one.given.mean(), abs=0.14 + 0.03)


def test_a_gap_far_above_the_error_is_near_certain() -> None:
    """An agent that leads by many errors is the best, and the others have a chance near 0."""
    found = best_probabilities(np.array([20.0, 0.0, 0.0, 0.0, 0.0, 0.0]), DRAWS)

    assert found[0] > 0.999
    assert found.sum() == pytest.approx(1.0)


def test_without_a_difference_chances_are_equal() -> None:
    """Equal estimates, one constant each, or no error at all: 1 / N each."""
    flat = np.zeros((199, 3))

    assert [1.0] == best_probabilities(np.zeros(1), flat[:, :1]).tolist()
    assert np.full(3, 1 / 3) == pytest.approx(best_probabilities(np.zeros(3), flat))
    assert np.full(6, 1 / 6) == pytest.approx(best_probabilities(np.zeros(6), DRAWS), abs=0.02)


def test_copies_share_one_chance() -> None:
    """A copy and its original have equal chances that add up to the one without a copy."""
    estimates = np.array([1.0, 0.2, -1.0, 1.0])
    alone = best_probabilities(estimates[:3], DRAWS[:, :3])
    found = best_probabilities(estimates, DRAWS[:, [0, 1, 2, 0]])

    assert found[0] == found[3]
    assert alone[0] == pytest.approx(2.0 * found[0], abs=0.08)


def test_cash_can_be_the_best() -> None:
    """Cash has no error: its chance is near 1 if all others are surely worse, otherwise small."""
    draws = DRAWS.copy()
    draws[:, 0] = 0.0

    assert best_probabilities(np.array([0.0, -9, -9, -9, -9, -9]), draws)[0] > 0.99
    assert best_probabilities(np.array([0.0, 9, 9, 9, 9, 9]), draws)[0] < 0.01
    # Two different constant series have a certain order.
    draws[:, 1] = 0.0
    assert best_probabilities(np.array([0.0, -0.1, -9, -9, -9, -9]), draws)[1] < 0.04


@pytest.mark.parametrize("scale", [1e-9, 1e6])
def test_the_unit_does_not_matter(scale: float) -> None:
    """Dollars, shares and points give the same chances."""
    estimates = np.arange(6.0) / 3.0
    found = best_probabilities(estimates * scale, DRAWS * scale)

    assert best_probabilities(estimates, DRAWS) == pytest.approx(found, abs=1e-9)


def test_a_volatile_agent_does_not_change_a_clear_leader() -> None:
    """The other agent has a thousand times the volatility and a much lower return."""
    draws = DRAWS.copy()
    draws[:, 5] *= 1_000.0
    found = best_probabilities(np.array([8.0, 0.0, 0.0, 0.0, 0.0, -9_000.0]), draws)

    assert found[0] > 0.95


def test_larger_errors_than_resampled_ones_make_chances_smaller() -> None:
    """Errors of twice the size halve the gaps; errors below those of the draws change nothing."""
    estimates = np.array([3.0, 0.0, 0.5, -0.5, 0.2, -1.0])
    plain = best_probabilities(estimates, DRAWS)
    errors = np.full(15, np.sqrt(2.0))
    widened = best_probabilities(estimates, DRAWS, 2.0 * errors)

    assert plain == pytest.approx(best_probabilities(estimates, DRAWS, errors / 2.0))
    assert widened[0] == pytest.approx(best_probabilities(estimates / 2.0, DRAWS)[0], abs=0.02)
    assert widened[0] < plain[0] - 0.1
