"""Long-run variance: the uncertainty of a mean whose observations depend on each other.

The variance of a mean of T dependent observations is omega / T, where omega is the sum of all
autocovariances. It is estimated with the quadratic spectral kernel, the data-driven bandwidth of
Andrews (1991, Econometrica 59, 817-858) and AR(1) prewhitening of Andrews and Monahan (1992,
Econometrica 60, 953-966), as Ledoit and Wolf (2008) do. All columns are done at once.
"""

import numpy as np

from judge.statistics.types import FloatArray

PREWHITENING_MAX = 0.97
"""Andrews and Monahan's bound on the AR(1) coefficient that is divided out."""


def long_run_variance(series: FloatArray, *, prewhiten: bool = True) -> FloatArray:
    """Estimate the long-run variance of every column.

    Args:
        series: Shape [T, M], T >= 3; means are taken out here.
        prewhiten: Take an AR(1) out before the kernel and put it back after.

    Returns:
        Shape [M], in squared units of the series per period; 0 for a constant column.
    """
    centred = series - series.mean(axis=0)
    if not prewhiten:
        return _kernel_variance(centred)
    slope = np.clip(_ar1(centred), -PREWHITENING_MAX, PREWHITENING_MAX)
    residual = centred[1:] - slope * centred[:-1]
    return _kernel_variance(residual) / (1.0 - slope) ** 2


def _ar1(centred: FloatArray) -> FloatArray:
    """The least-squares AR(1) coefficient of every column; 0 for a constant one."""
    below = np.einsum("tm,tm->m", centred[:-1], centred[:-1])
    above = np.einsum("tm,tm->m", centred[1:], centred[:-1])
    slope: FloatArray = np.divide(above, below, out=np.zeros_like(above), where=below > 0.0)
    return slope


def _kernel_variance(centred: FloatArray) -> FloatArray:
    periods = centred.shape[0]
    autocovariance = _autocovariances(centred)
    weights = 2.0 * _quadratic_spectral(np.arange(periods)[:, None] / andrews_bandwidth(centred))
    weights[0] = 1.0
    variance: FloatArray = np.einsum("lm,lm->m", weights, autocovariance)
    # The kernel is positive semi-definite; what is below 0 is rounding.
    return variance.clip(0.0)


def _autocovariances(centred: FloatArray) -> FloatArray:
    """Autocovariances of every column at lags 0..T-1, each divided by T; shape [T, M]."""
    periods = centred.shape[0]
    padded = 1 << (2 * periods - 1).bit_length()
    spectrum = np.fft.rfft(centred, n=padded, axis=0)
    sums = np.fft.irfft(np.abs(spectrum) ** 2, n=padded, axis=0)[:periods]
    scaled: FloatArray = sums / periods
    return scaled


def andrews_bandwidth(centred: FloatArray) -> FloatArray:
    """Andrews' AR(1) plug-in bandwidth for this kernel: 1.3221 (alpha_2 T)^(1/5), at least 1.

    Args:
        centred: Shape [T, M], every column of mean 0.

    Returns:
        Shape [M], in periods.
    """
    slope = np.clip(_ar1(centred), -PREWHITENING_MAX, PREWHITENING_MAX)
    alpha = 4.0 * slope**2 / (1.0 - slope) ** 4
    width: FloatArray = 1.3221 * (alpha * centred.shape[0]) ** 0.2
    return width.clip(1.0)


def _quadratic_spectral(ratio: FloatArray) -> FloatArray:
    """The kernel k(x) = 3/z^2 (sin z / z - cos z), z = 6 pi x / 5; k(0) = 1."""
    angle = 6.0 * np.pi * np.where(ratio == 0.0, 1.0, ratio) / 5.0
    kernel = 3.0 / angle**2 * (np.sin(angle) / angle - np.cos(angle))
    return np.where(ratio == 0.0, 1.0, kernel)
