"""Alpha: returns less those of a market position of equal size.

An agent that holds twice as much of a rising market earns twice as much, which says nothing about
its skill and is most of the noise of a difference. So every entrant is also compared with a
reference that holds the equal-weight market index with the share beta of its equity, and cash:

    adjusted[t] = r[t] - ln(1 + beta[t] (exp(m[t]) - 1)),  beta[t] = mean(exposure[0..t])

r and m are log returns of period t, exposure[t] is the share of equity held at its start. The rule
has no parameters, and beta[t] is known before m[t]: without skill the adjusted return has mean 0
given the past, however the exposure follows the market (a martingale difference). The first n
periods never change when later ones are added, so earlier looks stay the same. Jensen (1968,
Journal of Finance 23, 389-416) regresses instead. Simulated, at a level of 3 %: with the season's
mean exposure two passive holdings of unequal size "differed" in 25 % of seasons, with least-squares
betas two constant shares in 99 %, with this rule in 0.4 % and 0.1 %. The rule does not remove this:
an exposure that only grows, or only shrinks, in a season with a strong drift lags its own mean, and
is credited with the drift on the gap.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from judge.statistics.columns import FamilyOptions, compare_columns
from judge.statistics.looks import FINISHED, Horizon
from judge.statistics.pairs import LookMemo
from judge.statistics.types import FloatArray, Interval, Pair

METHOD = (
    "Adjusted difference: each return less that of the equal-weight market index held with the "
    "entrant's mean exposure so far; decided like the raw difference, as a family of its own."
)


@dataclass(frozen=True, slots=True)
class Alpha:
    """Returns of the entrants beyond what their market exposure explains.

    Attributes:
        pairs: Every pair of entrants, in the order of `SeasonVerdict.pairs`; differences are season
            totals of adjusted log returns.
        totals: Season total of the adjusted log returns of each entrant; None if it cannot be
            resampled.
        method: Sentences about the method.
    """

    pairs: tuple[Pair, ...]
    totals: tuple[Interval | None, ...]
    method: tuple[str, ...] = (METHOD,)


def exposure_shares(equity: FloatArray, exposure: FloatArray) -> FloatArray:
    """Return the share of equity in the market at the start of each period.

    Args:
        equity: Shape [T + 1, N], cash.
        exposure: Shape [T + 1, N, P], value of each position.

    Returns:
        Shape [T, N], between 0 and 1; 0 for an account with a value of 0.
    """
    held = exposure[:-1].sum(axis=2)
    worth = equity[:-1]
    shares = np.divide(held, worth, out=np.zeros_like(held), where=worth > 0.0)
    bounded: FloatArray = np.clip(shares, 0.0, 1.0)
    return bounded


def adjusted_returns(
    log_returns: FloatArray, exposures: FloatArray, market: FloatArray
) -> FloatArray:
    """Subtract from every return what the market explains.

    Args:
        log_returns: Shape [T, N].
        exposures: Shape [T, N], shares of equity at the start of each period, 0 to 1.
        market: Shape [T], log returns of the equal-weight market index.

    Returns:
        Shape [T, N], log returns; row t does not depend on periods after t.

    Raises:
        ValueError: Shapes do not match, or a share is outside 0 to 1.
    """
    returns, shares, index = (
        np.asarray(values, dtype=np.float64) for values in (log_returns, exposures, market)
    )
    if returns.ndim != 2 or shares.shape != returns.shape or index.shape != returns.shape[:1]:
        raise ValueError(
            f"log_returns had shape {returns.shape}, exposures {shares.shape} and market "
            f"{index.shape}; send [T, N], [T, N] and [T]"
        )
    if not np.isfinite(index).all():
        raise ValueError(
            f"the market's return in period {int(np.flatnonzero(~np.isfinite(index))[0])} was not "
            "finite; send log returns of an index above zero"
        )
    outside = ~((shares >= 0.0) & (shares <= 1.0))
    if outside.any():
        period, entrant = np.argwhere(outside)[0]
        raise ValueError(
            f"the exposure of entrant {entrant} in period {period} was {shares[period, entrant]}; "
            "send a share of equity, 0 to 1"
        )
    # Exposures are shares of one account each, so beta is at most 1 and the reference above zero.
    beta = np.cumsum(shares, axis=0) / np.arange(1, len(shares) + 1)[:, None]
    adjusted: FloatArray = returns - np.log1p(beta * np.expm1(index)[:, None])
    return adjusted


def alpha_pairs(
    log_returns: FloatArray,
    exposures: FloatArray,
    market: FloatArray,
    *,
    confidence: float = 0.90,
    seed: int = 1,
    resamples: int = 2000,
    horizon: Horizon = FINISHED,
    memo: LookMemo | None = None,
) -> Alpha:
    """Decide which entrants are better than their market exposure explains.

    Decides like `judge_returns`, but on the adjusted returns: all pairs together, at the same looks
    and levels, as a family separate from that of the raw differences.

    Args:
        log_returns: Shape [T, N].
        exposures: Shape [T, N], shares of equity at the start of each period, 0 to 1.
        market: Shape [T], log returns of the equal-weight market index.
        confidence: Confidence of every interval.
        seed: Seed of the resampling.
        resamples: Number of bootstrap replications.
        horizon: Planned length of the season, and whether it is over.
        memo: Cache of earlier looks' decisions; it does not change the result.

    Raises:
        ValueError: Shapes do not match, or a share is outside 0 to 1.
    """
    adjusted = adjusted_returns(log_returns, exposures, market)
    combos = list(combinations(range(adjusted.shape[1]), 2))
    options = FamilyOptions(confidence, seed, resamples, horizon)
    found = compare_columns(adjusted, combos, options, memo)
    return Alpha(found.pairs, found.totals)
