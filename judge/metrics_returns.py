"""Metrics of an equity curve and of its returns. Pure numpy functions; None where undefined.

A curve has T+1 values in cash, a return series has T of them. `periods_per_year` is that of a
market that never closes: 365 x 24 h divided by the interval. `scale` is its square root, or 1 where
a season is too short to say anything of a year (`judge.statistics.sharpe.sharpe_scale`). The
risk-free rate is zero throughout.
"""

from dataclasses import dataclass

import numpy as np

from judge.season.types import FloatArray
from judge.statistics.sharpe import deviation, sharpe_ratio

PERIODS_MIN = 2
"""Fewer returns have no spread."""


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The deepest fall of a curve below an earlier high.

    Attributes:
        depth: Share of the high that was lost, >= 0: 0.2 is a fall of 20 %.
        peak, trough: Rows of the high and of the low.
        end: Row of the first value not below that high again; None where it never came.
        periods: From the peak to the end, or to the last row.
    """

    depth: float
    peak: int
    trough: int
    end: int | None
    periods: int


def total_return(equity: FloatArray) -> float | None:
    """Simple return of the whole curve: equity[T] / equity[0] - 1.

    None where there is no period, or nothing to begin with.
    """
    if len(equity) < PERIODS_MIN or equity[0] <= 0:
        return None
    return float(equity[-1] / equity[0] - 1)


def total_log_return(log_returns: FloatArray) -> float | None:
    """Sum of the log returns, ln(equity[T] / equity[0]). None where there is no period."""
    return float(log_returns.sum()) if len(log_returns) else None


def mean_log_return(log_returns: FloatArray) -> float | None:
    """Mean log return of a period. None where there is no period."""
    return float(log_returns.mean()) if len(log_returns) else None


def annual_return(equity: FloatArray, periods_per_year: float) -> float | None:
    """Compound annual growth rate: (equity[T] / equity[0]) ** (periods_per_year / T) - 1.

    Of a short season it is an extrapolation, and infinite where it overflows: then None.
    """
    if len(equity) < PERIODS_MIN or equity[0] <= 0:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        grown = np.power(equity[-1] / equity[0], periods_per_year / (len(equity) - 1)) - 1
    return float(grown) if np.isfinite(grown) else None


def volatility(returns: FloatArray, scale: float) -> float | None:
    """Volatility: s * scale, s with n - 1 in its denominator.

    None for fewer than two returns.
    """
    if len(returns) < PERIODS_MIN:
        return None
    return float(returns.std(ddof=1) * scale)


def sharpe(returns: FloatArray, scale: float) -> float | None:
    """Sharpe ratio: `judge.statistics.sharpe.sharpe_ratio` * scale.

    None for fewer than two returns, or returns that never vary.
    """
    ratio = sharpe_ratio(returns)
    return None if ratio is None else ratio * scale


def sortino(returns: FloatArray, scale: float) -> float | None:
    """Sortino ratio: mean / sqrt(mean(min(r, 0)^2)) * scale.

    Source: Sortino and Price (1994), "Performance Measurement in a Downside Risk Framework", J. of
    Investing 3(3), with a target of zero. None for fewer than two returns, or where none is below
    zero.
    """
    if len(returns) < PERIODS_MIN:
        return None
    downside = np.sqrt(np.mean(np.minimum(returns, 0) ** 2))
    if downside == 0:
        return None
    return float(returns.mean() / downside * scale)


def calmar(equity: FloatArray, periods_per_year: float) -> float | None:
    """Compound annual growth rate over the depth of the deepest drawdown.

    Source: Young (1991), "Calmar Ratio: A Smoother Tool", Futures. None where the curve never
    fell, or its growth rate is undefined.
    """
    growth, fall = annual_return(equity, periods_per_year), max_drawdown(equity)
    if growth is None or fall is None or fall.depth == 0:
        return None
    return growth / fall.depth


def drawdowns(equity: FloatArray) -> FloatArray:
    """Share below the highest value so far, [T+1], each >= 0."""
    highest = np.maximum.accumulate(equity)
    return 1 - equity / np.where(highest > 0, highest, 1.0)


def max_drawdown(equity: FloatArray) -> Drawdown | None:
    """The deepest drawdown of a curve; the first of several equally deep ones.

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
    """Third standardised moment m3 / m2^1.5 (population moments).

    None for fewer than two returns, or returns that never vary.
    """
    if deviation(returns) is None:
        return None
    centred = returns - returns.mean()
    return float(np.mean(centred**3) / np.mean(centred**2) ** 1.5)


def excess_kurtosis(returns: FloatArray) -> float | None:
    """Fourth standardised moment less that of the normal: m4 / m2^2 - 3 (population moments).

    None for fewer than two returns, or returns that never vary.
    """
    if deviation(returns) is None:
        return None
    centred = returns - returns.mean()
    return float(np.mean(centred**4) / np.mean(centred**2) ** 2 - 3)
