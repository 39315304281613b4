"""Metrics of an equity curve and its returns. Pure numpy functions; None if undefined.

A curve has T+1 values in cash, a return series has T of them. `periods_per_year` is that of a
market that never closes: 365 x 24 h divided by the interval. `scale` is its square root, or 1 if a
season is too short to be annualised (`arena.metrics.sharpe.sharpe_scale`). The
risk-free rate is zero throughout.
"""

from dataclasses import dataclass

import numpy as np

from arena.metrics.sharpe import FloatArray, deviation, sharpe_ratio

PERIODS_MIN = 2
"""Fewer returns have no standard deviation."""


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The deepest fall of a curve below an earlier high.

    Attributes:
        depth: Share of the high that was lost, >= 0: 0.2 is a fall of 20 %.
        peak, trough: Rows of the high and of the low.
        end: Row of the first later value not below that high; None if there is none.
        periods: Periods from the peak to the end, or to the last row.
    """

    depth: float
    peak: int
    trough: int
    end: int | None
    periods: int


def total_return(equity: FloatArray) -> float | None:
    """Return the simple return of the whole curve: equity[T] / equity[0] - 1.

    None without a period, or if the first equity is not positive.
    """
    if len(equity) < PERIODS_MIN or equity[0] <= 0:
        return None
    return float(equity[-1] / equity[0] - 1)


def total_log_return(log_returns: FloatArray) -> float | None:
    """Return the sum of the log returns, ln(equity[T] / equity[0]); None without a period."""
    return float(log_returns.sum()) if len(log_returns) else None


def mean_log_return(log_returns: FloatArray) -> float | None:
    """Return the mean log return of a period; None without a period."""
    return float(log_returns.mean()) if len(log_returns) else None


def annual_return(equity: FloatArray, periods_per_year: float) -> float | None:
    """Return the annual growth rate: (equity[T] / equity[0]) ** (periods_per_year / T) - 1.

    For a short season it is an extrapolation; None if it overflows.
    """
    if len(equity) < PERIODS_MIN or equity[0] <= 0:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        grown = np.power(equity[-1] / equity[0], periods_per_year / (len(equity) - 1)) - 1
    return float(grown) if np.isfinite(grown) else None


def volatility(returns: FloatArray, scale: float) -> float | None:
    """Return the volatility: standard deviation (divisor n - 1) * scale.

    None with fewer than two returns.
    """
    if len(returns) < PERIODS_MIN:
        return None
    return float(returns.std(ddof=1) * scale)


def sharpe(returns: FloatArray, scale: float) -> float | None:
    """Return the Sharpe ratio: `arena.metrics.sharpe.sharpe_ratio` * scale.

    None with fewer than two returns, or constant returns.
    """
    ratio = sharpe_ratio(returns)
    return None if ratio is None else ratio * scale


def sortino(returns: FloatArray, scale: float) -> float | None:
    """Return the Sortino ratio: mean / sqrt(mean(min(r, 0)^2)) * scale.

    Source: Sortino and Price (1994), "Performance Measurement in a Downside Risk Framework", J. of
    Investing 3(3), with a target of zero. None with fewer than two returns, or without a negative
    one.
    """
    if len(returns) < PERIODS_MIN:
        return None
    downside = np.sqrt(np.mean(np.minimum(returns, 0) ** 2))
    if downside == 0:
        return None
    return float(returns.mean() / downside * scale)


def calmar(equity: FloatArray, periods_per_year: float) -> float | None:
    """Return the annual growth rate over the depth of the deepest drawdown.

    Source: Young (1991), "Calmar Ratio: A Smoother Tool", Futures. None if the curve never
    fell, or its growth rate is undefined.
    """
    growth, fall = annual_return(equity, periods_per_year), max_drawdown(equity)
    if growth is None or fall is None or fall.depth == 0:
        return None
    return growth / fall.depth


def drawdowns(equity: FloatArray) -> FloatArray:
    """Return the share below the highest value so far, [T+1], each >= 0."""
    highest = np.maximum.accumulate(equity)
    return 1 - equity / np.where(highest > 0, highest, 1.0)


def max_drawdown(equity: FloatArray) -> Drawdown | None:
    """Return the deepest drawdown of a curve; the first of several equally deep ones.

    None for an empty curve.
    """
    if not len(equity):
        return None
    below = drawdowns(equity)
    trough = int(below.argmax())
    peak = int(equity[: trough + 1].argmax())
    again = np.flatnonzero(equity[trough:] >= equity[peak])
    end = trough + int(again[0]) if again.size and below[trough] > 0 else None
    if below[trough] == 0:
        return Drawdown(0.0, 0, 0, 0, 0)
    last = len(equity) - 1 if end is None else end
    return Drawdown(float(below[trough]), peak, trough, end, last - peak)


def skewness(returns: FloatArray) -> float | None:
    """Return the third standardised moment m3 / m2^1.5 (population moments).

    None with fewer than two returns, or constant returns.
    """
    if deviation(returns) is None:
        return None
    centred = returns - returns.mean()
    return float(np.mean(centred**3) / np.mean(centred**2) ** 1.5)


def excess_kurtosis(returns: FloatArray) -> float | None:
    """Return the excess of the fourth standardised moment: m4 / m2^2 - 3 (population moments).

    None with fewer than two returns, or constant returns.
    """
    if deviation(returns) is None:
        return None
    centred = returns - returns.mean()
    return float(np.mean(centred**4) / np.mean(centred**2) ** 2 - 3)
