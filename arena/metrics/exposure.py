"""Metrics of what an account holds: exposure, leverage, cash, concentration. Pure numpy functions.

Rows are points in time, columns products; values are in cash.
"""

import numpy as np

from arena.metrics.sharpe import FloatArray


def mean_exposure(exposure: FloatArray, equity: FloatArray) -> float | None:
    """Return the mean share of the equity in positions; long only, so it is also the leverage.

    Args:
        exposure: Value of each position, [T+1, P] cash.
        equity: Equity, [T+1] cash.
    """
    shares = _shares(exposure, equity)
    return float(shares.mean()) if len(shares) else None


def max_leverage(exposure: FloatArray, equity: FloatArray) -> float | None:
    """Return the largest gross exposure over equity; at most 1 without borrowing."""
    shares = _shares(exposure, equity)
    return float(shares.max()) if len(shares) else None


def cash_ratio(cash: FloatArray, equity: FloatArray) -> float | None:
    """Return the mean share of the equity in cash."""
    known = equity > 0
    return float(np.mean(cash[known] / equity[known])) if known.any() else None


def time_in_market(exposure: FloatArray) -> float | None:
    """Return the share of the rows with an open position."""
    return float(np.mean(np.abs(exposure).sum(axis=1) > 0)) if len(exposure) else None


def concentration(exposure: FloatArray) -> float | None:
    """Return the mean Herfindahl-Hirschman index of the positions, over rows with any.

    The sum of squared shares of the gross exposure: 1 is a single position, 1/k is k equal ones.
    Source: Herfindahl (1950), "Concentration in the Steel Industry". None if nothing was held.
    """
    gross = np.abs(exposure).sum(axis=1)
    held = gross > 0
    if not held.any():
        return None
    shares = np.abs(exposure[held]) / gross[held, np.newaxis]
    return float(np.mean(np.sum(shares**2, axis=1)))


def _shares(exposure: FloatArray, equity: FloatArray) -> FloatArray:
    known = equity > 0
    gross = np.abs(exposure).sum(axis=1)
    shares: FloatArray = gross[known] / equity[known]
    return shares
