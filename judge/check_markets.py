"""Simulated seasons whose truth is known: the markets on which the verdict itself is judged.

Pure: a random generator in, log returns and their true season totals out. Every agent of a market
has the same law, so "A beats B" is false whoever says it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from judge.statistics.types import FloatArray

PERIOD_SD = 0.005
"""Standard deviation of an agent's log return in one period: about 50 % a year, hourly."""

WARM_UP = 200
"""Periods thrown away before a season, so that it does not start from a special state."""

AR_SLOPE = 0.3
GARCH = (0.05, 0.10, 0.85)
"""Constant, last square, last variance: unit variance and a half-life of 14 periods."""

SPELL_ENTRY, SPELL_EXIT, SPELL_FEE = 0.03, 0.07, 0.02
"""Chances per period to enter and leave the market; the fee of a switch in standard deviations."""

Draw = Callable[[np.random.Generator, int, int], FloatArray]


@dataclass(frozen=True, slots=True)
class Market:
    """One simulated kind of season.

    Attributes:
        law: Key of `LAWS`, or "spells".
        agents: N.
        periods: T.
        correlation: Between any two agents' returns (for spells: what their trading leaves).
    """

    law: str
    agents: int
    periods: int
    correlation: float = 0.5

    @property
    def title(self) -> str:
        """How it is called in a table."""
        return TITLES[self.law]

    @property
    def true_total(self) -> float:
        """The expected season total of every agent's log return."""
        if self.law != "spells":
            return 0.0
        switches = 2.0 * SPELL_ENTRY * SPELL_EXIT / (SPELL_ENTRY + SPELL_EXIT)
        return -switches * SPELL_FEE * PERIOD_SD * self.periods

    @property
    def true_sharpe(self) -> float:
        """Every agent's Sharpe ratio per period: the ratio of the true moments."""
        if self.law != "spells":
            return 0.0
        mean = self.true_total / self.periods / PERIOD_SD
        held = SPELL_ENTRY / (SPELL_ENTRY + SPELL_EXIT)
        # Market and trading are independent, and the market's mean is 0: their product has none.
        square = held + SPELL_FEE**2 * 2.0 * SPELL_EXIT * held
        return mean / float(np.sqrt(square - mean**2))

    def season(self, rng: np.random.Generator) -> FloatArray:
        """Log returns of one season, shape [T, N]."""
        if self.law == "spells":
            return _spells(rng, self.periods, self.agents)
        draws = LAWS[self.law](rng, self.periods, self.agents + 1)
        common, own = draws[:, :1], draws[:, 1:]
        mixed = np.sqrt(self.correlation) * common + np.sqrt(1.0 - self.correlation) * own
        season: FloatArray = PERIOD_SD * mixed
        return season


def _normal(rng: np.random.Generator, periods: int, columns: int) -> FloatArray:
    return rng.standard_normal((periods, columns))


def _fat_tails(rng: np.random.Generator, periods: int, columns: int) -> FloatArray:
    draws: FloatArray = rng.standard_t(3.0, (periods, columns)) / np.sqrt(3.0)
    return draws


def _autocorrelated(rng: np.random.Generator, periods: int, columns: int) -> FloatArray:
    noise: FloatArray = rng.standard_normal((periods + WARM_UP, columns)) * np.sqrt(
        1.0 - AR_SLOPE**2
    )
    for period in range(1, periods + WARM_UP):
        noise[period] += AR_SLOPE * noise[period - 1]
    return noise[WARM_UP:]


def _clustered(rng: np.random.Generator, periods: int, columns: int) -> FloatArray:
    """GARCH(1,1) (Bollerslev 1986) with innovations of Student's t with 5 degrees of freedom."""
    constant, of_square, of_variance = GARCH
    draws: FloatArray = rng.standard_t(5.0, (periods + WARM_UP, columns)) / np.sqrt(5.0 / 3.0)
    variance = np.ones(columns)
    for period in range(periods + WARM_UP):
        draws[period] *= np.sqrt(variance)
        variance = constant + of_square * draws[period] ** 2 + of_variance * variance
    return draws[WARM_UP:]


def _spells(rng: np.random.Generator, periods: int, agents: int) -> FloatArray:
    """Agents that are in one fat-tailed market by turns, pay for every switch, else earn zero."""
    market = rng.standard_t(4.0, periods) / np.sqrt(2.0)
    chances = rng.random((periods + 1, agents))
    held = chances[0] < SPELL_ENTRY / (SPELL_ENTRY + SPELL_EXIT)
    season = np.empty((periods, agents))
    for period in range(periods):
        following = np.where(
            held, chances[period + 1] >= SPELL_EXIT, chances[period + 1] < SPELL_ENTRY
        )
        season[period] = held * market[period] - SPELL_FEE * (following != held)
        held = following
    return PERIOD_SD * season


LAWS: dict[str, Draw] = {
    "normal": _normal,
    "fat": _fat_tails,
    "ar": _autocorrelated,
    "garch": _clustered,
}

TITLES = {
    "normal": "normal",
    "fat": "fat tails, Student t(3)",
    "ar": f"autocorrelated, AR(1) {AR_SLOPE}",
    "garch": "volatility clusters, GARCH t(5)",
    "spells": "in and out of one market, with fees",
}
