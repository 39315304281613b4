"""Is P(best) a probability? Leaders that were given p against the share that was truly the best.

Pure: seeded generators. What is promised, and for which fields, `judge.statistics.p_best` says.
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
"""Of each field, correlation and spread."""

PART_SEASONS = 500
"""Seasons of one generator; part of what is simulated, so not a matter of speed."""

LEADERS_MIN = 500
"""A bin with fewer leaders is shown, not held against the promise: 500 give a share to 2 %."""


@dataclass(frozen=True, slots=True)
class SkillField:
    """Agents whose true skill is drawn.

    Attributes:
        agents: N.
        spread: Standard deviation of the skills over that of their errors.
        correlation: Between two agents' errors.
    """

    agents: int
    spread: float
    correlation: float


@dataclass(frozen=True, slots=True)
class PBestCheck:
    """All leaders of one number of agents.

    Attributes:
        agents: N.
        seasons: How many were simulated.
        bins: By what their leaders were given.
        spreads: For each spread of the skills: it, the mean given, the share that was best.
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
        """The largest distance between what was given and what came true, of bins that count."""
        return max(
            (abs(b.given - b.best) for b in self.bins if b.leaders >= LEADERS_MIN), default=0
        )

    @property
    def kept(self) -> bool:
        """Whether the promise is kept."""
        return self.miss <= MISS_MAX


def skill_fields(agents: int) -> list[SkillField]:
    """Every field with so many agents."""
    return [SkillField(agents, s, c) for s, c in product(CHECKED_SPREADS, CORRELATIONS)]


def run_field(field: SkillField, seed: int, seasons: range) -> list[Calibration]:
    """Simulate some seasons.

    Args:
        field: Whose seasons.
        seed: Seed of the whole check.
        seasons: The numbers of the seasons; the first of them decides the generator.
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
    """Pool all leaders of one number of agents."""
    spreads = []
    for spread in sorted({one.spread for one in found}):
        given = np.concatenate([one.given for one in found if one.spread == spread])
        best = np.concatenate([one.best for one in found if one.spread == spread])
        spreads.append((spread, float(given.mean()), float(best.mean())))
    seasons = sum(one.given.size for one in found)
    return PBestCheck(agents, seasons, calibration_bins(found), tuple(spreads))


# object: figures of mixed types, made for JSON.
def p_best_json(check: PBestCheck) -> dict[str, object]:
    """The figures as they are written to a file."""
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
