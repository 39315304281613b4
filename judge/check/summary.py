"""Summary of the simulated seasons of a market, and the promises they break. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from judge.check.markets import MarketScenario
from judge.check.simulation import Counts, Hits, typical_detectable
from judge.statistics import Interval

FALSE_CLAIMS_MAX = 0.05
"""The promise: in no market do more than this share of seasons have a false "A beats B"."""

COVERAGE_LOW, COVERAGE_HIGH = 0.88, 0.92
"""The promise: the coverage of the printed 90 % interval is in this range."""

COLUMNS = {
    "difference": "difference",
    "total": "total",
    "sharpe_difference": "Sharpe difference",
    "sharpe": "Sharpe",
    "bradley_terry": "Bradley-Terry",
}
"""Printed intervals: JSON key -> column title of a table."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Share of intervals that hold the truth, with its standard error."""

    share: float
    error: float

    @property
    def kept(self) -> bool:
        """Whether the promise is kept."""
        return COVERAGE_LOW <= self.share <= COVERAGE_HIGH


@dataclass(frozen=True, slots=True)
class Power:
    """How often a true lead was found.

    Attributes:
        found: Share of the seasons, with its 95 % binomial interval.
        seasons: Number of seasons.
        lead: True lead, in log return over the season.
    """

    found: Interval
    seasons: int
    lead: float


@dataclass(frozen=True, slots=True)
class MarketCheck:
    """One market's row.

    Attributes:
        market: The market.
        seasons: Number of judged seasons.
        false_claims: Share of seasons with a false claim at the end; 95 % binomial interval.
        any_look: The same at any look; None if the market is judged once.
        coverage: Key of `COLUMNS` -> coverage; None if the truth is unknown or nothing was printed.
        psr: Share of the agents whose PSR was between 5 % and 95 %, which is 90 % without skill;
            shown, not promised. None if the agents have a true Sharpe ratio.
        unjudged: Share of the pairs without a printed difference.
        detectable: Median printed for the first pair (log return); None without one.
        power: Power at the printed detectable difference, or next to a gap; None if not measured.
    """

    market: MarketScenario
    seasons: int
    false_claims: Interval
    any_look: Interval | None
    coverage: dict[str, Coverage | None]
    psr: Coverage | None
    unjudged: float
    detectable: float | None
    power: Power | None

    @property
    def missed(self) -> tuple[str, ...]:
        """Bounds that this market misses, promised or not."""
        words = [] if self.false_claims.estimate <= FALSE_CLAIMS_MAX else ["false claims"]
        if self.any_look is not None and self.any_look.estimate > FALSE_CLAIMS_MAX:
            words.append("false claims at any look")
        words += [
            f"coverage of {COLUMNS[key]}"
            for key, found in self.coverage.items()
            if found is not None and not (found.kept or self._excused(key, found))
        ]
        least = self.market.found_min
        if least is not None and self.power is not None and self.power.found.estimate < least:
            words.append("found")
        return tuple(words)

    @property
    def kept(self) -> bool:
        """Whether every promised bound is met."""
        return not (self.market.promised and self.missed)

    def _excused(self, key: str, found: Coverage) -> bool:
        # With two agents the number of windows won is a small integer: no interval based on it can
        # have a coverage between 85 % and 94 %, so too wide an interval is accepted.
        return key == "bradley_terry" and self.market.agents == 2 and found.share > COVERAGE_HIGH


def summarise(
    market: MarketScenario,
    counts: Sequence[Counts],
    powered: tuple[float, Sequence[Counts]] | None = None,
) -> MarketCheck:
    """Summarise all seasons of a market.

    Args:
        market: The market.
        counts: Counts of each season.
        powered: A true lead, and counts of seasons of the same market with it.
    """
    if market.lead:
        powered = (market.lead, counts)
    looked = [c.claimed_ever for c in counts if c.claimed_ever is not None]
    pairs = sum(c.pairs for c in counts)
    return MarketCheck(
        market=market,
        seasons=len(counts),
        false_claims=binomial([c.claimed for c in counts]),
        any_look=binomial(looked) if looked else None,
        coverage={
            key: coverage_of([c.hits[key] for c in counts]) if key in counts[0].hits else None
            for key in COLUMNS
        },
        psr=coverage_of([c.hits["psr"] for c in counts]) if "psr" in counts[0].hits else None,
        unjudged=1.0 - sum(c.printed for c in counts) / pairs if pairs else 0.0,
        detectable=typical_detectable(counts),
        power=summarise_power(*powered) if powered is not None else None,
    )


def summarise_power(lead: float, counts: Sequence[Counts]) -> Power:
    """Return one point of a power curve."""
    return Power(binomial([c.found for c in counts]), len(counts), lead)


def binomial(outcomes: Sequence[bool]) -> Interval:
    """Return the share of True with its exact 95 % interval (Clopper and Pearson 1934)."""
    test = stats.binomtest(sum(outcomes), len(outcomes))
    bounds = test.proportion_ci(0.95, method="exact")
    return Interval(float(test.statistic), float(bounds.low), float(bounds.high))


def coverage_of(hits: Sequence[Hits]) -> Coverage | None:
    """Return the coverage over all seasons; its error is clustered by season."""
    held = np.array(hits, dtype=np.float64)
    printed = held[:, 1].sum()
    if printed == 0.0:
        return None
    share = held[:, 0].sum() / printed
    residual = held[:, 0] - share * held[:, 1]
    return Coverage(float(share), float(np.sqrt((residual**2).sum()) / printed))


# object: figures of mixed types, for JSON.
def as_json(check: MarketCheck) -> dict[str, object]:
    """Return a market's figures as they are written to a file."""
    power, looks = check.power, check.any_look
    return {
        "name": check.market.name,
        "title": check.market.title,
        "agents": check.market.agents,
        "periods": check.market.periods,
        "correlation": check.market.correlation if check.market.kind.correlated else None,
        "seasons": check.seasons,
        "false_claims": check.false_claims.estimate,
        "false_claims_interval": [check.false_claims.low, check.false_claims.high],
        "false_claims_any_look": None if looks is None else looks.estimate,
        "false_claims_any_look_interval": None if looks is None else [looks.low, looks.high],
        "coverage": {key: c and c.share for key, c in check.coverage.items()},
        "coverage_error": {key: c and c.error for key, c in check.coverage.items()},
        "psr_between_5_and_95": check.psr and check.psr.share,
        "power": None if power is None else power.found.estimate,
        "power_interval": None if power is None else [power.found.low, power.found.high],
        "power_seasons": None if power is None else power.seasons,
        "power_lead": None if power is None else power.lead,
        "detectable": check.detectable,
        "unjudged": check.unjudged,
        "promised": check.market.promised,
        "missed": list(check.missed),
        "kept": check.kept,
    }
