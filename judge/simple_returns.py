"""From log returns to percentages: no overflow, and no figure that says nothing. Pure.

A log return of 800 is not a number in percent, and an interval from -99 % to +100,000 % tells a
trader nothing. Both come from accounts of which a single period decides the season.
"""

from math import exp, expm1, log

from arena.messages import Estimate
from judge.statistics import Interval

LARGEST_LOG = log(1e12)
"""A larger log return has no simple one."""
WIDEST_LOG = log(1_000)
"""The largest distance between the ends of an interval: 1 USD could be 1,000 of them."""
DETECTABLE_MAX = 10.0
"""A larger detectable difference, as a share, is not shown: 10.0 is 1,000 %."""

TOO_WIDE = "too wide to say anything: one period decides it"


def simple_return(log_return: float | None) -> float | None:
    """A log return as a simple one: 0.02 is about +2.02 %; None if it is too large to be one."""
    return None if log_return is None or log_return > LARGEST_LOG else expm1(log_return)


def simple_interval(interval: Interval | None) -> Estimate | None:
    """An interval of log returns as one of simple returns; None if it is too wide."""
    if interval is None or interval.high - interval.low > WIDEST_LOG:
        return None
    if max(interval.high, interval.estimate) > LARGEST_LOG:
        return None
    return Estimate(
        value=expm1(interval.estimate), low=expm1(interval.low), high=expm1(interval.high)
    )


def simple_detectable(log_difference: float | None) -> float | None:
    """A detectable log difference as a simple one; None if it is too large to be of use."""
    found = simple_return(log_difference)
    return None if found is None or found > DETECTABLE_MAX else found


def per_day(log_difference: float, days: float) -> float | None:
    """The simple return of one day that compounds to a log difference; None if it is too large."""
    return simple_detectable(log_difference / days) if days > 0 else None


def mean_return(simple_returns: list[float]) -> float:
    """The arithmetic mean of simple returns."""
    return sum(simple_returns) / len(simple_returns)


def lost_share(log_loss: float) -> float:
    """The share that a log loss, a positive number, takes of an account."""
    return 1.0 - exp(-log_loss)
