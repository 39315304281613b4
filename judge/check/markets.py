"""Simulated seasons whose truth is known: the markets on which the verdict itself is judged.

Pure: a random generator in, log returns and the truth about them out.
"""

from dataclasses import dataclass
from math import log1p

import numpy as np

from judge.check.return_laws import LAWS, PERIOD_SD, Law
from judge.statistics.multiplicity import CLAIM_LEVEL
from judge.statistics.power import DAYS_PER_YEAR, HypotheticalSeason
from judge.statistics.types import FloatArray
from judge.statistics.variance import claim_freedom

PERIODS_PER_YEAR = 24.0 * DAYS_PER_YEAR
"""A period is an hour."""

CORRELATION = 0.5


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true of the agents of a market.

    Attributes:
        totals: Expected season total of every agent's log return, shape [N].
        sharpes: Sharpe ratio per period, shape [N].
        counted: The first so many agents are held against the truth, with the pairs among them.
    """

    totals: FloatArray
    sharpes: FloatArray
    counted: int


@dataclass(frozen=True, slots=True)
class SimulatedMarket:
    """One simulated kind of season.

    Attributes:
        law: Key of `LAWS`.
        agents: N.
        periods: T.
        correlation: Between any two agents' returns; without meaning in laws that are traded.
        watched: "": judged once, at the end. "planned": judged at every decision look of a season
            of T periods. "open": the same in a season without a planned end.
        gap: Return of the last agent in one extra period-long fall, e.g. -0.2; None without one.
        lead: The true lead of the first agent over every other one, in log return over the season.
        found_min: The share of seasons in which the lead must be found; None: it is only shown.
        promised: Whether the promises hold here; False: shown, not promised.
        strategies: The agents are the cells of a matrix with so many strategies, and the contrasts
            of strategies and of models are judged; 0: the agents themselves are.
    """

    law: str
    agents: int
    periods: int
    correlation: float = CORRELATION
    watched: str = ""
    gap: float | None = None
    lead: float = 0.0
    found_min: float | None = None
    promised: bool = True
    strategies: int = 0

    @property
    def kind(self) -> Law:
        """Its law."""
        return LAWS[self.law]

    @property
    def name(self) -> str:
        """The key on the command line and in the JSON: law, agents x periods, then the rest."""
        parts = [self.law, f"{self.agents}x{self.periods}"]
        if self.correlation != CORRELATION:
            parts.append(f"r{self.correlation:.2f}")
        if self.strategies:
            parts.append("matrix")
        if self.watched:
            parts.append("watched" if self.watched == "planned" else "open")
        if self.gap is not None:
            parts.append(f"gap{-self.gap * 100:g}")
        elif self.lead:
            parts.append("better")
        return "-".join(parts)

    @property
    def title(self) -> str:
        """How it is called in a table."""
        title = self.kind.title
        if self.strategies:
            title += f", {self.strategies} strategies x {self.agents // self.strategies} models"
        if self.watched:
            title += ", watched" + ("" if self.watched == "planned" else " without an end")
        if self.gap is not None:
            title += f", one agent fell {-self.gap * 100:g} %"
        return title

    @property
    def paper(self) -> HypotheticalSeason:
        """The same season on paper."""
        volatility = PERIOD_SD * float(np.sqrt(PERIODS_PER_YEAR))
        return HypotheticalSeason(
            self.agents,
            self.periods / 24.0,
            volatility,
            self.correlation,
            level=CLAIM_LEVEL,
            freedom=claim_freedom(self.periods, self.agents),
        )

    @property
    def alike(self) -> bool:
        """Whether all agents have the same law, so that every Bradley-Terry strength is 0."""
        return self.kind.alike and not self.lead and self.gap is None

    @property
    def truth(self) -> Truth:
        """What every figure of a season is held against."""
        moments = self.kind.moments()
        totals = np.full(self.agents, moments.mean * self.periods)
        totals[0] += self.lead
        sharpes = totals / self.periods / moments.deviation
        return Truth(totals, sharpes, self.agents - (self.gap is not None))

    def season(self, rng: np.random.Generator) -> FloatArray:
        """Log returns of one season, shape [T, N]."""
        season = self.kind.season(rng, self.periods, self.agents, self.correlation)
        season[:, 0] += self.lead / self.periods
        if self.gap is not None:
            season[rng.integers(self.periods), -1] += log1p(self.gap)
        return season
