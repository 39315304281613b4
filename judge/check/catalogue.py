"""The markets of `arena verdict-check`, their numbers of seasons, and the choice by pattern. Pure.

Cheap markets get more seasons: the standard error of a coverage is 0.3 / sqrt(seasons) with two
agents, and smaller with more agents, because a season then has more intervals.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from judge.check.markets import MarketScenario

PERIODS = 384
"""16 days of hourly snapshots."""

PERIODS_MIDDLE = 200
PERIODS_SHORT = 120
PERIODS_SHORTEST = 60
PERIODS_LONG = 1536
FIELD = 5
REAL_FIELD = 6
CELLS, STRATEGIES = 6, 3

FOUND_MIN = 0.80
"""A true lead must be found at least this often, whatever the fall of another agent."""

APPETITE_LEAD = 0.20
"""The true lead of one agent of unequal appetites, in log return over the season."""

GAPS = (-0.2, -0.5, -0.99999)
GAP_MULTIPLE = 1.25
"""True lead next to a gap, in multiples of the closed-form detectable difference."""

FULL_TIMES = 10
"""Factor by which `--full` multiplies the number of seasons."""

POWER_SEASONS = 200
"""Seasons with a true lead: the share found then has a standard error of 3 %."""

POWER_MULTIPLES = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
CURVES = (MarketScenario("normal", 2, PERIODS, 0.8), MarketScenario("normal", FIELD, PERIODS))
"""The markets whose power is shown at several sizes of a true lead."""


def _beside_a_gap(gap: float | None) -> MarketScenario:
    plain = MarketScenario("normal", FIELD, PERIODS, gap=gap, found_min=FOUND_MIN)
    return replace(plain, lead=GAP_MULTIPLE * plain.paper.detectable)


MARKETS: tuple[MarketScenario, ...] = (
    *(MarketScenario(law, 2, PERIODS) for law in ("normal", "fat", "ar0.3", "garch", "spells")),
    *(MarketScenario(law, FIELD, PERIODS) for law in ("normal", "fat", "ar0.3", "garch", "spells")),
    MarketScenario("normal", FIELD, PERIODS, correlation=0.95),
    *(MarketScenario(law, FIELD, PERIODS_SHORT) for law in ("fat", "ar0.3", "spells")),
    *(MarketScenario(law, n, PERIODS_SHORTEST) for n in (2, FIELD) for law in ("normal", "ar0.3")),
    *(MarketScenario(law, n, PERIODS) for n in (2, FIELD) for law in ("ar0.5", "ar0.8")),
    *(
        MarketScenario(law, n, PERIODS)
        for n in (2, FIELD)
        for law in ("white+ar0.8", "white+ar0.95")
    ),
    MarketScenario("unlike", FIELD, PERIODS),
    *(MarketScenario("white+ar0.95", n, PERIODS_LONG) for n in (2, FIELD)),
    *(MarketScenario(law, 2, PERIODS, promised=False) for law in ("crash400", "crash1000")),
    MarketScenario("white+ar0.95", 2, PERIODS_MIDDLE, promised=False),
    MarketScenario("ar0.8", 2, PERIODS_SHORTEST, promised=False),
    *(MarketScenario(law, n, PERIODS) for n in (20, 50) for law in ("normal", "fat")),
    MarketScenario("real", REAL_FIELD, PERIODS),
    MarketScenario("real-blocks", REAL_FIELD, 2 * PERIODS),
    *(MarketScenario(law, FIELD, PERIODS) for law in ("appetites", "adjusted", "adjusted-up")),
    *(MarketScenario(law, FIELD, PERIODS, lead=APPETITE_LEAD) for law in ("appetites", "adjusted")),
    *(MarketScenario("normal", n, PERIODS, watched="planned") for n in (2, FIELD)),
    MarketScenario("normal", 2, PERIODS, watched="open"),
    *(MarketScenario("white+ar0.95", n, PERIODS, watched="planned") for n in (2, FIELD)),
    MarketScenario("white+ar0.8", 2, PERIODS_MIDDLE, watched="planned"),
    MarketScenario("ar0.5", 2, PERIODS_SHORT, watched="planned"),
    *(
        MarketScenario(law, CELLS, PERIODS, strategies=STRATEGIES)
        for law in ("normal", "white+ar0.95")
    ),
    *(_beside_a_gap(gap) for gap in (None, *GAPS)),
)


@dataclass(frozen=True, slots=True)
class Task:
    """A market, its number of seasons, and the number with a true lead of the printed size."""

    market: MarketScenario
    seasons: int
    power_seasons: int


def tasks(
    markets: Sequence[MarketScenario], *, times: float = 1.0, seasons: int | None = None
) -> list[Task]:
    """Return the number of seasons of every market.

    Args:
        markets: Markets of the catalogue.
        times: Factor on the usual number.
        seasons: Number for every market, instead of the usual one.
    """
    found = []
    for market in markets:
        wanted = seasons or round(usual_seasons(market) * times)
        few = round(POWER_SEASONS * times) if seasons is None else seasons
        found.append(Task(market, wanted, min(wanted, few) if has_power(market) else 0))
    return found


def usual_seasons(market: MarketScenario) -> int:
    """Return the usual number of seasons, so that the whole check takes a quarter of an hour."""
    if market.agents >= 20:
        return 200
    if market.periods >= PERIODS_LONG:
        return 800 if market.agents == 2 else 400
    if market.watched or market.lead:
        return 800
    return 1200 if market.agents == 2 else 1000


def has_power(market: MarketScenario) -> bool:
    """Return True if power at the printed detectable difference is measured."""
    if market.lead or market.strategies:
        return False
    return market.promised and market.agents <= REAL_FIELD


def matching_names(patterns: str, names: Iterable[str]) -> list[str]:
    """Return the names that match any of the comma-separated patterns; `*` matches anything.

    Raises:
        ValueError: A pattern matches no name.
    """
    known = list(names)
    wanted: set[str] = set()
    for pattern in filter(None, (part.strip() for part in patterns.split(","))):
        fits = {name for name in known if fnmatchcase(name, pattern)}
        if not fits:
            raise ValueError(f"--markets was {pattern!r}; known are {', '.join(known)}")
        wanted |= fits
    if not wanted:
        raise ValueError(f"--markets named nothing; known are {', '.join(known)}")
    return [name for name in known if name in wanted]
