"""Bradley-Terry strengths from wins and losses over windows of the season.

The season is divided into windows; of two agents the one with the higher log return in a window
wins it, and equal returns are half a win each. Strengths are on the Elo scale: 100 points more
means winning 64 % of the windows, 400 points more means 10 to 1. They are fitted to all windows at
once, so their order does not matter (Chiang et al. 2024, Chatbot Arena, arXiv 2403.04132).
"""

import numpy as np

from judge.statistics.distributions import student_ppf
from judge.statistics.types import FloatArray, Interval
from judge.statistics.variance import long_run_variance

ELO_PER_LOG_ODDS = 400.0 / np.log(10.0)
WINDOWS_MAX = 24
WINDOW_PERIODS_MIN = 10
"""Shorter windows depend on their neighbours if returns are autocorrelated."""
ELO_MAX = 4_000.0
"""Largest half-width of an interval: odds of 10^10 to 1."""
ALIKE_MAX = 0.1
"""If the scatter of windows is below this share of the model's variance, they all ended alike."""
MISSES_AIMED = 1.04
"""Wins are integers, so an interval that aims at 10 % of misses has slightly fewer."""
WINDOW_COSINES = 5
"""Coefficients of the long-run variance over windows."""
NEWTON_STEPS_MAX = 25
TOLERANCE = 1e-9


def strengths(log_returns: FloatArray, *, block_length: float, confidence: float) -> list[Interval]:
    """Fit the strengths, with intervals from how the windows scatter around the fit.

    Bradley and Terry (1952, Biometrika 39, 324-345). Half a win each way is added to every pair, so
    that an agent that won every window has a finite strength. The variance is a sandwich (White
    1982, Econometrica 50, 1-25): a window moves the strengths by its score times the inverse
    curvature. Windows may depend on their neighbours, so the variance of the sum is the long-run
    variance of `judge.statistics.variance`, and the interval is Student's with as many degrees of
    freedom as cosines. If nearly all windows ended alike they do not scatter, and the variance is
    that of the fitted model.

    Args:
        log_returns: Shape [T, N], N >= 2.
        block_length: Least number of periods in a window.
        confidence: Confidence of the intervals.

    Returns:
        One interval per agent in Elo points, mean 0 over the agents.
    """
    shortest = max(WINDOW_PERIODS_MIN, int(np.ceil(block_length)))
    windows = max(1, min(WINDOWS_MAX, log_returns.shape[0] // shortest))
    totals = np.stack([part.sum(axis=0) for part in np.array_split(log_returns, windows)])
    wins = 0.5 + 0.5 * np.sign(totals[:, :, None] - totals[:, None, :])
    theta, curvature = _fit(wins.sum(axis=0)[None])
    agents = totals.shape[1]
    chance = 1.0 / (1.0 + np.exp(theta[0][None, :] - theta[0][:, None]))
    scores = ((wins - chance) * (1.0 - np.eye(agents))).sum(axis=2)
    inverse = np.linalg.inv(curvature[0])
    count = min(WINDOW_COSINES, windows - 1)
    if count < 1:
        reach = np.full(agents, np.inf)
    else:
        aimed = 1.0 - MISSES_AIMED * (1.0 - confidence)
        quantile = student_ppf((1.0 + aimed) / 2.0, count)
        scatter = windows * long_run_variance(scores @ inverse, count)
        # The curvature includes a mean of 1 / N in every direction, so that it can be inverted.
        by_model = np.diagonal(inverse) - 1.0 / agents**2
        alike = scatter < ALIKE_MAX * by_model
        reach = quantile * np.sqrt(np.where(alike, by_model, scatter))
    elo = theta[0] * ELO_PER_LOG_ODDS
    reach = np.minimum(reach * ELO_PER_LOG_ODDS, ELO_MAX)
    return [
        Interval(float(one), float(one - far), float(one + far))
        for one, far in zip(elo, reach, strict=True)
    ]


def fit(wins: FloatArray) -> FloatArray:
    """Fit strengths to tables of wins by Newton's method, all tables at once.

    Args:
        wins: Shape [B, N, N]; [b, i, j] is how often i beat j; the diagonal is ignored.

    Returns:
        Shape [B, N], Elo points, mean 0 in every table.
    """
    theta, _ = _fit(wins)
    elo: FloatArray = theta * ELO_PER_LOG_ODDS
    return elo


def _fit(wins: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the strengths in log odds, mean 0, and the curvature [B, N, N] at them."""
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
    return theta - theta.mean(axis=1, keepdims=True), curvature
