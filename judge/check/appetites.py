"""Simulated agents with unequal appetite for one market, to check the adjusted difference.

Pure: a random generator in, log returns out. Every agent enters and leaves one fat-tailed market at
random, and holds its own share of equity while it is in. Their returns differ with the market, and
none of them has any skill. So both "A beats B" and "A is better than its market exposure explains"
are false for every pair.
"""

import numpy as np

from judge.statistics.adjusted import adjusted_returns
from judge.statistics.types import FloatArray

MARKET_SD = 0.005
"""Standard deviation of the market's log return in one period: about 50 % a year, hourly."""

ENTRY, EXIT = 0.17, 0.03
"""Probabilities per period of entering and leaving the market: 85 % of the time in it."""

GREATEST, LEAST = 1.0, 0.4
"""Shares of equity held while in the market, by the first and the last agent."""


def appetite_season(
    rng: np.random.Generator, periods: int, agents: int, *, drift: float = 0.0
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Draw a season of agents without skill.

    Args:
        rng: The same state gives the same season.
        periods: Number of periods, T.
        agents: Number of agents, N; their appetites fall evenly from `GREATEST` to `LEAST`.
        drift: Expected log return of the market over the season.

    Returns:
        Log returns [T, N]; shares of equity at the start of each period [T, N], before the orders
        of that period as in a season; and the market's log returns [T].
    """
    market = MARKET_SD * rng.standard_t(4.0, periods) / np.sqrt(2.0) + drift / periods
    chances = rng.random((periods + 1, agents))
    inside = chances[0] < ENTRY / (ENTRY + EXIT)
    held = np.empty((periods, agents))
    for period in range(periods):
        inside = np.where(inside, chances[period + 1] >= EXIT, chances[period + 1] < ENTRY)
        held[period] = inside
    held *= np.linspace(GREATEST, LEAST, agents)
    returns: FloatArray = np.log1p(held * np.expm1(market)[:, None])
    before = np.vstack([np.zeros((1, agents)), held[:-1]])
    return returns, before, market


def raw_season(rng: np.random.Generator, periods: int, agents: int, _: float) -> FloatArray:
    """Draw log returns [T, N] of agents of unequal appetite; a law of `judge.check.return_laws`."""
    return appetite_season(rng, periods, agents)[0]


def adjusted_season(rng: np.random.Generator, periods: int, agents: int, _: float) -> FloatArray:
    """Draw the same season adjusted for the market, as alpha claims see it."""
    return adjusted_returns(*appetite_season(rng, periods, agents))
