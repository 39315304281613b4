"""P(best): what it is by hand, and how often it comes true where the truth is known."""

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
    """Seasons at every promised spread of skill."""
    return tuple(
        calibration(agents=agents, spread=spread, correlation=correlation, seasons=300)
        for spread in CHECKED_SPREADS
    )


FIELDS = [(2, 0.0), (6, 0.0), (6, 0.5), (20, 0.5)]


def test_leaders_are_as_often_the_best_as_they_are_given() -> None:
    """Of all leaders given about p, a share p is truly the best, whatever p is."""
    found = calibration_bins([one for field in FIELDS for one in simulated(*field)])

    assert len(found) == 10
    for one in found:
        # What is measured of so many leaders is itself uncertain by its standard error.
        noise = 2.0 * np.sqrt(one.given * (1.0 - one.given) / one.leaders)
        assert one.best == pytest.approx(one.given, abs=MISS_MAX + noise)


@pytest.mark.parametrize("field", FIELDS)
def test_an_even_field_has_no_favourite(field: tuple[int, float]) -> None:
    """Without any skill the leader is given little more than its share, at any correlation.

    The plain share of resampled seasons gives it 75 % of two agents, 51 % of six, 36 % of twenty.
    """
    even = simulated(*field)[0]
    most = {2: 0.64, 6: 0.31, 20: 0.14}[field[0]]

    assert 1.0 / field[0] == pytest.approx(even.best.mean())
    assert even.given.mean() < most


@pytest.mark.parametrize("field", FIELDS)
def test_no_spread_of_skill_is_far_off(field: tuple[int, float]) -> None:
    """No single rule can be right at each spread of skill by itself; 14 points are the most."""
    for one in simulated(*field):
        assert one.best.mean() == pytest.approx(one.given.mean(), abs=0.14 + 0.03)


def test_a_gap_far_above_the_error_is_near_certain() -> None:
    """An agent that leads by many errors is the best, and the others share nothing."""
    found = best_probabilities(np.array([20.0, 0.0, 0.0, 0.0, 0.0, 0.0]), DRAWS)

    assert found[0] > 0.999
    assert found.sum() == pytest.approx(1.0)


def test_without_any_difference_all_are_alike() -> None:
    """Equal estimates, one constant each, or no error at all: 1 / N each."""
    flat = np.zeros((199, 3))

    assert [1.0] == best_probabilities(np.zeros(1), flat[:, :1]).tolist()
    assert np.full(3, 1 / 3) == pytest.approx(best_probabilities(np.zeros(3), flat))
    assert np.full(6, 1 / 6) == pytest.approx(best_probabilities(np.zeros(6), DRAWS), abs=0.02)


def test_copies_share_what_one_would_have() -> None:
    """A copy and its original have the same chance, and together that of one."""
    estimates = np.array([1.0, 0.2, -1.0, 1.0])
    alone = best_probabilities(estimates[:3], DRAWS[:, :3])
    found = best_probabilities(estimates, DRAWS[:, [0, 1, 2, 0]])

    assert found[0] == found[3]
    assert alone[0] == pytest.approx(2.0 * found[0], abs=0.08)


def test_cash_takes_part() -> None:
    """Cash has no error: it is the best if all others are surely worse, and far from it if not."""
    draws = DRAWS.copy()
    draws[:, 0] = 0.0

    assert best_probabilities(np.array([0.0, -9, -9, -9, -9, -9]), draws)[0] > 0.99
    assert best_probabilities(np.array([0.0, 9, 9, 9, 9, 9]), draws)[0] < 0.01
    # Two constant series that differ are ordered for certain.
    draws[:, 1] = 0.0
    assert best_probabilities(np.array([0.0, -0.1, -9, -9, -9, -9]), draws)[1] < 0.04


@pytest.mark.parametrize("scale", [1e-9, 1e6])
def test_the_unit_does_not_matter(scale: float) -> None:
    """Dollars, shares or points give the same chances."""
    estimates = np.arange(6.0) / 3.0
    found = best_probabilities(estimates * scale, DRAWS * scale)

    assert best_probabilities(estimates, DRAWS) == pytest.approx(found, abs=1e-9)


def test_one_wild_agent_hides_nothing_of_the_others() -> None:
    """A clear leader stays one beside an agent of a thousand times their volatility, far below."""
    draws = DRAWS.copy()
    draws[:, 5] *= 1_000.0
    found = best_probabilities(np.array([8.0, 0.0, 0.0, 0.0, 0.0, -9_000.0]), draws)

    assert found[0] > 0.95


def test_larger_errors_than_resampled_ones_make_chances_smaller() -> None:
    """Errors of twice the size halve the gaps; smaller ones than the draws' change nothing."""
    estimates = np.array([3.0, 0.0, 0.5, -0.5, 0.2, -1.0])
    plain = best_probabilities(estimates, DRAWS)
    errors = np.full(15, np.sqrt(2.0))
    widened = best_probabilities(estimates, DRAWS, 2.0 * errors)

    assert plain == pytest.approx(best_probabilities(estimates, DRAWS, errors / 2.0))
    assert widened[0] == pytest.approx(best_probabilities(estimates / 2.0, DRAWS)[0], abs=0.02)
    assert widened[0] < plain[0] - 0.1
