"""Value at risk: against numpy, and when it is unknown."""

import math
from decimal import Decimal
from random import Random
from statistics import NormalDist
from typing import Literal

import numpy as np
import pytest

from arena.indicators import Bar
from arena.money import PRICE_SCALE
from arena.risk_limits import RiskLimits
from trading_tools.risk.value_at_risk import ValueAtRisk, hourly_closes, value_at_risk

from .helpers import BTC, SOL, price, units

HOUR_S = 3_600
EQUITY = units("10000")
Method = Literal["historical", "parametric"]


def walk(seed: int, hours: int, start: float = 100.0) -> dict[int, float]:
    """Hourly closes of a random walk."""
    random, found, close = Random(seed), dict[int, float](), start
    for hour in range(hours):
        close *= 1 + random.gauss(0, 0.01)
        found[hour * HOUR_S] = close
    return found


def measured(
    closes: dict[str, dict[int, float]],
    method: Method = "historical",
    level: str = "95",
    values: dict[str, int] | None = None,
) -> ValueAtRisk:
    """Value at risk of an account with 3,000 of BTC-USD and 1,000 of SOL-USD."""
    held = {BTC: units("3000"), SOL: units("1000")} if values is None else values
    limits = RiskLimits.from_json({"max_var_pct": 5, "var_method": method, "var_level_pct": level})
    return value_at_risk(
        limits,
        closes,
        held,
        SOL,
        mark=price("100"),
        lost=0,
        rate_scale=PRICE_SCALE,
        equity=EQUITY,
        candle_offsets={0: 9},
    )


@pytest.mark.parametrize("method", ["historical", "parametric"])
@pytest.mark.parametrize("level", ["90", "95", "99", "97.5"])
@pytest.mark.parametrize("bought", ["0", "12.5", "50"])
def test_it_is_what_numpy_computes(method: Method, level: str, bought: str) -> None:
    """Quantile or standard deviation of the revalued account, for a day, in percent of equity."""
    closes = {BTC: walk(1, 90), SOL: walk(2, 90)}
    window = RiskLimits().var_window_hours
    returns = {p: np.diff([*c.values()]) / np.array([*c.values()])[:-1] for p, c in closes.items()}
    sol = 1000 + 100 * float(bought)
    gains = (3000 * returns[BTC] + sol * returns[SOL])[-window:]
    share = float(level) / 100
    if method == "historical":
        loss = float(np.quantile(-gains, share, method="inverted_cdf"))
    else:
        loss = NormalDist().inv_cdf(share) * float(np.std(gains, ddof=1))
    expected = loss * math.sqrt(24) / 10_000 * 10_000

    found = measured(closes, method, level)
    assert found.measure is not None

    assert math.ceil(round(expected, 6)) == found.measure(units(bought))
    assert (method, Decimal(level), window, window, {0: 9}) == (
        found.basis.method,
        found.basis.level_pct,
        found.basis.window_hours,
        found.basis.hours_used,
        found.basis.candle_offsets,
    )


def test_too_few_hours_are_unknown() -> None:
    """With fewer than 24 common hourly returns it is unknown, and says so."""
    gaps = {hour: close for hour, close in walk(2, 90).items() if hour % (2 * HOUR_S) == 0}

    assert "23 hours of candles, at least 24 are needed" == (
        measured({BTC: walk(1, 24), SOL: walk(2, 24)}).unknown
    )
    assert measured({BTC: walk(1, 25), SOL: walk(2, 25)}).measure is not None
    assert measured({BTC: walk(1, 90), SOL: gaps}).unknown.startswith("0 hours")
    assert "no hour of candles is known of SOL-USD" == measured({BTC: walk(1, 90)}).unknown


def test_gains_only_are_no_risk() -> None:
    """If no hour lost, value at risk is 0, not negative."""
    rising = {hour * HOUR_S: 100.0 * 1.001**hour for hour in range(40)}
    found = measured({BTC: rising, SOL: rising})

    assert found.measure is not None
    assert found.measure(units("10")) == 0


def test_only_hours_that_are_over_have_a_close() -> None:
    """The close of an hour is that of its newest minute; the running hour has none."""
    minutes = [Bar(60 * i, 0, 0, 0, float(i), 0) for i in (0, 1, 59, 60, 100, 119, 120, 130)]

    assert {0: 59.0, 3600: 119.0} == hourly_closes(minutes)
    assert {0: 59.0, 3600: 119.0} == hourly_closes(minutes[:6])
    assert {} == hourly_closes([])
