"""Bradley-Terry strengths against the closed form for two and known strengths for many."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.statistics.bradley_terry import ELO_MAX, ELO_PER_LOG_ODDS, fit, strengths


@settings(deadline=None)
@given(st.integers(0, 50), st.integers(0, 50))
def test_two_agents_have_a_closed_form(wins: int, losses: int) -> None:
    """The difference is the log odds of wins, with half a win more for each agent."""
    table = np.array([[[0.0, wins], [losses, 0.0]]])
    expected = ELO_PER_LOG_ODDS * np.log((wins + 0.5) / (losses + 0.5))
    found = fit(table)[0]

    assert expected == pytest.approx(found[0] - found[1], abs=1e-6)
    assert 0.0 == pytest.approx(found.sum(), abs=1e-9)


def test_known_strengths_are_recovered() -> None:
    """The expected wins of 100,000 games for each pair give the strengths."""
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


def test_a_winner_of_every_window_has_a_finite_strength() -> None:
    """It is first and not certain; two agents that never trade are equal."""
    returns = np.zeros((240, 3))
    returns[:, 0] = 0.001
    first, second, third = strengths(returns, block_length=2.0, confidence=0.9)

    assert np.isfinite(first.high)
    assert first.low < first.estimate
    assert first.low > second.high
    assert second.estimate == pytest.approx(third.estimate, abs=1e-9)


def test_dependent_windows_widen_the_interval() -> None:
    """Each result repeated four times is a quarter of the evidence: about twice as wide."""
    results = np.random.default_rng(1).standard_normal((6, 3))
    alone = strengths(np.repeat(results, 40, axis=0), block_length=10.0, confidence=0.9)
    fresh = np.random.default_rng(2).standard_normal((24, 3))
    plain = strengths(np.repeat(fresh, 10, axis=0), block_length=10.0, confidence=0.9)
    wide, narrow = (np.mean([i.high - i.low for i in found]) for found in (alone, plain))

    assert 1.3 < wide / narrow < 3.0


def test_one_window_has_the_widest_interval() -> None:
    """Its spread is unknown: the interval is as wide as possible, without an error."""
    returns = np.array([[0.1, 0.0], [0.0, 0.0]])
    found = strengths(returns, block_length=1.0, confidence=0.9)

    assert [ELO_MAX, ELO_MAX] == [i.high - i.estimate for i in found]
