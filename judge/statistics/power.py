"""Detectable differences, and closed forms for a hypothetical season."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from judge.statistics.distributions import normal_ppf
from judge.statistics.multiplicity import CLAIM_LEVEL

POWER = 0.80
"""Probability with which a detectable difference is found (Cohen 1988's convention)."""

DAYS_PER_YEAR = 365.0


def detectable_difference(
    error: float, critical: float, *, freedom: int | None = None, power: float = POWER
) -> float:
    """Return the true |difference| that a two-sided test finds with the given power.

    Bloom (1995, Evaluation Review 19, 547-556): (critical value + Z(power)) x standard error. With
    few degrees of freedom the quantile is that of the noncentral t distribution, in the
    approximation of Johnson and Welch (1940, Biometrika 31, 362-389), corrected for the mean of an
    error that is the root of an unbiased variance.

    Args:
        error: Standard error of the difference, in the unit of the result.
        critical: The |t| to exceed; family-wise if there are several pairs.
        freedom: Degrees of freedom of the error; None if it is known exactly.
        power: Wanted power.
    """
    if freedom is None:
        return float((critical + normal_ppf(power)) * error)
    root = 1.0 - 1.0 / (4.0 * freedom)
    spread = np.sqrt(1.0 + critical**2 / (2.0 * freedom))
    return float((critical * root + normal_ppf(power) * spread) * error / root)


@lru_cache(maxsize=256)
def normal_critical_value(agents: int, level: float, freedom: int | None = None) -> float:
    """Return the critical |t| for all pairs of N equal, normal agents: Tukey's range / sqrt(2).

    Tukey (1953): the largest of all |x_i - x_j| over one standard error follows the studentised
    range. It approximates the bootstrap's critical value; with few degrees of freedom that is up to
    a tenth larger, because every pair has its own error.

    Args:
        agents: Number of agents, N.
        level: Family-wise level.
        freedom: Degrees of freedom of the error; None if it is known exactly.
    """
    # Imported here: it is not in scipy.special, and only reports and power curves need it.
    from scipy.stats import studentized_range

    known = np.inf if freedom is None else freedom
    return float(studentized_range.ppf(1.0 - level, agents, known) / np.sqrt(2.0))


@dataclass(frozen=True, slots=True)
class HypotheticalSeason:
    """Parameters of a season for closed-form power calculations.

    Attributes:
        agents: Number of cells of the contest, each with `repeats` seeds.
        days: Market time.
        volatility: Annualised standard deviation of an agent's log returns, e.g. 0.5.
        correlation: Correlation between agents of different cells.
        seed_correlation: Correlation between repeats of one cell.
        repeats: Seeds per cell; cells are compared by the mean over their seeds.
        level: Family-wise level of a claim.
        freedom: Degrees of freedom of a standard error, which grow with the periods; None if it is
            known exactly.
    """

    agents: int
    days: float
    volatility: float
    correlation: float
    seed_correlation: float = 1.0
    repeats: int = 1
    level: float = CLAIM_LEVEL
    freedom: int | None = None

    @property
    def difference_sd(self) -> float:
        """Standard deviation of the difference of two cells' season totals (log return)."""
        shared = self.seed_correlation - self.correlation
        own = (1.0 - self.seed_correlation) / self.repeats
        years = self.days / DAYS_PER_YEAR
        return float(self.volatility * np.sqrt(2.0 * (shared + own) * years))

    @property
    def detectable(self) -> float:
        """Smallest difference of season totals that is claimed with 80 % power (log return)."""
        critical = normal_critical_value(self.agents, self.level, self.freedom)
        return detectable_difference(self.difference_sd, critical, freedom=self.freedom)

    @property
    def detectable_sharpe(self) -> float:
        """The same as a difference of annualised Sharpe ratios, at equal volatility."""
        return self.detectable / self.volatility * DAYS_PER_YEAR / self.days

    def days_for(self, difference: float, per_days: float) -> float:
        """Return the days until a true difference is claimed with 80 % power.

        Args:
            difference: True difference in log return, earned every `per_days` days.
            per_days: Days in which it is earned.
        """
        return self.days * (self.detectable / (difference * self.days / per_days)) ** 2
