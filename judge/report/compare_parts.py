"""Which parts of two runs are compared, and in which unit. Pure.

A longer season has larger totals by its length alone. If two runs saw the same market, their common
beginning is compared. Otherwise their returns are compared as rates, per day or less.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from judge.entrants import ComparedWindow
from judge.formatting import duration_text
from judge.report.facts import Facts
from judge.season import FloatArray, Season


class RateUnit(NamedTuple):
    """A unit of time for rates, such as "day", and its length."""

    name: str
    seconds: float


UNITS = (RateUnit("day", 86_400.0), RateUnit("hour", 3_600.0), RateUnit("minute", 60.0))
"""Units of rates; the largest that is at most twice as long as the shorter run is used."""


TRIMMED_MAX = 0.02
"""If a run is longer by at most this share, its last snapshots are cut and totals are compared."""


class ComparedParts(NamedTuple):
    """The compared parts of two runs.

    Attributes:
        paired: Whether they have the same snapshots at the same prices.
        why: Reason why they are paired or not.
        windows: Window of each run's season.
        lengths_s: Length of each part.
        unit: Unit of rates; None to compare totals.
    """

    paired: bool
    why: str
    windows: tuple[ComparedWindow, ComparedWindow]
    lengths_s: tuple[float, float]
    unit: RateUnit | None

    @property
    def scales(self) -> tuple[float, float]:
        """Factors from the totals of the parts to returns per unit."""
        if self.unit is None:
            return 1.0, 1.0
        one, two = (self.unit.seconds / length if length else 1.0 for length in self.lengths_s)
        return one, two


def compared_parts(before: Facts, after: Facts) -> ComparedParts:
    """Return the parts of two runs to compare."""
    old, new = before.season, after.season
    windows = before.board.window, after.board.window
    common, shorter = common_beginning(old, new), min(old.periods, new.periods)
    paired = common == shorter
    if paired:
        # The last row of a season is the cost of its last orders, not a whole period.
        end = common if old.periods == new.periods else common - 1
        begin = max(one.begin for one in windows)
        part = ComparedWindow(begin, max(begin, min(end, *(one.end for one in windows))))
        windows = part, part
    elif old.interval_s == new.interval_s:
        windows = _trimmed(*windows)
    lengths = windows[0].periods * old.interval_s, windows[1].periods * new.interval_s
    unit = None if paired or lengths[0] == lengths[1] else unit_of(min(lengths))
    return ComparedParts(paired, _why(old, new, common), windows, lengths, unit)


def common_beginning(before: Season, after: Season) -> int:
    """Return the number of first snapshots that are the same at the same prices."""
    count = min(before.periods, after.periods)
    if before.products != after.products:
        return 0
    one, two = before.snapshot_ids[:count], after.snapshot_ids[:count]
    same = np.array([a == b for a, b in zip(one, two, strict=True)], dtype=bool)
    for ours, theirs in ((before.bids, after.bids), (before.asks, after.asks)):
        same &= _equal(ours[:count], theirs[:count]).all(axis=1)
    return count if same.all() else int(same.argmin())


def unit_of(shorter_s: float) -> RateUnit:
    """Return the unit of rates for two runs, from the length of the shorter one."""
    return next((unit for unit in UNITS if unit.seconds <= 2.0 * shorter_s), UNITS[-1])


def _trimmed(one: ComparedWindow, two: ComparedWindow) -> tuple[ComparedWindow, ComparedWindow]:
    """Return the windows, cut to equal length if they hardly differ."""
    shorter, longer = sorted((one.periods, two.periods))
    if longer - shorter > max(1.0, TRIMMED_MAX * shorter):
        return one, two
    return ComparedWindow(one.begin, one.begin + shorter), ComparedWindow(
        two.begin, two.begin + shorter
    )


def _equal(one: FloatArray, two: FloatArray) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (one == two) | (np.isnan(one) & np.isnan(two))
    return found


def _why(before: Season, after: Season, common: int) -> str:
    """Return why they are paired or not."""
    if common < min(before.periods, after.periods):
        moment = before.snapshot_ids[common : common + 1] == after.snapshot_ids[common : common + 1]
        what = "the snapshots' prices differ" if moment else "the snapshots differ"
        return f"{what}, so the market's luck is in the difference"
    if before.periods == after.periods:
        return f"the same {common:,} snapshots at the same prices"
    old, new = (
        f"{one.periods:,} ({duration_text(one.periods * one.interval_s)})"
        for one in (before, after)
    )
    return (
        f"the first {common:,} snapshots are the same, at the same prices, and these are compared; "
        f"there are {old} before and {new} after"
    )
