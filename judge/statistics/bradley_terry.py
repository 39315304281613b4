"""Bradley-Terry strengths: who wins how often, window by window.

A window is a stretch of the season; of two agents the one with the higher log return in it wins,
equal returns are half a win each. Strengths are on the Elo scale: 100 points more means winning
64 % of the windows, 400 points more means 10 to 1. They are fitted to all windows at once, so
their order does not matter (Chiang et al. 2024, Chatbot Arena, arXiv 2403.04132).
"""

import numpy as np
from scipy import stats

from judge.statistics.types import FloatArray, Interval

ELO_PER_LOG_ODDS = 400.0 / np.log(10.0)
WINDOWS_MAX = 24
WINDOW_PERIODS_MIN = 10
"""With shorter windows neighbours depend where returns are autocorrelated."""
NEWTON_STEPS_MAX = 25
TOLERANCE = 1e-9


def strengths(
    log_returns: FloatArray,
    *,
    block_length: float,
    confidence: float,
    resamples: int,
    rng: np.random.Generator,
) -> tuple[list[Interval], int]:
    """Fit the strengths and resample whole windows for their intervals.

    Bradley and Terry (1952, Biometrika 39, 324-345). Every pair gets half a win each way in
    addition, so that an agent that won every window has a finite strength. Intervals are expanded
    percentiles over resampled windows (Hesterberg 2015, American Statistician 69, 371-386): the
    plain ones are too narrow for so few windows, by the factor sqrt((W - 1) / W) and by a normal
    quantile in the place of Student's.

    Args:
        log_returns: Shape [T, N], N >= 2.
        block_length: Windows are no shorter than this many periods, so that they hardly depend.
        confidence: Of the intervals.
        resamples: B.
        rng: In the same state it gives the same intervals.

    Returns:
        One interval per agent in Elo points, mean 0 over the agents, and the number of windows.
    """
    shortest = max(WINDOW_PERIODS_MIN, int(np.ceil(block_length)))
    windows = max(1, min(WINDOWS_MAX, log_returns.shape[0] // shortest))
    totals = np.stack([part.sum(axis=0) for part in np.array_split(log_returns, windows)])
    wins = 0.5 + 0.5 * np.sign(totals[:, :, None] - totals[:, None, :])
    counts = rng.multinomial(windows, np.full(windows, 1.0 / windows), size=resamples)
    agents = totals.shape[1]
    drawn = (counts.astype(np.float64) @ wins.reshape(windows, -1)).reshape(-1, agents, agents)
    observed = fit(wins.sum(axis=0)[None])[0]
    tail = _expanded_tail((1.0 - confidence) / 2.0, windows)
    low, high = np.quantile(fit(drawn), [tail, 1.0 - tail], axis=0)
    # The fit of the whole lies inside its resamples but for rounding and very few windows.
    low, high = np.minimum(low, observed), np.maximum(high, observed)
    return [Interval(*map(float, row)) for row in zip(observed, low, high, strict=True)], windows


def _expanded_tail(tail: float, windows: int) -> float:
    """The percentile whose distance is that of Student's t and the divisor W - 1."""
    if windows < 2:
        return tail
    reach = np.sqrt(windows / (windows - 1.0)) * stats.t.isf(tail, windows - 1)
    return float(stats.norm.sf(reach))


def fit(wins: FloatArray) -> FloatArray:
    """Fit strengths to tables of wins by Newton's method, all tables at once.

    Args:
        wins: Shape [B, N, N]; [b, i, j] is how often i beat j; the diagonal is ignored.

    Returns:
        Shape [B, N], Elo points, mean 0 in every table.
    """
    agents = wins.shape[1]
    off = 1.0 - np.eye(agents)
    wins = (wins + 0.5) * off
    games = wins + wins.transpose(0, 2, 1)
    theta = np.zeros(wins.shape[:2])
    for _ in range(NEWTON_STEPS_MAX):
        chance = 1.0 / (1.0 + np.exp(theta[:, None, :] - theta[:, :, None]))
        slope = (wins - games * chance).sum(axis=2)
        weight = games * chance * (1.0 - chance)
        # The ones make the Laplacian invertible and keep the mean at 0.
        curvature = np.eye(agents) * weight.sum(axis=2)[:, None, :] - weight + 1.0
        step = np.linalg.solve(curvature, slope[:, :, None])[:, :, 0]
        theta += np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < TOLERANCE:
            break
    elo: FloatArray = (theta - theta.mean(axis=1, keepdims=True)) * ELO_PER_LOG_ODDS
    return elo
