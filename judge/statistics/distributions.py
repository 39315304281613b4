"""Distribution functions from `scipy.special`, which the first call loads.

`scipy.stats` computes its distributions by the same functions, but importing it takes five times
the CPU time: it writes the documentation of every distribution. A judgement before the first look
needs no distribution, so most short contests load neither.

Tails (`sf`) and quantiles (`ppf`, from above `isf`) have the names of `scipy.stats`.
"""

import numpy as np

from judge.statistics.types import FloatArray

_ROOT_TWO_PI = np.sqrt(2.0 * np.pi)


def normal_pdf(z: FloatArray) -> FloatArray:
    """Return the standard normal density."""
    found: FloatArray = np.exp(-(z**2) / 2.0) / _ROOT_TWO_PI
    return found


def normal_cdf(z: FloatArray | float) -> FloatArray:
    """Return the standard normal probability below `z`."""
    from scipy.special import ndtr

    return np.asarray(ndtr(z), dtype=np.float64)


def normal_sf(z: FloatArray | float) -> FloatArray:
    """Return the standard normal probability above `z`."""
    return normal_cdf(-z)


def normal_ppf(share: float) -> float:
    """Return the standard normal quantile."""
    from scipy.special import ndtri

    return float(ndtri(share))


def student_sf(t_value: FloatArray | float, freedom: float) -> FloatArray:
    """Return the probability above `t_value` of Student's t."""
    from scipy.special import stdtr

    return np.asarray(stdtr(freedom, -np.asarray(t_value)), dtype=np.float64)


def student_isf(share: float, freedom: float) -> float:
    """Return the value that Student's t exceeds with probability `share`."""
    return -student_ppf(share, freedom)


def student_ppf(share: float, freedom: float) -> float:
    """Return the quantile of Student's t."""
    from scipy.special import stdtrit

    # At 0, scipy's function returns the other infinity.
    return float(stdtrit(freedom, share)) if share else -np.inf


def chi2_ppf(share: float, freedom: float) -> float:
    """Return the chi-square quantile."""
    from scipy.special import gammaincinv

    return float(2.0 * gammaincinv(freedom / 2.0, share))


def f_sf(ratio: float, freedom: float, freedom_below: float) -> float:
    """Return the probability above `ratio` of Fisher's F."""
    from scipy.special import fdtrc

    return float(fdtrc(freedom, freedom_below, ratio))
