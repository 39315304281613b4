"""Decisions on all pairs: against brute force, Tukey's range, arch's MCS, and by hand."""

from itertools import combinations

import numpy as np
import pytest
from arch.bootstrap import MCS
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from judge.statistics.multiplicity import EXCEEDING_MIN, Family, rank_sets, scales_of
from judge.statistics.power import normal_critical_value
from judge.statistics.student import Studentised
from judge.statistics.types import FloatArray
from judge.statistics.verdict import judge_returns


def family(t_values: FloatArray, t_stars: FloatArray, freedom: int = 8) -> Family:
    """Comparisons that are on one scale."""
    return Family(t_values, t_stars, np.ones(t_values.size), freedom)


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
    """Beyond what resamples reach a p-value falls as Student's t does, without a jump."""
    freedom = 8
    t_stars = np.abs(np.random.default_rng(2).standard_t(freedom, (4_000, 1)))
    found = Studentised(np.array([1.0]), np.array([1.0]), t_stars)
    scale = float(scales_of(found)[0])
    for t_value in (4.0, 6.0, 9.0, 14.0):
        one = Family(np.array([t_value / scale]), t_stars / scale, np.array([scale]), freedom)
        expected = 2.0 * stats.t.sf(t_value, freedom)

        assert one.p_values()[0] == pytest.approx(expected, rel=0.8)
        assert one.critical_values(expected)[0] == pytest.approx(t_value, rel=0.15)


def test_a_pair_that_hangs_on_one_period_hides_no_other() -> None:
    """Its |t*| are the largest everywhere; balanced, the clear pair beside it is still found."""
    rng = np.random.default_rng(3)
    t_stars = np.abs(rng.standard_t(8, (999, 2)))
    t_stars[:, 1] *= 20.0
    found = Studentised(np.array([6.0, 1.0]), np.array([1.0, 1.0]), t_stars)
    both = np.array([True, True])

    assert family(np.array([6.0, 1.0]), t_stars).p_values()[0] > 0.5
    assert Family.of(found, both, 8).p_values()[0] < 0.01


def test_no_comparison_has_no_p_value() -> None:
    """Without a testable pair there is nothing to adjust and nothing to pass."""
    nothing = family(np.zeros(0), np.zeros((9, 0)))

    assert 0 == nothing.p_values().size == nothing.critical_values(0.05).size


def test_the_critical_value_is_tukeys() -> None:
    """For independent normal means the largest |t| of all pairs has Tukey's distribution."""
    means = np.random.default_rng(1).standard_normal((40_000, 6))
    a, b = np.array(list(combinations(range(6), 2))).T
    t_stars = np.abs(means[:, a] - means[:, b]) / np.sqrt(2.0)
    found = family(np.ones(a.size), t_stars).critical_values(0.05)

    assert normal_critical_value(6, 0.05) == pytest.approx(found[0], rel=0.015)
    assert 2.8497 == pytest.approx(normal_critical_value(6, 0.05), abs=1e-3)


def test_ranks_by_hand() -> None:
    """A beats C, B beats C, and nothing is known of D."""
    assert [(1, 3), (1, 3), (3, 4), (1, 4)] == rank_sets(4, [(0, 2), (1, 2)])


@settings(deadline=None)
@given(st.permutations(range(6)))
def test_rank_sets_hold_the_true_order(order: list[int]) -> None:
    """If every decision is true, every agent's set holds its true rank; all known: one rank."""
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
