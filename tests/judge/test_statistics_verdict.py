"""The whole verdict: what it decides, what must not change it, and what stays open."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from math import isfinite

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from judge.statistics import FloatArray, Interval, SeasonVerdict, judge_returns
from judge.statistics.verdict import PERIODS_MAX, PERIODS_MIN, aggregated

NAMES = ("ann", "bob", "cat", "dan")


def season(seed: int = 0, periods: int = 150) -> FloatArray:
    """Four correlated agents, the second truly better; shape [T, 4]."""
    rng = np.random.default_rng(seed)
    returns: FloatArray = 0.01 * (
        rng.standard_normal((periods, 1)) + 0.5 * rng.standard_normal((periods, 4))
    )
    returns[:, 1] += 0.003
    return returns


def judged(returns: FloatArray, names: tuple[str, ...] = NAMES, seed: int = 1) -> SeasonVerdict:
    """A verdict with few resamples."""
    return judge_returns(returns, names, periods_per_year=8760.0, seed=seed, resamples=299)


def numbers(value: object) -> Iterator[float]:
    """Every number anywhere in a verdict."""
    if isinstance(value, int | float):
        yield float(value)
    elif isinstance(value, tuple):
        for part in value:
            yield from numbers(part)
    elif is_dataclass(value):
        for field in fields(value):
            yield from numbers(getattr(value, field.name))


def differences(verdict: SeasonVerdict) -> FloatArray:
    """Estimate and bounds of every pair's difference."""
    found = [pair.difference for pair in verdict.pairs]
    return np.array([(i.estimate, i.low, i.high) for i in found if i is not None])


def adjusted(verdict: SeasonVerdict) -> list[float | None]:
    """The adjusted p-value of every pair."""
    return [pair.p_adjusted for pair in verdict.pairs]


def test_a_true_difference_is_found() -> None:
    """The better agent beats all others, and the rank sets say the same."""
    verdict = judged(season(periods=400))

    assert [(0, 1), (1, 2), (1, 3)] == [(p.a, p.b) for p in verdict.pairs if p.separated]
    assert (1, 1) == (verdict.standings[1].rank_low, verdict.standings[1].rank_high)
    assert all((2, 4) == (s.rank_low, s.rank_high) for s in verdict.standings if s.name != "bob")
    assert 0.99 < (verdict.standings[1].p_best or 0.0)
    assert verdict.detectable is None
    assert "detectable" in verdict.reasons


def test_the_same_seed_gives_the_same_verdict() -> None:
    """Equal seeds give equal bits; another seed changes only the bounds."""
    returns = season()
    verdict, other = judged(returns), judged(returns, seed=2)

    assert verdict == judged(returns)
    assert differences(verdict)[:, 0].tolist() == differences(other)[:, 0].tolist()
    assert differences(verdict).tolist() != differences(other).tolist()


def test_totals_are_sums() -> None:
    """The estimates are the season's totals and their differences."""
    returns = season()
    totals = returns.sum(axis=0)
    verdict = judged(returns)

    for i, standing in enumerate(verdict.standings):
        assert standing.total is not None
        assert totals[i] == pytest.approx(standing.total.estimate)
    for pair in verdict.pairs:
        assert pair.difference is not None
        assert totals[pair.a] - totals[pair.b] == pytest.approx(pair.difference.estimate)


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(4)), st.integers(0, 99))
def test_the_order_of_agents_does_not_matter(order: list[int], seed: int) -> None:
    """Permuting the agents permutes the verdict."""
    returns = season(seed)
    verdict = judged(returns)
    mixed = judged(returns[:, order], tuple(NAMES[i] for i in order))
    before = {s.name: s for s in verdict.standings}

    for standing in mixed.standings:
        same = before[standing.name]
        assert (same.rank_low, same.rank_high) == (standing.rank_low, standing.rank_high)
        assert list(numbers(same)) == pytest.approx(list(numbers(standing)), abs=1e-6)
    assert sorted(p.p_adjusted or 0.0 for p in verdict.pairs) == pytest.approx(
        sorted(p.p_adjusted or 0.0 for p in mixed.pairs)
    )


