"""When a claim may be made while a season is watched, and at which level.

A judge that looks after every snapshot and claims at the first |t| beyond a fixed value finds some
difference in a fifth of all seasons without any. So claims are made at decision looks alone, at
levels that together spend the error once.

With a planned end: at eighths of the plan, from its half on, with the error spent as O'Brien and
Fleming's boundary would: alpha(f) = 2 - 2 Phi(z / sqrt(f)) at the share f of the plan (Lan and
DeMets 1983, Biometrika 70, 659-663). Little is spent early, so the last look is nearly as sharp as
the only one would be. The levels are those of a Brownian motion, computed by recursive integration
(Armitage, McPherson and Rowe 1969, JRSS A 132, 235-244).

Without a planned end: a confidence sequence, which holds at every time at once (Robbins 1970,
Annals of Mathematical Statistics 41, 1397-1409; Waudby-Smith et al. 2024, Annals of Statistics 52,
2613-2640), looked at on a geometric grid so that a claim is not made and taken back every minute.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count, takewhile
from math import log, sqrt

import numpy as np
from scipy import stats
from scipy.optimize import brentq

from judge.statistics.multiplicity import CLAIM_LEVEL
from judge.statistics.types import FloatArray

ERROR_SPENT = 0.015
"""Family-wise error spent over all looks of a season; its last look is at 1.15 %."""

SHARES = 8
FIRST_SHARE = 4
"""Looks at 4/8, 5/8, ... of the plan. The standard error changes from look to look, so each look
errs a little by itself; more of them would cost more than they show."""

PERIODS_FIRST = 60
GROWTH = 1.25
"""Without a plan: after 60 periods, and then whenever the season has grown by a quarter."""

SHARPEST = 500.0
"""Periods at which the confidence sequence is narrowest."""

MIXED = 9.0
"""n / `SHARPEST` times this is the mixture's information: near where the boundary is lowest."""

NODES = 96
"""Nodes of the Gauss-Legendre quadrature between the boundaries."""
REACH = 16.0
"""No boundary is beyond this."""


@dataclass(frozen=True, slots=True)
class Look:
    """A decision: after how many periods, and at which nominal family-wise level."""

    periods: int
    level: float


@dataclass(frozen=True, slots=True)
class Horizon:
    """How long a season is to be, and whether it is over.

    Attributes:
        planned: Periods it is to have; None without a planned end.
        over: No period will be added.
        once: Nothing was looked at before, so this moment is the only look.
        level: Of that look: nominal, family-wise.
    """

    planned: int | None
    over: bool
    once: bool = False
    level: float = CLAIM_LEVEL

    def looks(self, periods: int) -> tuple[Look, ...]:
        """The decision looks of a season up to `periods`, the present one last if it is one."""
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
        """How many looks there will be; None without a planned end."""
        if self.over:
            return len(self.looks(periods))
        return None if self.planned is None else len(planned_looks(self.planned))

    def next_look(self, periods: int) -> int | None:
        """Periods of the first look after `periods`; None if the season has no further one."""
        if self.over:
            return None
        if self.planned is None:
            return next(n for n in _open_look_times() if n > periods)
        return next((k.periods for k in planned_looks(self.planned) if k.periods > periods), None)

    def level_at(self, periods: int) -> float:
        """The nominal level of a moment: of its look, else of the next one, else of the last."""
        looks = self.looks(periods)
        if looks and looks[-1].periods == periods:
            return looks[-1].level
        if self.planned is None:
            return anytime_level(max(periods, PERIODS_FIRST))
        planned = planned_looks(self.planned)
        following = [look.level for look in planned if look.periods > periods]
        return (following or [look.level for look in planned[-1:]] or [CLAIM_LEVEL])[0]


FINISHED = Horizon(None, over=True, once=True)
"""All periods are there, and this is the first look."""


def single_look(level: float) -> Horizon:
    """One look at a level: how a look of a longer season decides."""
    return Horizon(None, over=True, once=True, level=level)


