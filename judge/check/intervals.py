"""Coverage of four kinds of intervals for the paired difference.

Percentile and BCa (Efron 1987, JASA 82, 171-185) as `arch` computes them, the normal interval with
the long-run variance, and the symmetric studentised interval that the verdict prints; all with the
same block length. Pure: seeded generators.
"""

from collections.abc import Sequence

import numpy as np
from arch.bootstrap import StationaryBootstrap
from scipy.special import ndtri

from judge.check.catalogue import PERIODS, PERIODS_SHORT
from judge.check.markets import MarketScenario
from judge.check.simulation import CONFIDENCE, RESAMPLES
from judge.check.summary import Coverage
from judge.statistics.resample import choose_block_length, draw_signs
from judge.statistics.student import studentise_means
from judge.statistics.types import FloatArray

CANDIDATES = ("percentile", "BCa", "normal", "studentised")
MARKETS = (
    *(
        MarketScenario(law, 2, PERIODS_SHORT)
        for law in ("normal", "fat", "ar0.3", "garch", "spells")
    ),
    *(MarketScenario(law, 2, PERIODS) for law in ("ar0.3", "spells")),
)


def run_intervals(market: MarketScenario, seed: int, seasons: range) -> list[tuple[bool, ...]]:
    """Return for each season whether each interval holds the true difference, 0.

    Args:
        market: Market of two agents with the same law.
        seed: Seed of the whole comparison.
        seasons: Numbers of the seasons.
    """
    found = []
    for number in seasons:
        season = market.season(np.random.default_rng([seed, number, *market.name.encode()]))
        # A season in which the two never differ tests no interval.
        if np.ptp(season[:, 0] - season[:, 1]) > 0.0:
            found.append(_hits(season, number))
    return found


def _hits(season: FloatArray, seed: int) -> tuple[bool, ...]:
    gaps = season[:, :1] - season[:, 1:]
    length = choose_block_length(gaps)
    reaches = []
    for method in ("percentile", "bca"):
        rng = np.random.default_rng(seed)
        # arch is typed for integer lengths only; it uses just 1 / length.
        source = StationaryBootstrap(length, gaps[:, 0], seed=rng)  # type: ignore[arg-type]
        bounds = source.conf_int(np.mean, RESAMPLES, method=method, size=CONFIDENCE)
        reaches.append(bool(bounds[0, 0] <= 0.0 <= bounds[1, 0]))
    signs = draw_signs(gaps.shape[0], length, RESAMPLES, np.random.default_rng(seed))
    means = studentise_means(gaps, signs, []).agents
    normal = bool(means.t_values[0] <= ndtri((1.0 + CONFIDENCE) / 2.0))
    ours = means.interval(0, confidence=CONFIDENCE, scale=1.0)
    return (*reaches, normal, ours is None or ours.low <= 0.0 <= ours.high)


def summarise_intervals(hits: Sequence[tuple[bool, ...]]) -> list[Coverage]:
    """Return the coverage of each kind of interval with its binomial standard error."""
    shares = np.array(hits, dtype=np.float64).mean(axis=0)
    errors = np.sqrt(shares * (1.0 - shares) / len(hits))
    return [Coverage(float(s), float(e)) for s, e in zip(shares, errors, strict=True)]