def test_a_common_shock_changes_no_difference() -> None:
    """A return that all agents share changes no difference and no decision."""
    returns = season()
    shock = 0.02 * np.random.default_rng(9).standard_normal((150, 1))
    before, after = judged(returns), judged(returns + shock)

    np.testing.assert_allclose(differences(before), differences(after), atol=1e-9)
    assert adjusted(before) == pytest.approx(adjusted(after), rel=1e-9)


def test_a_larger_stake_scales_only_the_differences() -> None:
    """Ten times the returns: ten times the differences, the same p-values and Sharpe ratios."""
    before, after = judged(season()), judged(10.0 * season())

    np.testing.assert_allclose(10.0 * differences(before), differences(after), rtol=1e-9)
    assert adjusted(before) == pytest.approx(adjusted(after), rel=1e-9)
    for small, large in zip(before.standings, after.standings, strict=True):
        assert small.sharpe is not None
        assert large.sharpe is not None
        assert small.sharpe.estimate == pytest.approx(large.sharpe.estimate)


def test_identical_agents_are_not_separated() -> None:
    """Two equal series differ by exactly 0 and do not weaken the other pairs."""
    returns = season(periods=400)
    returns = np.column_stack([returns, returns[:, 0]])
    verdict = judged(returns, (*NAMES, "twin"))
    pair = next(p for p in verdict.pairs if (p.a, p.b) == (0, 4))

    assert pair.identical
    assert not pair.separated
    assert Interval(0.0, 0.0, 0.0) == pair.difference
    assert pair.p_value is None
    assert "identical: the same return in every period" == verdict.reasons["ann|twin"]
    assert 4 == sum(p.separated for p in verdict.pairs)


def test_cash_has_a_total_but_no_sharpe_ratio() -> None:
    """Its return is known exactly, it can be beaten, and it has no Sharpe ratio."""
    returns = season(periods=400)
    returns[:, 3] = 0.0
    returns[:, 0] -= 0.01
    verdict = judged(returns)
    cash = verdict.standings[3]

    assert Interval(0.0, 0.0, 0.0) == cash.total
    assert (None, None, None) == (cash.sharpe, cash.psr, cash.dsr)
    assert "the return is the same in every period" == verdict.reasons["sharpe:dan"]
    assert next(p for p in verdict.pairs if (p.a, p.b) == (0, 3)).separated
    assert cash.bradley_terry is not None


def test_one_lucky_trade_is_not_separated_from_cash() -> None:
    """An agent with one enormous gain is not separated from cash, and a reason says why."""
    returns = np.zeros((200, 2))
    returns[77, 0] = 5.0
    verdict = judged(returns, ("lucky", "cash"))

    assert not verdict.pairs[0].separated
    assert verdict.pairs[0].difference is None
    assert "something happened in 1 separate stretches; 10 are needed" in verdict.pairs[0].reason
    assert verdict.standings[0].total is None
    assert (1, 2) == (verdict.standings[0].rank_low, verdict.standings[0].rank_high)


def test_a_difference_that_never_varies_is_certain() -> None:
    """An agent that earns a fixed amount more in every period is ahead."""
    returns = season()[:, :2]
    returns[:, 1] = returns[:, 0] - 0.001
    (pair,) = judged(returns, ("up", "down")).pairs

    assert pair.separated
    assert "the same difference in every period" == pair.reason
    assert pair.difference is not None
    assert 0.15 == pytest.approx(pair.difference.low)


def test_a_short_season_separates_no_pair() -> None:
    """A season below the bound separates no pair, and every None has its reason."""
    returns = season(periods=PERIODS_MIN - 1)
    returns[:, 1] += 1.0
    verdict = judged(returns)

    assert not any(pair.separated for pair in verdict.pairs)
    assert all((1, 4) == (s.rank_low, s.rank_high) for s in verdict.standings)
    assert all(s.total is None and s.p_best is None for s in verdict.standings)
    assert {f"too early: {PERIODS_MIN - 1} periods, at least {PERIODS_MIN} are needed"} == set(
        verdict.reasons.values()
    )


