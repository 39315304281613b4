"""The Sharpe ratio of returns, and the unit in which it is printed. Pure.

The ratio is mean / standard deviation of the log returns of a season's periods, with T - 1 in the
deviation (Sharpe 1994) and a risk-free rate of zero. It is per period.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
CONSTANT_MAX = 1e-14
"""Deviation, relative to the largest return, below which a series counts as constant."""

ANNUAL_MIN_S = 30 * 86_400
"""A shorter season is not annualised: a good hour would become 10^27."""

YEAR_S = 365 * 86_400
"""A year of 365 days: the market never closes."""

SharpeUnit = Literal["year", "period"]


def sharpe_ratio(returns: FloatArray) -> float | None:
    """Return mean over standard deviation (divisor T - 1), per period, risk-free rate zero.

    Source: Sharpe (1994), "The Sharpe Ratio", J. Portfolio Management 21(1).

    Returns:
        None with fewer than two returns, or constant returns.
    """
    spread = deviation(returns)
    return None if spread is None else float(returns.mean() / spread)


def deviation(returns: FloatArray) -> float | None:
    """Return the standard deviation with divisor T - 1; None if it is zero up to rounding."""
    if returns.size < 2:
        return None
    spread = float(returns.std(ddof=1))
    return spread if spread > CONSTANT_MAX * float(np.abs(returns).max()) else None


def sharpe_scale(interval_s: float, periods: int) -> tuple[float, SharpeUnit]:
    """Return the factor for ratios and volatilities per period, and the resulting unit.

    Args:
        interval_s: Length of a period in seconds.
        periods: Number of periods of the season.

    Returns:
        1 and "period" for a season under 30 days, which says nothing about a year; else the square
        root of the periods in a year of 365 days, and "year".
    """
    if interval_s <= 0 or periods * interval_s < ANNUAL_MIN_S:
        return 1.0, "period"
    return float(np.sqrt(YEAR_S / interval_s)), "year"
