"""Decisions on all pairs: against brute force, Tukey's range, arch's MCS, and by hand."""

from itertools import combinations

import numpy as np
import pytest
from arch.bootstrap import MCS
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.statistics.multiplicity import (
    chances_of_first,
    critical_value,
    rank_sets,
    step_down_p_values,
)
from judge.statistics.power import normal_critical_value
from judge.statistics.verdict import judge_returns


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(0, 999))
def test_step_down_agrees_with_the_definition(comparisons: int, seed: int) -> None:
    """The k-th p-value is the largest of the first k, each against the maximum over the rest."""
    rng = np.random.default_rng(seed)
    t_stars = np.abs(rng.standard_normal((60, comparisons)))
    t_values = np.abs(rng.standard_normal(comparisons)) * 2.0
    expected = np.zeros(comparisons)
    order = sorted(range(comparisons), key=lambda i: -t_values[i])
    largest_p = 0.0
    for k, i in enumerate(order):
        maxima = t_stars[:, order[k:]].max(axis=1)
        largest_p = max(largest_p, (1 + (maxima >= t_values[i]).sum()) / 61)
        expected[i] = largest_p

    assert expected.tolist() == step_down_p_values(t_values, t_stars).tolist()


def test_no_comparison_has_no_p_value() -> None:
    """Without a testable pair there is nothing to adjust and nothing to pass."""
    assert 0 == step_down_p_values(np.zeros(0), np.zeros((9, 0))).size
    assert np.inf == critical_value(np.zeros((9, 0)), 0.05)


def test_the_critical_value_is_tukeys() -> None:
    """For independent normal means the largest |t| of all pairs has Tukey's distribution."""
    means = np.random.default_rng(1).standard_normal((40_000, 6))
    a, b = np.array(list(combinations(range(6), 2))).T
    t_stars = np.abs(means[:, a] - means[:, b]) / np.sqrt(2.0)

    assert normal_critical_value(6, 0.05) == pytest.approx(critical_value(t_stars, 0.05), rel=0.015)
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


def test_chances_split_ties() -> None:
    """Two that are level share a season; chances sum to 1."""
    means = np.array([[1.0, 1.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 3.0], [5.0, 0.0, 0.0]])

    assert [0.625, 0.125, 0.25] == chances_of_first(means).tolist()


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
