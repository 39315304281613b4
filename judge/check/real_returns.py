"""Real hourly returns of BTC-USD, shipped for the check of the judge.

Reads `judge/data/btc_usd_hourly.txt.gz` once; the file names its source.
"""

import gzip
from functools import cache
from importlib import resources

import numpy as np

from judge.statistics.types import FloatArray

RETURN_UNIT = 1e-5
"""Log return of one unit in the file."""

BLOCK_HOURS = 240
"""Ten days: longer than most volatility clusters, shorter than a price trend."""


@cache
def real_returns() -> FloatArray:
    """Return hourly BTC-USD log returns of Coinbase, July 2017 to October 2019, shape [20110]."""
    packed = resources.files("judge").joinpath("data", "btc_usd_hourly.txt.gz").read_bytes()
    lines = gzip.decompress(packed).decode("utf-8").splitlines()
    units = " ".join(line for line in lines if not line.startswith("#")).split()
    returns: FloatArray = np.array(units, dtype=np.float64) * RETURN_UNIT
    returns.flags.writeable = False
    return returns
