"""Stress test of claims: the worst period of the season, once more. Pure.

Resampling cannot show an event that did not happen. So the worst loss in one period, per unit held,
that any entrant saw is applied once more to the winner of every claim, at the winner's own mean
exposure. A claim survives if its difference would still exceed the boundary that it exceeded.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from arena.money import SCALE
from arena.plural import counted
from judge.entrants import ComparedWindow, Entrant, entrant_means
from judge.season.types import FloatArray, Season
from judge.statistics import Pair

HELD_MIN = 0.05
"""Least share of equity in the market for a loss per unit held; below, it is mostly fees."""
LOSS_MAX = 1.0 - 1e-6
"""Largest loss of a shock; `judge.season.types.log_returns` has the same floor."""


@dataclass(frozen=True, slots=True)
class Stress:
    """The worst period of a season, and its effect on each entrant.

    Attributes:
        loss: Loss per unit held; 0.032 is -3.2 % at full exposure.
        index: Index of the snapshot at its start; None if nothing was held.
        shocks: Log loss of each entrant if the period happened again.
    """

    loss: float
    index: int | None
    shocks: tuple[float, ...]

    def survives(self, pair: Pair) -> bool | None:
        """Return whether a claim would hold after the shock; None without a difference."""
        if pair.difference is None:
            return None
        found, ahead = pair.difference, pair.difference.estimate > 0
        shock = self.shocks[pair.a if ahead else pair.b]
        # A pair with a constant difference has no error.
        boundary = (pair.critical or 0.0) * (pair.claim_error or 0.0)
        if abs(found.estimate) > boundary:
            return abs(found.estimate) - shock > boundary
        # It was claimed at an earlier look: it holds until its interval contains 0.
        return (found.low if ahead else -found.high) - shock > 0


def stress_of(season: Season, entrants: Sequence[Entrant], window: ComparedWindow) -> Stress:
    """Return the worst period of the compared window, and its shock to each entrant.

    Args:
        season: The season.
        entrants: The compared entrants.
        window: The compared window.
    """
    held, losses = held_and_losses(season)
    held, losses = window.cut(held), window.cut(losses)
    worst, index = 0.0, None
    if losses.size:
        row, column = np.unravel_index(int(np.argmax(losses)), losses.shape)
        if losses[row, column] > 0:
            worst, index = float(losses[row, column]), window.begin + int(row)
    inside = np.where(held >= HELD_MIN, held, np.nan)
    means = [float(np.nanmean(column)) if np.isfinite(column).any() else 0.0 for column in inside.T]
    taken = np.minimum(np.array(means).reshape(1, -1) * worst, LOSS_MAX)
    shocks = entrant_means(entrants, -np.log1p(-taken))
    return Stress(worst, index, tuple(float(one) for one in shocks[0]))


def held_and_losses(season: Season) -> tuple[FloatArray, FloatArray]:
    """Return the share of equity held in each period, and the loss per unit held, [T, N] each.

    A period starts after the orders that answer its snapshot. The value held is the equity less the
    cost of the orders and the remaining cash; its loss by the next snapshot is due to the market
    alone. A loss is 0 if too little was held, and at most 1.
    """
    before = season.equity[:-1] - _costs(season)
    invested = before - season.cash[1:]
    lost = before - season.equity[1:]
    held = np.where(before > 0, invested / np.where(before > 0, before, 1.0), 0.0)
    much = held >= HELD_MIN
    losses = np.where(much, lost / np.where(much, invested, 1.0), 0.0)
    return np.clip(held, 0.0, 1.0), np.clip(losses, 0.0, 1.0)


def _costs(season: Season) -> FloatArray:
    """Return fees and slippage of the orders for each snapshot, [T, N] in the unit of equity."""
    costs = np.zeros((season.periods, len(season.entries)))
    for column, fills in enumerate(season.fills):
        for fill in fills:
            if 0 <= fill.index < season.periods:
                unit = season.per_unit(column, fill.product_id)
                costs[fill.index, column] += (fill.fee + fill.slippage) / SCALE * unit
    return costs


def stress_text(stress: Stress, survived: Sequence[bool | None]) -> str:
    """Return a sentence about the effect of the shock on the claims; "" without claims.

    Args:
        stress: The shock.
        survived: Result for each claim that holds.
    """
    known = [one for one in survived if one is not None]
    if not known or stress.index is None:
        return ""
    worst = f"the worst period seen, {-stress.loss:.1%} at full exposure".replace("%", " %")
    lost, total = known.count(False), len(known)
    claims = counted(total, "claim")
    outcome = f"{lost} of {claims} would not survive" if lost else f"all of {claims} would survive"
    if total == 1:
        outcome = f"the claim would {'not ' * bool(lost)}survive"
    return f"A season cannot show crashes rarer than itself: {outcome} {worst}, once more."