def look_times(planned: int | None, upto: int) -> tuple[int, ...]:
    """After how many periods a season that is watched has its looks, up to so many."""
    return tuple(look.periods for look in Horizon(planned, over=False).looks(upto))


@lru_cache(maxsize=64)
def planned_looks(planned: int) -> tuple[Look, ...]:
    """The looks of a season of so many periods; none if it is too short for any."""
    places = [round(planned * k / SHARES) for k in range(FIRST_SHARE, SHARES + 1)]
    kept = sorted({n for n in places if n >= PERIODS_FIRST})
    spent = [spending(n / planned) for n in kept]
    levels = nominal_levels(kept, spent)
    return tuple(Look(n, level) for n, level in zip(kept, levels, strict=True))


@lru_cache(maxsize=64)
def ended_looks(planned: int, periods: int) -> tuple[Look, ...]:
    """The looks of a season that ended before its plan: what is left is spent at its end."""
    kept = [look.periods for look in planned_looks(planned) if look.periods < periods]
    if periods < PERIODS_FIRST:
        return ()
    spent = [spending(n / planned) for n in kept]
    levels = nominal_levels([*kept, periods], [*spent, ERROR_SPENT])
    return tuple(Look(n, level) for n, level in zip([*kept, periods], levels, strict=True))


def open_looks(periods: int) -> tuple[Look, ...]:
    """The looks of a season without a planned end, up to `periods`."""
    return tuple(
        Look(n, anytime_level(n)) for n in takewhile(lambda n: n <= periods, _open_look_times())
    )


def _open_look_times() -> Iterator[int]:
    return (round(PERIODS_FIRST * GROWTH**k) for k in count())


def anytime_level(periods: int) -> float:
    """The nominal two-sided level of a normal mixture's confidence sequence after n periods.

    Its boundary for |Z| is sqrt((x + 1) / x log((x + 1) / alpha^2)) with x in proportion to n.
    """
    x = MIXED * periods / SHARPEST
    boundary = sqrt((x + 1.0) / x * log((x + 1.0) / ERROR_SPENT**2))
    return float(2.0 * stats.norm.sf(boundary))


def spending(share: float) -> float:
    """Error that may be spent up to a share of the plan, O'Brien-Fleming type."""
    z = stats.norm.isf(ERROR_SPENT / 2.0)
    return float(2.0 * stats.norm.sf(z / sqrt(min(share, 1.0))))


def nominal_levels(times: Sequence[int], spent: Sequence[float]) -> list[float]:
    """Two-sided nominal levels at which a Brownian motion first crosses with the error wanted.

    Args:
        times: Ascending information times.
        spent: Error spent up to each, ascending.
    """
    if not times:
        return []
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    levels: list[float] = []
    # Where the paths that crossed nothing are, and how likely each place is.
    where, alive = np.zeros(1), np.ones(1)
    before_time, before_spent = 0, 0.0
    for time, until in zip(times, spent, strict=True):
        wide = sqrt(time - before_time)
        wanted = until - before_spent
        boundary = _boundary(where, alive, wide, wanted, sqrt(time))
        levels.append(float(2.0 * stats.norm.sf(boundary)))
        reach = boundary * sqrt(time)
        points = nodes * reach
        kernel = stats.norm.pdf((points[:, None] - where[None, :]) / wide) / wide
        where, alive = points, (kernel @ alive) * weights * reach
        before_time, before_spent = time, until
    return levels


def _boundary(
    where: FloatArray, alive: FloatArray, wide: float, wanted: float, root: float
) -> float:
    """The |z| that paths which are alive pass with the chance that is wanted."""

    def excess(z: float) -> float:
        upper = stats.norm.sf((z * root - where) / wide)
        lower = stats.norm.cdf((-z * root - where) / wide)
        return float(alive @ (upper + lower)) - wanted

    return float(brentq(excess, 0.0, REACH, xtol=1e-8))
