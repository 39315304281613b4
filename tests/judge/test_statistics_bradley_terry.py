"""Bradley-Terry strengths against the closed form for two and known strengths for many."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.statistics.bradley_terry import ELO_PER_LOG_ODDS, _expanded_tail, fit, strengths


@settings(deadline=None)
@given(st.integers(0, 50), st.integers(0, 50))
def test_two_agents_have_a_closed_form(wins: int, losses: int) -> None:
    """The difference is the log odds of wins, each side counting half a win more."""
    table = np.array([[[0.0, wins], [losses, 0.0]]])
    expected = ELO_PER_LOG_ODDS * np.log((wins + 0.5) / (losses + 0.5))
    found = fit(table)[0]

    assert expected == pytest.approx(found[0] - found[1], abs=1e-6)
    assert 0.0 == pytest.approx(found.sum(), abs=1e-9)


def test_known_strengths_are_found_again() -> None:
    """From the expected wins of 100,000 games a pair the strengths come back."""
    truth = np.array([150.0, 40.0, -60.0, -130.0])
    chance = 1.0 / (1.0 + 10.0 ** ((truth[None, :] - truth[:, None]) / 400.0))
    found = fit(100_000.0 * chance[None])[0]

    np.testing.assert_allclose(truth, found, atol=0.05)


@settings(deadline=None)
@given(st.permutations(range(4)), st.integers(0, 99))
def test_the_order_of_agents_does_not_matter(order: list[int], seed: int) -> None:
    """Permuting the agents permutes their strengths."""
    wins = np.random.default_rng(seed).integers(0, 9, (1, 4, 4)).astype(np.float64)

    np.testing.assert_allclose(fit(wins)[0][order], fit(wins[:, order][:, :, order])[0], atol=1e-6)


def test_who_wins_every_window_is_finite_and_first() -> None:
    """A perfect record has a finite strength, and two that never move are level."""
    returns = np.zeros((240, 3))
    returns[:, 0] = 0.001
    (first, second, third), windows = strengths(
        returns,
        block_length=2.0,
        confidence=0.9,
        resamples=200,
        rng=np.random.default_rng(1),
    )

    assert 24 == windows
    assert np.isfinite(first.high)
    assert first.low > second.high
    assert second.estimate == pytest.approx(third.estimate, abs=1e-9)


def test_intervals_hold_their_estimates() -> None:
    """The fit of the whole lies inside the interval of its resamples."""
    returns = np.random.default_rng(1).standard_normal((120, 5))
    found, windows = strengths(
        returns,
        block_length=9.5,
        confidence=0.9,
        resamples=300,
        rng=np.random.default_rng(1),
    )

    assert 12 == windows
    assert all(i.low <= i.estimate <= i.high for i in found)


@pytest.mark.parametrize(("windows", "student"), [(11, 1.8125), (24, 1.7139), (121, 1.6577)])
def test_few_windows_widen_the_interval(windows: int, student: float) -> None:
    """The percentile lies as far out as the quantile of Student's t from a table, divisor W - 1."""
    reach = student * (windows / (windows - 1)) ** 0.5

    assert NormalDist().cdf(-reach) == pytest.approx(_expanded_tail(0.05, windows), abs=1e-5)


def test_one_window_has_no_spread() -> None:
    """Nothing is known of a spread: the interval is a point, and nothing fails."""
    returns = np.array([[0.1, 0.0], [0.0, 0.0]])
    found, windows = strengths(
        returns, block_length=1.0, confidence=0.9, resamples=50, rng=np.random.default_rng(1)
    )

    assert 1 == windows
    assert [(i.low, i.high) for i in found] == [(i.estimate, i.estimate) for i in found]
