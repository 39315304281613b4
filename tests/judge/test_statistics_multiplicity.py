"""Decisions on all pairs: against brute force, Tukey's range, arch's MCS, and by hand."""

from itertools import combinations

import numpy as np
import pytest
from arch.bootstrap import MCS
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from judge.statistics.multiplicity import EXCEEDING_MIN, Family, rank_sets
from judge.statistics.power import normal_critical_value
from judge.statistics.types import FloatArray
from judge.statistics.verdict import judge_returns


def family(t_values: FloatArray, t_stars: FloatArray, freedom: int = 8) -> Family:
    """Comparisons that are decided together."""
    return Family(t_values, t_stars, freedom)


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(0, 999))
def test_step_down_agrees_with_the_definition(comparisons: int, seed: int) -> None:
    """The k-th p-value is the largest of the first k, each against the maximum over the rest."""
    rng = np.random.default_rng(seed)
    t_stars = np.abs(rng.standard_normal((60, comparisons)))
    t_values = np.abs(rng.standard_normal(comparisons))
    order = sorted(range(comparisons), key=lambda i: -t_values[i])
    largest_p = 0.0
    found = family(t_values, t_stars).p_values()
    rare = (1 + EXCEEDING_MIN) / 61
    for k, i in enumerate(order):
        maxima = t_stars[:, order[k:]].max(axis=1)
        exceeding = int((maxima >= t_values[i]).sum())
        largest_p = max(largest_p, (1 + exceeding) / 61)
        if exceeding >= EXCEEDING_MIN:
            assert found[i] == pytest.approx(largest_p)
        else:
            assert 0.0 < found[i] <= max(largest_p, rare)


def test_the_tail_is_students() -> None:
    """Beyond the resamples a p-value falls like Student's t, without a jump."""
    freedom = 8
    t_stars = np.abs(np.random.default_rng(2).standard_t(freedom, (4_000, 1)))
    for t_value in (4.0, 6.0, 9.0, 14.0):
        one = family(np.array([t_value]), t_stars, freedom)
        expected = 2.0 * stats.t.sf(t_value, freedom)

        assert one.p_values()[0] == pytest.approx(expected, rel=0.8)
        assert one.critical_value(expected) == pytest.approx(t_value, rel=0.15)


@pytest.mark.parametrize("fall", [0.2, 0.5, 0.99999])
def test_a_crash_hides_no_clear_pair(fall: float) -> None:
    """The pairs of an agent that fell in one period do not weaken a clear pair."""
    returns = 0.005 * np.random.default_rng(3).standard_normal((384, 4))
    returns[:, 0] += 0.0016
    calm = judge_returns(returns, "abcd", periods_per_year=8760.0, resamples=299)
    returns[200, 3] += np.log1p(-fall)
    found = judge_returns(returns, "abcd", periods_per_year=8760.0, resamples=299)

    for verdict in (calm, found):
        assert all(p.separated for p in verdict.pairs if p.a == 0 and p.b < 3)
    assert not any(p.separated for p in found.pairs if p.a > 0 and p.b == 3)
    assert found.pairs[0].detectable == pytest.approx(calm.pairs[0].detectable, rel=0.3)


def test_no_comparison_has_no_p_value() -> None:
    """Without a testable pair there is nothing to adjust."""
    nothing = family(np.zeros(0), np.zeros((9, 0)))

    assert 0 == nothing.p_values().size
    assert np.inf == nothing.critical_value(0.05)


def test_the_critical_value_is_tukeys() -> None:
    """For independent normal means the largest |t| of all pairs has Tukey's distribution."""
    means = np.random.default_rng(1).standard_normal((40_000, 6))
    a, b = np.array(list(combinations(range(6), 2))).T
    t_stars = np.abs(means[:, a] - means[:, b]) / np.sqrt(2.0)
    found = family(np.ones(a.size), t_stars).critical_value(0.05)

    assert normal_critical_value(6, 0.05) == pytest.approx(found, rel=0.015)
    assert 2.8497 == pytest.approx(normal_critical_value(6, 0.05), abs=1e-3)


def test_rank_sets_match_hand_calculation() -> None:
    """A beats C, B beats C, and A against B is open."""
    assert [(1, 3), (1, 3), (3, 4), (1, 4)] == rank_sets(4, [(0, 2), (1, 2)])


@settings(deadline=None)
@given(st.permutations(range(6)))
def test_rank_sets_contain_the_true_rank(order: list[int]) -> None:
    """If every decision is true, each set has the true rank; if all are known, only that."""
    truth = {agent: rank for rank, agent in enumerate(order, 1)}
    known = [(a, b) for a, b in combinations(order, 2)]

    assert [(truth[a], truth[a]) for a in range(6)] == rank_sets(6, known)
    some = rank_sets(6, known[::2])
    assert all(low <= truth[a] <= high for a, (low, high) in enumerate(some))


def test_the_agents_that_can_be_first_are_archs_model_confidence_set() -> None:
    """With a clear gap between two groups, arch's MCS keeps those whose best rank is 1."""
    rng = np.random.default_rng(5)
    returns = 0.005 * (rng.standard_normal((400, 1)) + rng.standard_normal((400, 5)))
    returns[:, :2] += 0.003
    mcs = MCS(-returns, 0.10, reps=500, seed=np.random.default_rng(1))
    mcs.compute()
    verdict = judge_returns(returns, list("abcde"), periods_per_year=8760.0, resamples=499)

    assert {0, 1} == set(mcs.included)
    assert [0, 1] == [i for i, s in enumerate(verdict.standings) if s.rank_low == 1]
