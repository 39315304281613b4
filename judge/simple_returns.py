"""Converts log returns to simple returns, without overflow or meaningless figures. Pure.

A log return of 800 cannot be written in percent, and an interval from -99 % to +100,000 % is
useless to a trader. Both come from accounts whose season a single period decides.
"""

from math import expm1, log

from arena.messages import Estimate
from judge.season.types import FloatArray
from judge.statistics import Interval

LARGEST_LOG = log(1e12)
"""A larger log return has no simple return."""
WIDEST_LOG = log(1_000)
"""Largest log width of a shown interval: a factor of 1,000."""
WIDE_LOG = log(2)
"""Largest log width if fewer than `DECIDING_MIN` periods decide the total: a factor of 2."""
DECIDING_MIN = 4.0
"""With fewer deciding periods (`deciding_periods`) an interval must be narrower."""
DETECTABLE_MAX = 10.0
"""Largest detectable difference that is shown, as a share: 10.0 is 1,000 %."""

TOO_WIDE = "too wide to say anything: one period decides it"


def simple_return(log_return: float | None) -> float | None:
    """Return a log return as a simple return: 0.02 is about +2.02 %; None if it is too large."""
    return None if log_return is None or log_return > LARGEST_LOG else expm1(log_return)


def simple_interval(interval: Interval | None, periods: float | None = None) -> Estimate | None:
    """Return an interval of log returns as one of simple returns; None if it is too wide.

    Args:
        interval: Interval of a total.
        periods: Number of periods that decide the total (`deciding_periods`); None if unknown.
    """
    if interval is None:
        return None
    wide = interval.high - interval.low
    few = periods is not None and periods < DECIDING_MIN
    if wide > (WIDE_LOG if few else WIDEST_LOG):
        return None
    if max(interval.high, interval.estimate) > LARGEST_LOG:
        return None
    return Estimate(
        value=expm1(interval.estimate), low=expm1(interval.low), high=expm1(interval.high)
    )


def deciding_periods(returns: FloatArray) -> float:
    """Return the effective number of periods that decide the variance: T if all are alike.

    It is (sum d^2)^2 / sum d^4 of the deviations d from the mean; 1 if one outweighs all others.
    """
    if not returns.size:
        return 0.0
    squares = (returns - returns.mean()) ** 2
    fourth = float((squares**2).sum())
    return float(squares.sum()) ** 2 / fourth if fourth > 0 else float(returns.size)


def simple_detectable(log_difference: float | None) -> float | None:
    """Return a detectable log difference as a simple one; None if it is too large to be useful."""
    found = simple_return(log_difference)
    return None if found is None or found > DETECTABLE_MAX else found


def per_day(log_difference: float, days: float) -> float | None:
    """Return the daily simple return that compounds to a log difference; None if too large."""
    return simple_detectable(log_difference / days) if days > 0 else None
