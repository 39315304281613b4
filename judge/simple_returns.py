"""From log returns to percentages: no overflow, and no figure that says nothing. Pure.

A log return of 800 is not a number in percent, and an interval from -99 % to +100,000 % tells a
trader nothing. Both come from accounts of which a single period decides the season.
"""

from math import expm1, log

from arena.messages import Estimate
from judge.season.types import FloatArray
from judge.statistics import Interval

LARGEST_LOG = log(1e12)
"""A larger log return has no simple one."""
WIDEST_LOG = log(1_000)
"""The largest distance between the ends of an interval: 1 USD could be 1,000 of them."""
WIDE_LOG = log(2)
"""The same if hardly more than one period decides the season."""
DECIDING_MIN = 4.0
"""Fewer deciding periods are hardly more than one."""
DETECTABLE_MAX = 10.0
"""A larger detectable difference, as a share, is not shown: 10.0 is 1,000 %."""

TOO_WIDE = "too wide to say anything: one period decides it"


def simple_return(log_return: float | None) -> float | None:
    """A log return as a simple one: 0.02 is about +2.02 %; None if it is too large to be one."""
    return None if log_return is None or log_return > LARGEST_LOG else expm1(log_return)


def simple_interval(interval: Interval | None, periods: float | None = None) -> Estimate | None:
    """An interval of log returns as one of simple returns; None if it says nothing.

    Args:
        interval: Of a total.
        periods: How many periods decide that total (`deciding_periods`); None if not known.
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
    """By how many periods the variance of some returns is decided: T if all are alike.

    It is (sum d^2)^2 / sum d^4 of the deviations d from the mean; 1 if one outweighs all others.
    """
    if not returns.size:
        return 0.0
    squares = (returns - returns.mean()) ** 2
    fourth = float((squares**2).sum())
    return float(squares.sum()) ** 2 / fourth if fourth > 0 else float(returns.size)


def simple_detectable(log_difference: float | None) -> float | None:
    """A detectable log difference as a simple one; None if it is too large to be of use."""
    found = simple_return(log_difference)
    return None if found is None or found > DETECTABLE_MAX else found


def per_day(log_difference: float, days: float) -> float | None:
    """The simple return of one day that compounds to a log difference; None if it is too large."""
    return simple_detectable(log_difference / days) if days > 0 else None
