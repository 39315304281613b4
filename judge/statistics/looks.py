"""When claims can be made during a season, and at which level (group-sequential tests).

A judge that tests after every snapshot and claims at the first |t| beyond a fixed value finds some
difference in a fifth of all seasons without any. So claims are made only at decision looks, at
levels that together spend the error once.

With a planned end: at eighths of the plan, from half of it, with the error spent as by O'Brien and
Fleming's boundary: alpha(f) = 2 - 2 Phi(z / sqrt(f)) at the share f of the plan (Lan and
DeMets 1983, Biometrika 70, 659-663). Little is spent early, so the last look has nearly
the power of a single one. The levels are those of a Brownian motion, computed by recursive
integration (Armitage, McPherson and Rowe 1969, JRSS A 132, 235-244).

Without a planned end: a confidence sequence, which is valid at all times at once (Robbins 1970,
Annals of Mathematical Statistics 41, 1397-1409; Waudby-Smith et al. 2024, Annals of Statistics 52,
2613-2640), tested on a geometric grid so that a claim is not made and withdrawn every minute.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count, takewhile
from math import log, sqrt

import numpy as np

from judge.statistics.distributions import normal_cdf, normal_pdf, normal_ppf, normal_sf
from judge.statistics.multiplicity import CLAIM_LEVEL
from judge.statistics.types import FloatArray

ERROR_SPENT = 0.015
"""Family-wise error spent over all looks of a season; its last look is at 1.15 %."""

SHARES = 8
FIRST_SHARE = 4
"""Looks at 4/8, 5/8, ... of the plan. The standard error changes from look to look, so each look
adds a small error; more looks would cost more power than they gain."""

PERIODS_FIRST = 60
GROWTH = 1.25
"""Looks without a plan: after 60 periods, and then each time the season has grown by a quarter."""

SHARPEST = 500.0
"""Periods at which the confidence sequence is narrowest."""

MIXED = 9.0
"""The mixture's information is this times n / `SHARPEST`; the boundary is lowest near it."""

NODES = 96
"""Nodes of the Gauss-Legendre quadrature between the boundaries."""
BOUNDARY_MAX = 16.0
"""Upper bound of the search for a boundary."""


@dataclass(frozen=True, slots=True)
class Look:
    """A decision look: number of periods, and nominal family-wise level."""

    periods: int
    level: float


@dataclass(frozen=True, slots=True)
class Horizon:
    """Planned length of a season, and whether it is over.

    Attributes:
        planned: Planned number of periods; None without a planned end.
        over: True if no period will be added.
        once: True if the only look is now, without earlier ones.
        level: Nominal family-wise level of that look.
    """

    planned: int | None
    over: bool
    once: bool = False
    level: float = CLAIM_LEVEL

    def looks(self, periods: int) -> tuple[Look, ...]:
        """Return the decision looks up to `periods`; the last one is now if this is a look."""
        if self.once:
            return (Look(periods, self.level),)
        if self.planned is None:
            found = open_looks(periods)
            ended = self.over and bool(found) and found[-1].periods < periods
            return (*found, Look(periods, anytime_level(periods))) if ended else found
        if self.over and periods < self.planned:
            return ended_looks(self.planned, periods)
        return tuple(look for look in planned_looks(self.planned) if look.periods <= periods)

    def count(self, periods: int) -> int | None:
        """Return the total number of looks; None without a planned end."""
        if self.over:
            return len(self.looks(periods))
        return None if self.planned is None else len(planned_looks(self.planned))

    def next_look(self, periods: int) -> int | None:
        """Return the periods of the first look after `periods`; None if there is none."""
        if self.over:
            return None
        if self.planned is None:
            return next(n for n in _open_look_times() if n > periods)
        return next((k.periods for k in planned_looks(self.planned) if k.periods > periods), None)

    def level_at(self, periods: int) -> float:
        """Return the nominal level after `periods`: of this look, else the next, else the last."""
        looks = self.looks(periods)
        if looks and looks[-1].periods == periods:
            return looks[-1].level
        if self.planned is None:
            return anytime_level(max(periods, PERIODS_FIRST))
        planned = planned_looks(self.planned)
        following = [look.level for look in planned if look.periods > periods]
        return (following or [look.level for look in planned[-1:]] or [CLAIM_LEVEL])[0]


