"""Metrics of curves and returns, against independent libraries and by hand."""

from itertools import pairwise

import empyrical
import numpy as np
import pytest
from scipy import stats

from arena.metrics import returns as curve
from judge.season import FloatArray, log_returns

YEAR = 365 * 24 * 60.0
SCALE = float(np.sqrt(YEAR))
SERIES = [
    ("normal", 0),
    ("normal", 1),
    ("fat", 2),
    ("fat", 3),
    ("autocorrelated", 4),
    ("trending", 5),
    ("short", 6),
]


def drawn(kind: str, seed: int) -> FloatArray:
    """Simple returns of a minute: normal, fat-tailed (t with 3 degrees), AR(1), or two values."""
    rng = np.random.default_rng(seed)
    if kind == "short":
        return np.array([0.004, -0.011])
    noise = rng.standard_t(3, 2_000) if kind == "fat" else rng.normal(size=2_000)
    if kind == "autocorrelated":
        for index in range(1, len(noise)):
            noise[index] += 0.4 * noise[index - 1]
    returns: FloatArray = 0.0008 * noise + (0.0004 if kind == "trending" else 0.0)
    return returns


def curve_of(returns: FloatArray) -> FloatArray:
    """The equity curve of an account of 100,000 USD with these returns."""
    return 100_000 * np.concatenate([[1.0], np.cumprod(1 + returns)])


@pytest.mark.parametrize(("kind", "seed"), SERIES)
def test_ratios_equal_those_of_empyrical(kind: str, seed: int) -> None:
    """Sharpe, Sortino and volatility agree with an independent library to 1e-9."""
    returns = drawn(kind, seed)

    expected = (
        empyrical.sharpe_ratio(returns, annualization=YEAR),
        empyrical.sortino_ratio(returns, annualization=YEAR),
        empyrical.annual_volatility(returns, annualization=YEAR),
    )
    actual = (
        curve.sharpe(returns, SCALE),
        curve.sortino(returns, SCALE),
        curve.volatility(returns, SCALE),
    )

    assert expected == pytest.approx(actual, rel=1e-9)


@pytest.mark.parametrize(("kind", "seed"), SERIES)
def test_growth_and_drawdown_equal_those_of_empyrical(kind: str, seed: int) -> None:
    """Total return, growth rate, drawdown and Calmar agree to 1e-9."""
    returns = drawn(kind, seed)
    equity = curve_of(returns)
    hours = 24 * 365 / 4  # a year short enough for a growth rate that does not overflow
    fall = curve.max_drawdown(equity)

    assert fall is not None
    expected = (
        empyrical.cum_returns_final(returns),
        empyrical.cagr(returns, annualization=hours),
        -empyrical.max_drawdown(returns),
        empyrical.calmar_ratio(returns, annualization=hours),
    )
    actual = (
        curve.total_return(equity),
        curve.annual_return(equity, hours),
        fall.depth,
        curve.calmar(equity, hours),
    )

    assert expected == pytest.approx(actual, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("kind", "seed"), SERIES)
def test_moments_equal_those_of_scipy(kind: str, seed: int) -> None:
    """Skewness and excess kurtosis agree to 1e-9."""
    returns = drawn(kind, seed)

    expected = (float(stats.skew(returns)), float(stats.kurtosis(returns)))
    actual = (curve.skewness(returns), curve.excess_kurtosis(returns))

    assert expected == pytest.approx(actual, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("kind", "seed"), SERIES)
def test_log_returns_sum_to_the_total(kind: str, seed: int) -> None:
    """The log returns of a curve add up to the log of its growth."""
    equity = curve_of(drawn(kind, seed))
    total = curve.total_return(equity)

    assert total is not None
    assert np.log1p(total) == pytest.approx(
        curve.total_log_return(log_returns(equity)), rel=1e-9, abs=1e-12
    )


def test_a_drawdowns_length_is_counted_from_the_high() -> None:
    """It ends with the first value that is not below the high."""
    equity = np.array([100.0, 110.0, 99.0, 104.5, 110.0, 108.0])

    fall = curve.max_drawdown(equity)

    assert fall is not None
    assert (1, 2, 4, 3) == (fall.peak, fall.trough, fall.end, fall.periods)
    assert fall.depth == pytest.approx(0.1)


def test_an_open_drawdown_lasts_to_the_last_row() -> None:
    """A curve that does not recover has no end of its drawdown."""
    fall = curve.max_drawdown(np.array([100.0, 120.0, 90.0, 95.0]))

    assert fall is not None
    assert (None, 2, 0.25) == (fall.end, fall.periods, fall.depth)


def test_a_flat_curve_has_no_ratios() -> None:
    """Undefined ratios are None, not 0 or infinite."""
    flat = np.full(50, 100_000.0)
    returns = log_returns(flat)

    assert [None] * 5 == [
        curve.sharpe(returns, SCALE),
        curve.sortino(returns, SCALE),
        curve.calmar(flat, YEAR),
        curve.skewness(returns),
        curve.excess_kurtosis(returns),
    ]
    assert (0.0, 0.0) == (curve.total_return(flat), curve.volatility(returns, SCALE))


def test_constant_returns_have_no_sharpe() -> None:
    """Returns that differ only by rounding have no Sharpe ratio, rather than one of billions."""
    equity = 100_000 * np.power(1.0001, np.arange(500))

    assert curve.sharpe(log_returns(equity)[:2] * 0 + 1e-4, SCALE) is None
    assert all(b > a for a, b in pairwise(equity))


@pytest.mark.parametrize("periods", [0, 1])
def test_too_few_periods_have_no_figures(periods: int) -> None:
    """Two periods are needed for a spread, one for a return."""
    equity = np.full(periods + 1, 100.0)
    returns = log_returns(equity)

    assert curve.sharpe(returns, SCALE) is None
    assert curve.volatility(returns, SCALE) is None
    assert (curve.total_return(equity) is None) == (periods == 0)


def test_a_growth_rate_that_overflows_is_undefined() -> None:
    """Doubling in a minute has an annual growth rate beyond the range of a float."""
    assert curve.annual_return(np.array([1.0, 2.0]), YEAR) is None
