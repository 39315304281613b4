"""Variance reduction by a contest's design: repeats, adjustment, common random numbers. Pure.

The variance of a difference decreases with time, and with every reduction of the noise per day. So
the gain of a design is stated in days of the plain design: one agent per cell, raw returns. If the
variance of a pair's difference is a third of the plain one, one day is as good as three.

All variances are long-run variances (`judge.statistics.variance`): mean squares of the lowest
cosine coefficients of the paired difference. For single agents it is the mean over all choices of
one repeat per cell, which has a closed form: E(a - b)^2 over independent choices is
mean(a^2) + mean(b^2) - 2 mean(a) mean(b).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from statistics import median

import numpy as np

from judge.formatting import duration_text
from judge.season.seed_support import SeedSupport
from judge.statistics.adjusted import adjusted_returns
from judge.statistics.types import FloatArray
from judge.statistics.variance import claim_cosines, cosines
from judge.statistics.verdict import PERIODS_MIN, too_early

PERIODS_PER_COSINE = 8
"""Periods per cosine coefficient. A decision uses far fewer coefficients, but a ratio of two
variances of nearly the same noise should not depend on eight numbers."""

ALONE = "there is one competing entrant"
EQUAL = "no two entrants differ"
SINGLE = "every cell has one agent"
UNADJUSTED = "the market explains all of every difference"

DAY_S = 86_400

GAIN_MAX = 1000.0
"""A larger gain is not reported: the remaining variance is then rounding and fees, not noise."""


@dataclass(frozen=True, slots=True)
class Design:
    """The design of a contest, and its gains: days of the plain design that one day is worth.

    Attributes:
        entrants: Number of competing entrants.
        repeats: Largest number of agents in a cell.
        fewest: Smallest number of agents in a cell.
        repeats_gain: Gain by the mean over repeats; None with a reason under "repeats".
        adjustment_gain: Gain by adjustment, for single agents; reason under "adjustment".
        both_gain: Gain by adjustment and repeats; reason under "both".
        common_gain: Gain by common seeds, for single agents; reason under "common".
        seeds: Which models took a seed; None if that is not known.
        reasons: Why a gain is None.
    """

    entrants: int
    repeats: int
    fewest: int
    repeats_gain: float | None
    adjustment_gain: float | None
    both_gain: float | None
    common_gain: float | None
    seeds: SeedSupport | None = None
    reasons: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _CellCosines:
    """Cosine coefficients of a cell's repeats, shape [K, repeats], and their seeds."""

    found: FloatArray
    numbers: tuple[int | None, ...]

    @property
    def mean(self) -> FloatArray:
        """Mean of the repeats, shape [K]."""
        mean: FloatArray = self.found.mean(axis=1)
        return mean

    @property
    def square(self) -> FloatArray:
        """Mean square of the repeats, shape [K]."""
        square: FloatArray = (self.found**2).mean(axis=1)
        return square


