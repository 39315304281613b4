"""How much a Sharpe ratio proves: probabilistic and deflated Sharpe ratios.

Ratios here are per period, not annualised; both probabilities are the same either way.
"""

import numpy as np
from scipy.special import ndtr, ndtri

from judge.statistics.types import FloatArray

EULER_MASCHERONI = 0.5772156649015329


def probabilistic_sharpe(returns: FloatArray, benchmark: float = 0.0) -> float:
    """The probability that the true Sharpe ratio lies above a benchmark.

    Bailey and Lopez de Prado (2012, Journal of Risk 15, 3-44):
    Phi((SR - SR*) sqrt(T - 1) / sqrt(1 - skew SR + (kurtosis - 1) / 4 SR^2)), with the kurtosis
    3 for a normal distribution. It takes skew and fat tails into account, but no autocorrelation.

    Args:
        returns: Shape [T], not constant.
        benchmark: SR*, per period.

    Returns:
        Between 0 and 1.
    """
    ratio = sharpe_ratio(returns)
    scores = (returns - returns.mean()) / returns.std()
    skew, kurtosis = float((scores**3).mean()), float((scores**4).mean())
    spread = 1.0 - skew * ratio + (kurtosis - 1.0) / 4.0 * ratio**2
    score = (ratio - benchmark) * np.sqrt(returns.size - 1.0) / np.sqrt(spread)
    return float(ndtr(score))


def expected_best_sharpe(ratios: FloatArray) -> float:
    """The Sharpe ratio that the best of N agents without skill would show by luck.

    Bailey and Lopez de Prado (2014, Journal of Portfolio Management 40, 94-107):
    sd(SR) ((1 - g) Z(1 - 1/N) + g Z(1 - 1/(N e))), with g the Euler-Mascheroni constant, Z the
    normal quantile and sd taken across the agents.

    Args:
        ratios: The agents' Sharpe ratios, shape [N], N >= 2.

    Returns:
        In the unit of the ratios.
    """
    trials = ratios.size
    luck = (1.0 - EULER_MASCHERONI) * ndtri(1.0 - 1.0 / trials)
    luck += EULER_MASCHERONI * ndtri(1.0 - 1.0 / (trials * np.e))
    return float(ratios.std(ddof=1) * luck)


def sharpe_ratio(returns: FloatArray) -> float:
    """Mean over standard deviation (divisor T), per period, risk-free rate zero."""
    return float(returns.mean() / returns.std())
