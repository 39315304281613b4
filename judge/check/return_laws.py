"""Distributions of the log returns of simulated agents, with known truth.

Pure: a random generator in, log returns out. In every law all agents have the same expected return,
so "A beats B" is false for every pair.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from judge.check.appetites import adjusted_season, appetite_season, raw_season
from judge.check.real_returns import BLOCK_HOURS, real_returns
from judge.statistics.adjusted import adjusted_returns
from judge.statistics.types import FloatArray

PERIOD_SD = 0.005
"""Standard deviation of an agent's log return in one period: about 50 % a year, hourly."""

WARM_UP = 400
"""Periods discarded before a season, so that it does not start in a special state."""

GARCH = (0.05, 0.10, 0.85)
"""Constant, weight of the last square, weight of the last variance: unit variance, half-life 14."""

SPELL_ENTRY, SPELL_EXIT, SPELL_FEE = 0.03, 0.07, 0.02
"""Probabilities per period of entering and leaving; fee of a switch in standard deviations."""

HELD = SPELL_ENTRY / (SPELL_ENTRY + SPELL_EXIT)
"""Share of the periods in which such an agent is in the market."""

REAL_FEE = 0.001
"""Log return lost with each switch on real prices: a fee of 10 basis points."""

RISE = 0.3
"""Expected log return of a rising market over a season: about +35 %."""

CRASH = -1.2
"""Log return of a rare crash: about -70 %."""

Draw = Callable[[np.random.Generator, int, int], FloatArray]
"""From generator, periods and columns: independent columns of variance 1."""

DrawSeason = Callable[[np.random.Generator, int, int, float], FloatArray]
"""From generator, periods, agents and correlation: log returns [T, N]."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean and standard deviation of every agent's log return in one period."""

    mean: float = 0.0
    deviation: float = PERIOD_SD


@dataclass(frozen=True, slots=True)
class Law:
    """One kind of market.

    Attributes:
        title: Name in a table.
        season: Draws a season.
        moments: True moments; computed on demand because real prices are read from a file.
        correlated: True if the correlation between agents is a parameter of this law.
        alike: True if all agents have the same distribution, not only the same expected return.
        rival: Index of the agent that the first one is compared with to measure power.
    """

    title: str
    season: DrawSeason
    moments: Callable[[], Moments] = Moments
    correlated: bool = True
    alike: bool = True
    rival: int = 1


def _mixed(draw: Draw) -> DrawSeason:
    """Return a law of agents that share a common factor drawn from the same distribution."""

    def season(
        rng: np.random.Generator, periods: int, agents: int, correlation: float
    ) -> FloatArray:
        draws = draw(rng, periods, agents + 1)
        common, own = draws[:, :1], draws[:, 1:]
        mixed: FloatArray = np.sqrt(correlation) * common + np.sqrt(1.0 - correlation) * own
        return PERIOD_SD * mixed

    return season


def _normal(rng: np.random.Generator, periods: int, columns: int) -> FloatArray:
    return rng.standard_normal((periods, columns))


def _fat_tails(rng: np.random.Generator, periods: int, columns: int) -> FloatArray:
    draws: FloatArray = rng.standard_t(3.0, (periods, columns)) / np.sqrt(3.0)
    return draws


def _autocorrelated(slope: float, share: float = 1.0) -> Draw:
    """Return an AR(1) with `share` of the variance; the rest is white noise."""

    def draw(rng: np.random.Generator, periods: int, columns: int) -> FloatArray:
        shocks = rng.standard_normal((periods + WARM_UP, columns)) * np.sqrt(1.0 - slope**2)
        slow: FloatArray = lfilter([1.0], [1.0, -slope], shocks, axis=0)[WARM_UP:]
        if share == 1.0:
            return slow
        white = rng.standard_normal((periods, columns))
        mixed: FloatArray = np.sqrt(share) * slow + np.sqrt(1.0 - share) * white
        return mixed

    return draw


def _clustered(rng: np.random.Generator, periods: int, columns: int) -> FloatArray:
    """Draw from a GARCH(1,1) (Bollerslev 1986) with Student t(5) innovations."""
    constant, of_square, of_variance = GARCH
    draws: FloatArray = rng.standard_t(5.0, (periods + WARM_UP, columns)) / np.sqrt(5.0 / 3.0)
    variance = np.ones(columns)
    for period in range(periods + WARM_UP):
        draws[period] *= np.sqrt(variance)
        variance = constant + of_square * draws[period] ** 2 + of_variance * variance
    return draws[WARM_UP:]


def _traded(rng: np.random.Generator, market: FloatArray, agents: int, fee: float) -> FloatArray:
    """Draw agents that are in or out of one market, pay for every switch, and else earn zero."""
    chances = rng.random((market.size + 1, agents))
    held = chances[0] < HELD
    season = np.empty((market.size, agents))
    for period in range(market.size):
        following = np.where(
            held, chances[period + 1] >= SPELL_EXIT, chances[period + 1] < SPELL_ENTRY
        )
        season[period] = held * market[period] - fee * (following != held)
        held = following
    return season