def test_a_single_agent_has_a_total_and_no_comparison() -> None:
    """It has its interval and Sharpe ratio; comparisons have a reason."""
    verdict = judged(season()[:, :1], ("ann",))
    (standing,) = verdict.standings

    assert standing.total is not None
    assert standing.sharpe is not None
    assert (None, None) == (standing.p_best, standing.bradley_terry)
    assert standing.dsr == standing.psr
    assert () == verdict.pairs
    assert {"p_best", "bradley_terry", "detectable"} == set(verdict.reasons)


ODD_VALUES = st.sampled_from([0.0, 0.0, 0.0, 1e-300, 1e-9, -0.01, 0.01, 0.5, -3.0])


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, (66, 3), elements=ODD_VALUES))
def test_every_number_is_finite(returns: FloatArray) -> None:
    """For any returns there is no NaN and no infinity, and every None has a reason."""
    verdict = judged(returns, NAMES[:3])

    assert all(isfinite(number) for number in numbers(verdict))
    for pair in verdict.pairs:
        assert pair.difference is not None or pair.reason
    for standing in verdict.standings:
        for column in ("total", "sharpe", "psr", "dsr"):
            known = getattr(standing, column) is not None
            assert known or {column, f"{column}:{standing.name}"} & set(verdict.reasons)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3 * PERIODS_MAX + 1))
def test_aggregation_keeps_the_totals(periods: int) -> None:
    """Neighbouring periods are summed, no return is lost, and the bound is kept."""
    returns = np.random.default_rng(1).standard_normal((periods, 2))
    found, together = aggregated(returns)

    assert found.shape[0] <= PERIODS_MAX
    assert found.shape[0] == -(-periods // together)
    np.testing.assert_allclose(returns.sum(axis=0), found.sum(axis=0), atol=1e-9)


def test_a_long_season_names_its_aggregation() -> None:
    """Above the bound the method names it, and lengths are in the season's own periods."""
    returns = season(periods=PERIODS_MAX + 100)
    verdict = judged(returns)

    assert PERIODS_MAX + 100 == verdict.periods
    assert ", summed 2 by 2" in verdict.method[0]
    assert "8,760 periods a year" in " ".join(verdict.method)
    assert verdict.block_length is not None
    assert verdict.block_length >= 2.0


def test_the_detectable_difference_is_that_at_the_top() -> None:
    """It is the largest of the pairs that can still be first."""
    returns = season(seed=4)
    returns[:, 1] -= 0.003
    returns[:, 0] *= 2.0
    verdict = judged(returns)
    top = {i for i, s in enumerate(verdict.standings) if s.rank_low == 1}
    expected = max(p.detectable or 0.0 for p in verdict.pairs if {p.a, p.b} <= top)

    assert len(top) > 1
    assert expected == verdict.detectable


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"log_returns": np.zeros((99, 3))}, r"shape \(99, 3\) for 4 names"),
        ({"names": ("a", "b", "a", "c")}, "different names"),
        ({"log_returns": np.full((99, 4), np.nan)}, "log return of ann in period 0 was nan"),
        ({"confidence": 1.0}, "confidence was 1.0"),
        ({"periods_per_year": 0.0}, "periods_per_year was 0.0"),
        ({"resamples": 50}, "resamples was 50"),
    ],
)
def test_wrong_input_is_refused(change: dict[str, object], message: str) -> None:
    """The error names the value and the remedy."""
    arguments: dict[str, object] = {
        "log_returns": season(),
        "names": NAMES,
        "periods_per_year": 8760.0,
        **change,
    }
    with pytest.raises(ValueError, match=message):
        judge_returns(**arguments)  # type: ignore[arg-type]


def test_a_verdict_is_immutable() -> None:
    """Assigning a field is an error."""
    verdict = judged(season())

    with pytest.raises(AttributeError):
        verdict.confidence = 0.5  # type: ignore[misc]
    assert verdict != replace(verdict, confidence=0.5)
