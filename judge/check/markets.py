"""Simulated markets with known truth, on which the verdict is checked.

Pure: a random generator in, log returns and their true parameters out.
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
    """True parameters of the agents of a market.

    Attributes:
        totals: Expected season total of every agent's log return, shape [N].
        sharpes: Sharpe ratio per period, shape [N].
        counted: Number of agents, from the first, that are checked with the pairs among them.
    """

    totals: FloatArray
    sharpes: FloatArray
    counted: int


@dataclass(frozen=True, slots=True)
class MarketScenario:
    """One simulated kind of season.

    Attributes:
        law: Key of `LAWS`.
        agents: Number of agents, N.
        periods: Number of periods, T.
        correlation: Correlation between any two agents; unused by laws that trade a market.
        watched: "" to judge once, at the end; "planned" to judge at every decision look of a season
            of T periods; "open" for the looks of a season without a planned end.
        gap: Return of the last agent in one additional fall, e.g. -0.2; None without one.
        lead: True lead of the first agent over every other one, in log return over the season.
        found_min: Share of seasons in which the lead must be found; None to show it only.
        promised: Whether the promises apply; False: shown, not promised.
        strategies: Number of strategies of a matrix whose cells are the agents; then contrasts of
            strategies and models are judged. 0 to judge the agents themselves.
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
        """The law of its returns."""
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
        """Name in a table."""
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
        """The hypothetical season with the same parameters, for closed forms."""
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
        """Whether all agents have the same distribution, so every Bradley-Terry strength is 0."""
        return self.kind.alike and not self.lead and self.gap is None

    @property
    def truth(self) -> Truth:
        """True parameters that every figure of a season is compared with."""
        moments = self.kind.moments()
        totals = np.full(self.agents, moments.mean * self.periods)
        totals[0] += self.lead
        sharpes = totals / self.periods / moments.deviation
        return Truth(totals, sharpes, self.agents - (self.gap is not None))

    def season(self, rng: np.random.Generator) -> FloatArray:
        """Draw the log returns of one season, shape [T, N]."""
        season = self.kind.season(rng, self.periods, self.agents, self.correlation)
        season[:, 0] += self.lead / self.periods
        if self.gap is not None:
            season[rng.integers(self.periods), -1] += log1p(self.gap)
        return season