def traded_moments(mean: float, square: float, fee: float) -> Moments:
    """Return the true moments of `_traded` agents, whose trades are independent of the market.

    Args:
        mean: Expected log return of the market in one period.
        square: Expected square of that return.
        fee: Log return lost with each switch.
    """
    switches = 2.0 * HELD * SPELL_EXIT
    expected = HELD * mean - switches * fee
    # Half of the switches are exits, from a period in which the market was held.
    own_square = HELD * square - switches * fee * mean + switches * fee**2
    return Moments(expected, float(np.sqrt(own_square - expected**2)))


def _spells(rng: np.random.Generator, periods: int, agents: int, _: float) -> FloatArray:
    market = rng.standard_t(4.0, periods) / np.sqrt(2.0)
    return PERIOD_SD * _traded(rng, market, agents, SPELL_FEE)


def _spell_moments() -> Moments:
    unit = traded_moments(0.0, 1.0, SPELL_FEE)
    return Moments(PERIOD_SD * unit.mean, PERIOD_SD * unit.deviation)


def _real(block_hours: int | None) -> DrawSeason:
    """Return a law of agents on real prices: blocks of the file from random hours (circular)."""

    def season(rng: np.random.Generator, periods: int, agents: int, _: float) -> FloatArray:
        prices = real_returns()
        hours = block_hours or periods
        starts = rng.integers(prices.size, size=-(-periods // hours))
        hours_drawn = (starts[:, None] + np.arange(hours)).reshape(-1)[:periods]
        return _traded(rng, prices[hours_drawn % prices.size], agents, REAL_FEE)

    return season


def _real_moments() -> Moments:
    prices = real_returns()
    return traded_moments(float(prices.mean()), float((prices**2).mean()), REAL_FEE)


def _unlike(rng: np.random.Generator, periods: int, agents: int, correlation: float) -> FloatArray:
    """Draw one agent whose own returns are half AR(1) 0.8; the others are white noise."""
    common, own = _normal(rng, periods, 1), _normal(rng, periods, agents)
    own[:, :1] = _autocorrelated(0.8, 0.5)(rng, periods, 1)
    mixed: FloatArray = np.sqrt(correlation) * common + np.sqrt(1.0 - correlation) * own
    return PERIOD_SD * mixed


def _crash(chance: float) -> DrawSeason:
    """Return a law in which every second agent earns a premium and loses it in a rare crash.

    The expected return of all agents is 0, and so is their Sharpe ratio. A season without a crash
    shows only the premium.
    """
    normal = _mixed(_normal)

    def season(
        rng: np.random.Generator, periods: int, agents: int, correlation: float
    ) -> FloatArray:
        drawn = normal(rng, periods, agents, correlation)
        fallen = rng.random((periods, agents)) < chance
        drawn[:, ::2] += (CRASH * fallen - CRASH * chance)[:, ::2]
        return drawn

    return season


def _adjusted_up(rng: np.random.Generator, periods: int, agents: int, _: float) -> FloatArray:
    return adjusted_returns(*appetite_season(rng, periods, agents, drift=RISE))


LAWS: dict[str, Law] = {
    "normal": Law("normal", _mixed(_normal)),
    "fat": Law("fat tails, Student t(3)", _mixed(_fat_tails)),
    "ar0.3": Law("autocorrelated, AR(1) 0.3", _mixed(_autocorrelated(0.3))),
    "ar0.5": Law("autocorrelated, AR(1) 0.5", _mixed(_autocorrelated(0.5))),
    "ar0.8": Law("autocorrelated, AR(1) 0.8", _mixed(_autocorrelated(0.8))),
    "white+ar0.8": Law("half white, half AR(1) 0.8", _mixed(_autocorrelated(0.8, 0.5))),
    "white+ar0.95": Law("white, 5 % slow AR(1) 0.95", _mixed(_autocorrelated(0.95, 0.05))),
    "unlike": Law("white noise, one agent half AR(1) 0.8", _unlike, alike=False),
    "garch": Law("volatility clusters, GARCH t(5)", _mixed(_clustered)),
    "spells": Law("in and out of one market, with fees", _spells, _spell_moments, False),
    "real": Law("in and out of real BTC hours", _real(None), _real_moments, correlated=False),
    "real-blocks": Law(
        "the same, 10-day blocks of real hours",
        _real(BLOCK_HOURS),
        _real_moments,
        correlated=False,
    ),
    "appetites": Law(
        "unequal appetites for one market", raw_season, correlated=False, alike=False, rival=-1
    ),
    "adjusted": Law(
        "the same, less what the exposure explains",
        adjusted_season,
        correlated=False,
        alike=False,
        rival=-1,
    ),
    "adjusted-up": Law(
        "the same in a market that rises by 35 %",
        _adjusted_up,
        correlated=False,
        alike=False,
        rival=-1,
    ),
    "crash400": Law("a crash of 70 % once in 400 periods", _crash(1.0 / 400.0), alike=False),
    "crash1000": Law("a crash of 70 % once in 1,000 periods", _crash(1.0 / 1000.0), alike=False),
}
