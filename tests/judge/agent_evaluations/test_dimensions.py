"""Formulas of the dimensions: bounded, without a division by zero, recomputable from the record."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.messages import CheckCount, Dimension, Judged
from judge.evaluations.checks import CHECKS, WEIGHTS
from judge.evaluations.dimensions import (
    DIMENSION_WEIGHTS,
    AccountFigures,
    consistency_dimension,
    figures_of,
    grade_of,
    overall_of,
    quality_dimension,
    quality_interval,
    returns_dimension,
    risk_dimension,
)

levels = st.lists(
    st.floats(min_value=0, max_value=1e12, allow_subnormal=False), min_size=1, max_size=60
)
counts = st.builds(
    CheckCount,
    passed=st.integers(0, 50_000),
    failed=st.integers(0, 50_000),
    not_applicable=st.integers(0, 50_000),
)


def figures(**changes: float | tuple[float, ...]) -> AccountFigures:
    """Figures of a calm account."""
    given_: dict[str, object] = {
        "return_pct": 0.0,
        "drawdown_pct": 0.0,
        "concentration_pct": 20.0,
        "cash_pct": 50.0,
        "returns": (0.01,) * 10,
    }
    return AccountFigures(**(given_ | changes))  # type: ignore[arg-type]  # fields by name


def judged(credit: float | None, low: float | None = None, high: float | None = None) -> Judged:
    """What a model said about ten turns."""
    return Judged(
        node="j", rubric="r", turns=10, credit=credit, corrected_low=low, corrected_high=high
    )


@given(levels, st.floats(0, 1e12), st.floats(0, 1e12))
def test_scores_are_bounded_whatever_an_account_does(
    equity: list[float], cash: float, largest: float
) -> None:
    """Ruin, nothing at all, huge amounts: every score is from 0 to 100 with two decimals."""
    account = figures_of(equity, cash, largest)
    for one in (
        returns_dimension(account),
        risk_dimension(account),
        consistency_dimension(account),
    ):
        assert one.score is not None
        assert 0 <= one.score <= 100
        assert one.score == round(one.score, 2)
        assert all(math.isfinite(value) for value in one.inputs.values())  # type: ignore[arg-type]


@given(st.fixed_dictionaries(dict.fromkeys(CHECKS, counts)), st.floats(0, 1))
def test_quality_is_bounded_and_weighted(checks: dict[str, CheckCount], credit: float) -> None:
    """It is None exactly if no check applied; a better share never gives a lower score."""
    one = quality_dimension(checks, judged(credit))
    applied = any(found.passed + found.failed for found in checks.values())
    assert (one.score is not None) == applied
    if one.score is not None:
        assert 0 <= one.score <= 100
        better = {n: CheckCount(passed=c.passed + c.failed) for n, c in checks.items()}
        best = quality_dimension(better, None).score
        assert best == 100
        low, high = quality_interval(one, judged(credit, 0.0, 1.0)) or (-1.0, -1.0)
        assert 0 <= low <= one.score <= high <= 100


@pytest.mark.parametrize(
    ("return_pct", "score"), [(0, 50), (5, 100), (-5, 0), (1.234, 62.34), (40, 100), (-90, 0)]
)
def test_returns(return_pct: float, score: float) -> None:
    """+5 % is 100, -5 % is 0."""
    assert returns_dimension(figures(return_pct=return_pct)).score == score


@pytest.mark.parametrize(
    ("changes", "score"),
    [
        ({}, 100),
        ({"drawdown_pct": 20.0}, 100),
        ({"drawdown_pct": 25.5}, 89),
        ({"concentration_pct": 42.5}, 87.5),
        ({"cash_pct": 4.999}, 80),
        ({"cash_pct": 5.0}, 100),
        ({"cash_pct": 80.0}, 100),
        ({"cash_pct": 80.01}, 85),
        ({"drawdown_pct": 90.0, "concentration_pct": 100.0, "cash_pct": 0.0}, 0),
    ],
)
def test_risk(changes: dict[str, float], score: float) -> None:
    """Each penalty by itself, and all together."""
    assert risk_dimension(figures(**changes)).score == score


@pytest.mark.parametrize(
    ("returns", "score", "note"),
    [
        ((0.01,) * 4, 50, "fewer than 5 returns"),
        ((), 50, "fewer than 5 returns"),
        ((0.0,) * 9, 50, "the account did not move"),
        ((0.01,) * 5, 100, ""),
        ((0.01, -0.01) * 4, 0, "its returns have no mean"),
        ((0.02, 0.01, 0.02, 0.01, 0.02, 0.01), 81.74, ""),
    ],
)
def test_consistency(returns: tuple[float, ...], score: float, note: str) -> None:
    """The coefficient of variation, and the cases without one."""
    found = consistency_dimension(figures(returns=returns))
    assert (found.score, found.note) == (score, note)


def test_drawdown_is_the_largest_in_the_window() -> None:
    """From 120 to 90, not from the first level."""
    account = figures_of([100, 120, 90, 130, 117], 20, 58.5)
    assert account.drawdown_pct == 25
    assert account.return_pct == 17
    assert account.concentration_pct == 50
    assert account.cash_pct == 17.094017


def test_scores_can_be_computed_again_from_the_inputs_in_the_record() -> None:
    """The rounded inputs give the same digits."""
    account = figures_of([100_000, 100_123.456789, 99_876.54321, 101_000.1, 100_900, 100_950],
                         31_234.5678, 44_444.4444)  # fmt: skip
    returns, risk, even = (
        returns_dimension(account), risk_dimension(account), consistency_dimension(account)
    )  # fmt: skip
    assert returns.score == round(50 + 10 * number(returns, "return_pct"), 2)
    assert risk.score == round(100 - (number(risk, "concentration_pct") - 30), 2)
    assert even.score == round(max(0, 100 - 50 * number(even, "cv")), 2)
    checks = {"valid": CheckCount(passed=7, failed=2), "churn": CheckCount(failed=1, passed=2)}
    quality = quality_dimension(checks, judged(0.7123456789))
    code = round(100 * (3 * 7 / 9 + 2 / 3) / 4, 6)
    assert quality.inputs == {"code": code, "judged": 71.234568}
    assert quality.score == round(0.6 * code + 0.4 * 71.234568, 2)


def number(dimension: Dimension, name: str) -> float:
    """An input of a dimension."""
    value = dimension.inputs[name]
    assert isinstance(value, float)
    return value


def test_overall_is_the_weighted_mean_of_what_is_known() -> None:
    """A dimension without a score leaves its weight to the others."""
    weights = DIMENSION_WEIGHTS
    assert sum(weights.values()) == 1
    scores = {"returns": 40.0, "risk": 80.0, "quality": None, "consistency": 60.0}
    found = {n: Dimension(score=s, weight=weights[n]) for n, s in scores.items()}
    assert overall_of(found) == round((40 * 0.3 + 80 * 0.25 + 60 * 0.2) / 0.75, 2)
    assert overall_of({}) is None
    assert sum(WEIGHTS.values()) == 13


@pytest.mark.parametrize(
    ("overall", "grade"),
    [(None, None), (100, "A"), (90, "A"), (89.99, "B"), (80, "B"), (70, "C"), (60, "D"),
     (59.99, "F"), (0, "F")],
)  # fmt: skip
def test_grades(overall: float | None, grade: str | None) -> None:
    """90, 80, 70, 60."""
    assert grade_of(overall) == grade