def design_gains(
    cells: Sequence[FloatArray],
    exposures: Sequence[FloatArray],
    market: FloatArray,
    *,
    numbers: Sequence[Sequence[int | None]] | None = None,
    seeds: SeedSupport | None = None,
) -> Design:
    """Estimate the gains of a season's design.

    Args:
        cells: Log returns [T, R] of each competing entrant, one column per repeat; T >= 1 and the
            same for all.
        exposures: Shares of equity [T, R] at the start of each period, for each entrant.
        market: Log returns [T] of the equal-weight market index.
        numbers: Seed of each column; None numbers them from 1.
        seeds: Which models took a seed; None if that is not known.

    Returns:
        The design, with gains that are medians over the pairs of entrants.
    """
    sizes = [cell.shape[1] for cell in cells]
    most, fewest = max(sizes, default=0), min(sizes, default=0)
    periods = market.shape[0]
    why = ""
    if len(cells) < 2:
        why = ALONE
    elif periods < PERIODS_MIN:
        why = too_early(periods)
    if why:
        unknown = dict.fromkeys(("repeats", "adjustment", "both", "common"), why)
        return Design(len(cells), most, fewest, None, None, None, None, seeds, unknown)
    weights = cosines(periods, max(claim_cosines(periods), periods // PERIODS_PER_COSINE))
    own = [tuple(one) for one in numbers or [range(1, size + 1) for size in sizes]]
    raw = [_CellCosines(weights @ cell, number) for cell, number in zip(cells, own, strict=True)]
    adjusted = [
        _CellCosines(weights @ adjusted_returns(cell, shares, market), number)
        for cell, shares, number in zip(cells, exposures, own, strict=True)
    ]
    reasons: dict[str, str] = {}
    gains = {
        "repeats": _gain(raw, _single, raw, _together),
        "adjustment": _gain(raw, _single, adjusted, _single),
        "both": _gain(raw, _single, adjusted, _together),
        "common": _gain(raw, _unlike_seeds, raw, _like_seeds),
    }
    if most == 1:
        reasons["repeats"] = reasons["common"] = SINGLE
    for name, gain in gains.items():
        if gain is None and name not in reasons:
            reasons[name] = EQUAL if name in ("repeats", "common") else UNADJUSTED
    gains |= dict.fromkeys(reasons)
    return Design(
        entrants=len(cells),
        repeats=most,
        fewest=fewest,
        repeats_gain=gains["repeats"],
        adjustment_gain=gains["adjustment"],
        both_gain=gains["both"],
        common_gain=gains["common"],
        seeds=seeds,
        reasons=reasons,
    )


Variance = Callable[[_CellCosines, _CellCosines], float | None]


def _gain(
    plain: Sequence[_CellCosines],
    of_plain: Variance,
    better: Sequence[_CellCosines],
    of_better: Variance,
) -> float | None:
    """Return the median over pairs of plain over better variance; None beyond `GAIN_MAX`."""
    found: list[float] = []
    for a, b in combinations(range(len(plain)), 2):
        whole, rest = of_plain(plain[a], plain[b]), of_better(better[a], better[b])
        if whole and rest is not None:
            found.append(min(whole / rest, GAIN_MAX) if rest else GAIN_MAX)
    middle: float = median(found) if found else GAIN_MAX
    return middle if middle < GAIN_MAX else None


def _single(a: _CellCosines, b: _CellCosines) -> float:
    """Return the mean variance between one repeat of each cell, over all choices."""
    return max(float((a.square + b.square - 2.0 * a.mean * b.mean).mean()), 0.0)


def _together(a: _CellCosines, b: _CellCosines) -> float:
    """Return the variance between the means of the repeats."""
    return float(((a.mean - b.mean) ** 2).mean())


def _like_seeds(a: _CellCosines, b: _CellCosines) -> float | None:
    """Return the variance between repeats with equal seeds; None with fewer than two such pairs."""
    like, _ = _by_seed(a, b)
    return float(np.mean(like)) if len(like) > 1 else None


def _unlike_seeds(a: _CellCosines, b: _CellCosines) -> float | None:
    """Return the variance between repeats with different seeds; None if `_like_seeds` is None."""
    like, unlike = _by_seed(a, b)
    return float(np.mean(unlike)) if len(like) > 1 and unlike else None


def _by_seed(a: _CellCosines, b: _CellCosines) -> tuple[list[float], list[float]]:
    """Return the variances between repeats of a and b: for equal seeds, for different seeds."""
    variances = ((a.found[:, :, None] - b.found[:, None, :]) ** 2).mean(axis=0)
    like: list[float] = []
    unlike: list[float] = []
    for i, one in enumerate(a.numbers):
        for j, two in enumerate(b.numbers):
            same = one is not None and one == two
            (like if same else unlike).append(float(variances[i, j]))
    return like, unlike


def design_text(design: Design, days: float) -> tuple[str, ...]:
    """Return sentences about the design; for a trader, so in days.

    Args:
        design: The design and its gains.
        days: Length of the compared season.
    """
    if not design.entrants:
        return ()
    lines = [_repeat_text(design), _adjustment_text(design)]
    if design.both_gain is not None and design.repeats > 1:
        lasted, worth = (duration_text(DAY_S * n) for n in (days, days * design.both_gain))
        lines.append(
            f"Repeats and adjustment together: {lasted} of this contest were as good as {worth} of "
            "the plain design (one agent a cell, raw returns)."
        )
    lines.append(_seed_text(design))
    return tuple(filter(None, lines))


def _repeat_text(design: Design) -> str:
    if design.repeats <= 1:
        return "Repeats were not used: every cell has one agent."
    count = str(design.repeats)
    if design.fewest != design.repeats:
        count = f"{design.fewest} to {design.repeats}"
    if design.repeats_gain is None:
        return f"{count} repeats a cell; what they bought is unknown: {design.reasons['repeats']}."
    return f"{count} repeats a cell: {_worth(design.repeats_gain)}."


def _adjustment_text(design: Design) -> str:
    if design.adjustment_gain is None:
        return (
            "What the adjustment for market exposure bought is unknown: "
            f"{design.reasons['adjustment']}."
        )
    return (
        f"Adjusted for market exposure: {_worth(design.adjustment_gain)}, for the question of who "
        "is better than the market exposure explains."
    )


def _seed_text(design: Design) -> str:
    seeds = design.seeds
    if seeds is None:
        return "Whether the models took a seed is not in the records."
    if not seeds.taken and not seeds.refused:
        return "Common random numbers were not used: no model was called."
    refused = f"; no seed: {', '.join(seeds.refused)}" if seeds.refused else ""
    if not seeds.taken:
        return "Common random numbers were not used: no model took a seed."
    used = f"Common random numbers were used: {', '.join(seeds.taken)}{refused}"
    if design.common_gain is None:
        return f"{used}; what they bought is unknown: {design.reasons['common']}."
    return f"{used}. Between single agents, {_worth(design.common_gain)}."


def _worth(gain: float) -> str:
    """Return a gain in days of the plain design."""
    days = f"{gain:,.1f}".removesuffix(".0")
    if days == "1":
        return "no gain over the plain design"
    return f"each day was as good as {days} days of the plain design"
