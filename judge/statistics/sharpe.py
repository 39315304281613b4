"""How much a Sharpe ratio proves: probabilistic and deflated Sharpe ratios.

Ratios here are per period, not annualised; both probabilities are the same either way.
"""

import numpy as np
from scipy.special import ndtr, ndtri

from judge.statistics.types import FloatArray

EULER_MASCHERONI = 0.5772156649015329
SPREAD_MIN = 1e-12
"""Returns of two values only can have a variance of their Sharpe ratio that vanishes."""


def probabilistic_sharpe(returns: FloatArray, benchmark: float = 0.0) -> float:
    """The probability that the true Sharpe ratio of a series lies above a benchmark.

    Args:
        returns: Shape [T], not constant.
        benchmark: SR*, per period.

    Returns:
        Between 0 and 1; it takes skew and fat tails into account, but no autocorrelation.
    """
    scores = (returns - returns.mean()) / returns.std()
    return sharpe_probability(
        sharpe_ratio(returns),
        benchmark,
        periods=returns.size,
        skew=float((scores**3).mean()),
        kurtosis=float((scores**4).mean()),
    )


def sharpe_probability(
    ratio: float, benchmark: float, *, periods: int, skew: float, kurtosis: float
) -> float:
    """The probability that the true Sharpe ratio lies above a benchmark, from the moments.

    Bailey and Lopez de Prado (2012, Journal of Risk 15, 3-44):
    Phi((SR - SR*) sqrt(T - 1) / sqrt(1 - skew SR + (kurtosis - 1) / 4 SR^2)).

    Args:
        ratio: SR, per period.
        benchmark: SR*, per period.
        periods: T.
        skew: Third standardised moment.
        kurtosis: Fourth standardised moment, 3 for a normal distribution.
    """
    spread = max(1.0 - skew * ratio + (kurtosis - 1.0) / 4.0 * ratio**2, SPREAD_MIN)
    return float(ndtr((ratio - benchmark) * np.sqrt(periods - 1.0) / np.sqrt(spread)))


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
