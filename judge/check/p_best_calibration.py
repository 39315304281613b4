"""Calibration of P(best): the leaders' P(best) against the share that was truly the best.

Pure: seeded generators. `judge.statistics.p_best` states the promise and the fields it covers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from judge.statistics.p_best import (
    CHECKED_SPREADS,
    MISS_MAX,
    Calibration,
    CalibrationBin,
    calibration,
    calibration_bins,
)

FIELDS = (2, 6, 20)
CORRELATIONS = (0.0, 0.5)
SEASONS = 1000
"""Seasons for each number of agents, correlation and spread."""

PART_SEASONS = 500
"""Seasons per random generator; changing it changes the simulated seasons."""

LEADERS_MIN = 500
"""A bin with fewer leaders is shown but not tested: 500 give a share to 2 %."""


@dataclass(frozen=True, slots=True)
class SkillField:
    """A field of agents whose true skill is drawn at random.

    Attributes:
        agents: Number of agents, N.
        spread: Standard deviation of the skills over that of the errors.
        correlation: Correlation between the errors of two agents.
    """

    agents: int
    spread: float
    correlation: float


@dataclass(frozen=True, slots=True)
class PBestCheck:
    """Calibration over all seasons with one number of agents.

    Attributes:
        agents: Number of agents, N.
        seasons: Number of simulated seasons.
        bins: Leaders by their P(best).
        spreads: For each spread of the skills: the spread, the mean P(best), the share truly best.
    """

    agents: int
    seasons: int
    bins: tuple[CalibrationBin, ...]
    spreads: tuple[tuple[float, float, float], ...]

    @property
    def name(self) -> str:
        """The key on the command line and in the JSON."""
        return f"p-best-{self.agents}"

    @property
    def miss(self) -> float:
        """Largest distance between P(best) and the share truly best, over bins that count."""
        return max(
            (abs(b.given - b.best) for b in self.bins if b.leaders >= LEADERS_MIN), default=0
        )

    @property
    def kept(self) -> bool:
        """Whether the promise is kept."""
        return self.miss <= MISS_MAX


def skill_fields(agents: int) -> list[SkillField]:
    """Return every field with this number of agents."""
    return [SkillField(agents, s, c) for s, c in product(CHECKED_SPREADS, CORRELATIONS)]


def run_field(field: SkillField, seed: int, seasons: range) -> list[Calibration]:
    """Simulate some seasons.

    Args:
        field: The field.
        seed: Seed of the whole check.
        seasons: Numbers of the seasons; the first one seeds the generator.
    """
    found = calibration(
        agents=field.agents,
        spread=field.spread,
        correlation=field.correlation,
        seasons=len(seasons),
        seed=1_000_000 * seed + seasons.start,
    )
    return [found]


def summarise_p_best(agents: int, found: Sequence[Calibration]) -> PBestCheck:
    """Pool the leaders of all seasons with one number of agents."""
    spreads = []
    for spread in sorted({one.spread for one in found}):
        given = np.concatenate([one.given for one in found if one.spread == spread])
        best = np.concatenate([one.best for one in found if one.spread == spread])
        spreads.append((spread, float(given.mean()), float(best.mean())))
    seasons = sum(one.given.size for one in found)
    return PBestCheck(agents, seasons, calibration_bins(found), tuple(spreads))


# object: figures of mixed types, for JSON.
def p_best_json(check: PBestCheck) -> dict[str, object]:
    """Return the figures as they are written to a file."""
    return {
        "name": check.name,
        "agents": check.agents,
        "seasons": check.seasons,
        "miss": check.miss,
        "kept": check.kept,
        "bins": [
            {"low": b.low, "high": b.high, "leaders": b.leaders, "given": b.given, "best": b.best}
            for b in check.bins
        ],
        "spreads": [
            {"spread": s, "given": given, "best": best} for s, given, best in check.spreads
        ],
    }
