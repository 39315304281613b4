"""The Sharpe ratio, and its probabilistic and deflated versions.

The ratio is mean / standard deviation of the log returns of a season's periods, with T - 1 in the
deviation (Sharpe 1994) and a risk-free rate of zero. Metrics, intervals, both probabilities, page,
CSV and message all use this definition. It is per period; `sharpe_scale` returns the unit in which
it is printed.
"""

import numpy as np

from arena.metrics.sharpe import deviation, sharpe_ratio
from judge.statistics.distributions import normal_cdf, normal_ppf
from judge.statistics.types import BoolArray, FloatArray, IntArray
from judge.statistics.variance import claim_cosines, long_run_variance

EULER_MASCHERONI = 0.5772156649015329
SPREAD_MIN = 1e-12
"""Lower bound of the variance of a Sharpe ratio, which vanishes for some two-valued returns."""

ALIKE_MIN = 0.999
"""Returns with at least this correlation count as one trial."""


def probabilistic_sharpe(returns: FloatArray) -> float:
    """Return the confidence that the true Sharpe ratio of a series is above 0.

    Args:
        returns: Shape [T], not constant.

    Returns:
        Between 0 and 1; about 5 % of agents without skill have more than 0.95. It accounts for
        skew, fat tails and dependence in time.

    Raises:
        ValueError: The returns are constant.
    """
    return deflated_sharpe(returns, 1)


def deflated_sharpe(returns: FloatArray, trials: int) -> float:
    """Return the confidence that it is above the best of N agents without skill, by luck.

    Ratio and benchmark use the error of this series, so dependence in time increases both errors.

    Args:
        returns: Shape [T], not constant.
        trials: N, from `distinct_trials`; 1 gives the probabilistic Sharpe ratio.

    Raises:
        ValueError: The returns are constant.
    """
    ratio = sharpe_ratio(returns)
    if ratio is None:
        raise ValueError("returns that never vary have no Sharpe ratio; send others")
    scores = (returns - returns.mean()) / returns.std()
    growth = dependence(returns)
    return sharpe_probability(
        ratio,
        expected_best_sharpe(trials, returns.size) * float(np.sqrt(growth)),
        periods=returns.size,
        skew=float((scores**3).mean()),
        kurtosis=float((scores**4).mean()),
        growth=growth,
    )


def dependence(returns: FloatArray) -> float:
    """Return the factor by which dependence in time increases the variance of a mean, at least 1.

    It is the long-run variance of the K lowest cosines (`judge.statistics.variance`) over the
    variance.
    """
    if returns.size <= (cosines := claim_cosines(returns.size)):
        return 1.0
    found = float(long_run_variance(returns[:, None], cosines)[0] / returns.var())
    return max(found, 1.0)


def sharpe_probability(
    ratio: float,
    benchmark: float,
    *,
    periods: int,
    skew: float,
    kurtosis: float,
    growth: float = 1.0,
) -> float:
    """Return the confidence that the true Sharpe ratio is above a benchmark, from the moments.

    Bailey and Lopez de Prado (2012, Journal of Risk 15, 3-44):
    Phi((SR - SR*) sqrt(T - 1) / sqrt(1 - skew SR + (kurtosis - 1) / 4 SR^2)), for independent
    returns; others carry less evidence, as if there were T / growth of them (Lo 2002).

    Args:
        ratio: Sharpe ratio per period, SR.
        benchmark: Benchmark per period, SR*.
        periods: Number of periods, T.
        skew: Third standardised moment.
        kurtosis: Fourth standardised moment, 3 for a normal distribution.
        growth: Variance of the mean over that of independent returns.
    """
    spread = max(1.0 - skew * ratio + (kurtosis - 1.0) / 4.0 * ratio**2, SPREAD_MIN) * growth
    return float(normal_cdf((ratio - benchmark) * np.sqrt(periods - 1.0) / np.sqrt(spread)))


def expected_best_sharpe(trials: int, periods: int) -> float:
    """Return the Sharpe ratio that the best of N agents without skill would show by luck.

    Bailey and Lopez de Prado (2014, Journal of Portfolio Management 40, 94-107):
    sd(SR) ((1 - g) Z(1 - 1/N) + g Z(1 - 1/(N e))), with g the Euler-Mascheroni constant and Z the
    normal quantile. They estimate sd(SR) across the trials; here it is the theoretical value for an
    agent without skill, 1 / sqrt(T - 1): at SR = 0 the variance (1 + SR^2 / 2) / T of Lo (2002,
    Financial Analysts Journal 58(4), 36-52), with the divisor of the probability above. So the
    other agents' returns do not matter: an agent that loses its money in fees changes no benchmark.

    Args:
        trials: Number of trials, N; with one trial nothing is deflated, and the result is 0.
        periods: Number of periods T, at least 2.

    Returns:
        A ratio per period.
    """
    if trials < 2:
        return 0.0
    luck = (1.0 - EULER_MASCHERONI) * normal_ppf(1.0 - 1.0 / trials)
    luck += EULER_MASCHERONI * normal_ppf(1.0 - 1.0 / (trials * np.e))
    return float(luck / np.sqrt(periods - 1.0))


def distinct_trials(returns: FloatArray, baselines: BoolArray | None = None) -> int:
    """Return the number of distinct trials in a field: N of the deflated Sharpe ratio.

    Baselines do not count, as they do not compete; nor do constant series, which have no Sharpe
    ratio. Copies count once: series that correlate by `ALIKE_MIN` or more, directly or through
    others, have the same luck, at whatever size they trade.

    Args:
        returns: Shape [T, N].
        baselines: Shape [N], True for a baseline; None without baselines.
    """
    columns = [
        n
        for n in range(returns.shape[1])
        if deviation(returns[:, n]) is not None and not (baselines is not None and baselines[n])
    ]
    if len(columns) < 2:
        return len(columns)
    alike = np.asarray(np.corrcoef(returns[:, columns], rowvar=False)) >= ALIKE_MIN
    return int(np.unique(_groups(np.asarray(alike))).size)


def _groups(linked: BoolArray) -> IntArray:
    """Return the lowest index in each member's connected group, [N]."""
    found = np.arange(linked.shape[0])
    for _ in range(linked.shape[0]):
        lowest = np.where(linked, found, linked.shape[0]).min(axis=1)
        if (lowest == found).all():
            break
        found = lowest
    return found
