"""Differences between two independent seasons. Pure."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from judge.statistics import Interval
from judge.statistics.distributions import student_sf


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return step-down adjusted p-values; Holm (1979), Scandinavian Journal of Statistics 6(2)."""
    known = sorted((p, n) for n, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p_value, index) in enumerate(known):
        highest = max(highest, min(1.0, p_value * (len(known) - rank)))
        adjusted[index] = highest
    return adjusted


class LineTotal(NamedTuple):
    """Total of a line in one run.

    Attributes:
        total: The total with its interval.
        error: Standard error of the total.
        freedom: Degrees of freedom of the error.
    """

    total: Interval
    error: float
    freedom: int


class UnpairedDifference(NamedTuple):
    """Difference of two independent totals: after less before.

    Attributes:
        difference: The difference with its interval.
        p_value: Two-sided p-value.
        error: Standard error of the difference.
        freedom: Degrees of freedom of the error.
    """

    difference: Interval
    p_value: float
    error: float
    freedom: float


def combined_interval(before: Interval, after: Interval) -> Interval:
    """Return after less before for two independent figures with intervals (MOVER)."""
    estimate = after.estimate - before.estimate
    down = math.hypot(after.estimate - after.low, before.high - before.estimate)
    up = math.hypot(after.high - after.estimate, before.estimate - before.low)
    return Interval(estimate, estimate - down, estimate + up)


def unpaired_difference(before: LineTotal, after: LineTotal) -> UnpairedDifference:
    """Return after less before for two independent totals with intervals of equal confidence.

    The p-value is that of Welch's test (1947, Biometrika 34, 28-35).
    """
    found = combined_interval(before.total, after.total)
    estimate = found.estimate
    error = math.hypot(before.error, after.error)
    parts = before.error**4 / before.freedom + after.error**4 / after.freedom
    freedom = error**4 / parts if parts else float(before.freedom)
    t_value = abs(estimate) / error if error else math.inf if estimate else 0.0
    return UnpairedDifference(
        found,
        float(2.0 * student_sf(t_value, freedom)),
        error,
        freedom,
    )