FINISHED = Horizon(None, over=True, once=True)
"""A season that is over and is judged once."""


def single_look(level: float) -> Horizon:
    """Return the horizon of a single look at this level, as one look of a longer season decides."""
    return Horizon(None, over=True, once=True, level=level)


def look_times(planned: int | None, upto: int) -> tuple[int, ...]:
    """Return the periods of the looks of a running season, up to `upto`."""
    return tuple(look.periods for look in Horizon(planned, over=False).looks(upto))


@lru_cache(maxsize=64)
def planned_looks(planned: int) -> tuple[Look, ...]:
    """Return the looks of a season of this planned length; none if it is too short."""
    shares = [round(planned * k / SHARES) for k in range(FIRST_SHARE, SHARES + 1)]
    times = sorted({n for n in shares if n >= PERIODS_FIRST})
    spent = [spending(n / planned) for n in times]
    levels = nominal_levels(times, spent)
    return tuple(Look(n, level) for n, level in zip(times, levels, strict=True))


@lru_cache(maxsize=64)
def ended_looks(planned: int, periods: int) -> tuple[Look, ...]:
    """Return the looks of a season that ended early: the rest of the error is spent at its end."""
    earlier = [look.periods for look in planned_looks(planned) if look.periods < periods]
    if periods < PERIODS_FIRST:
        return ()
    spent = [spending(n / planned) for n in earlier]
    levels = nominal_levels([*earlier, periods], [*spent, ERROR_SPENT])
    return tuple(Look(n, level) for n, level in zip([*earlier, periods], levels, strict=True))


def open_looks(periods: int) -> tuple[Look, ...]:
    """Return the looks of a season without a planned end, up to `periods`."""
    return tuple(
        Look(n, anytime_level(n)) for n in takewhile(lambda n: n <= periods, _open_look_times())
    )


def _open_look_times() -> Iterator[int]:
    return (round(PERIODS_FIRST * GROWTH**k) for k in count())


def anytime_level(periods: int) -> float:
    """Return the nominal two-sided level of a normal mixture's confidence sequence.

    Its boundary for |Z| is sqrt((x + 1) / x log((x + 1) / alpha^2)), x proportional to `periods`.
    """
    x = MIXED * periods / SHARPEST
    boundary = sqrt((x + 1.0) / x * log((x + 1.0) / ERROR_SPENT**2))
    return float(2.0 * normal_sf(boundary))


def spending(share: float) -> float:
    """Return the error to spend up to a share of the plan, O'Brien-Fleming type."""
    z = -normal_ppf(ERROR_SPENT / 2.0)
    return float(2.0 * normal_sf(z / sqrt(min(share, 1.0))))


def nominal_levels(times: Sequence[int], spent: Sequence[float]) -> list[float]:
    """Return two-sided nominal levels at which a Brownian motion spends the given error.

    Args:
        times: Information times, ascending.
        spent: Cumulative error at each time, ascending.
    """
    if not times:
        return []
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    levels: list[float] = []
    # Positions of the paths that have not crossed a boundary, and their probabilities.
    positions, alive = np.zeros(1), np.ones(1)
    before_time, before_spent = 0, 0.0
    for time, until in zip(times, spent, strict=True):
        wide = sqrt(time - before_time)
        wanted = until - before_spent
        boundary = _boundary(positions, alive, wide, wanted, sqrt(time))
        levels.append(float(2.0 * normal_sf(boundary)))
        reach = boundary * sqrt(time)
        points = nodes * reach
        kernel = normal_pdf((points[:, None] - positions[None, :]) / wide) / wide
        positions, alive = points, (kernel @ alive) * weights * reach
        before_time, before_spent = time, until
    return levels


def _boundary(
    positions: FloatArray, alive: FloatArray, wide: float, wanted: float, root: float
) -> float:
    """Return the |z| that surviving paths cross with the wanted probability."""
    # Imported here: it takes 0.1 s of CPU, and seasons without a plan need no boundary.
    from scipy.optimize import brentq

    def excess(z: float) -> float:
        upper = normal_sf((z * root - positions) / wide)
        lower = normal_cdf((-z * root - positions) / wide)
        return float(alive @ (upper + lower)) - wanted

    return float(brentq(excess, 0.0, BOUNDARY_MAX, xtol=1e-8))
