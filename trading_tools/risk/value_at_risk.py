"""Value at risk of an account over a day, from closed candles. Pure.

Hourly closes of the closed minutes up to the order's snapshot give hourly returns; an hour counts
if it and the hour before have minutes of every product. The account's positions as they are now are
revalued by each of them:

* historical: the smallest loss that at least `level` of the hours do not exceed;
* parametric: z(level) times the sample standard deviation of the hours, around a mean of zero gain.

Hours are scaled to a day by the square root of 24, which assumes that hours are independent. Sums
are exact (`math.fsum`), so every machine computes the same figures.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import NormalDist
from typing import Final

from arena.indicators.bars import MINUTE_S, Bar
from arena.messages.orders import ValueAtRiskBasis
from arena.money import PRICE_SCALE
from arena.plural import counted
from arena.risk_limits import RiskLimits

HOUR_S: Final = 3_600
HOURS_MIN: Final = 24
"""Fewest hourly returns from which it is computed."""
HOURS_OF_DAY: Final = 24
ROUNDING_DIGITS: Final = 6
"""Digits of hundredths of a percent that are kept before rounding up: below them is float noise."""

HourlyCloses = Mapping[int, float]
"""Start of an hour in Unix seconds -> close of its newest minute."""


@dataclass(frozen=True, slots=True)
class ValueAtRisk:
    """How much of the equity a bad day costs, as a function of an order.

    Attributes:
        basis: How it was computed.
        measure: Quantity bought -> value at risk after it, in hundredths of a percent of equity,
            rounded up; None if it is unknown.
        unknown: Why it is unknown; "" if it is known.
    """

    basis: ValueAtRiskBasis
    measure: Callable[[int], int] | None = None
    unknown: str = ""


def hourly_closes(minutes: Sequence[Bar], bar_s: int = MINUTE_S) -> dict[int, float]:
    """The closes of the hours that are over: the newest minute of a product is not in one of them.

    Args:
        minutes: Closed minutes, oldest first; or longer bars.
        bar_s: Length of the bars in seconds; bars of days give no hourly returns.
    """
    if bar_s > HOUR_S:
        return {}
    found: dict[int, float] = {}
    for bar in minutes:
        found[bar.start_s - bar.start_s % HOUR_S] = bar.close
    if minutes:
        last = minutes[-1].start_s
        if (last + bar_s) % HOUR_S:
            del found[last - last % HOUR_S]
    return found


def value_at_risk(
    limits: RiskLimits,
    closes: Mapping[str, HourlyCloses],
    values: Mapping[str, int],
    product_id: str,
    *,
    mark: int,
    lost: int,
    rate_scale: int,
    equity: int,
    candle_offsets: Mapping[int, int],
) -> ValueAtRisk:
    """Prepare the value at risk of an account after a buy of any quantity.

    Args:
        limits: Method, level and window.
        closes: Product -> closes of its hours; a product without candles is absent.
        values: Product -> value of the position in cash, units of 10^-8.
        product_id: The product to buy.
        mark: Value of one base unit, in units of 10^-18 of cash.
        lost: What the equity loses by buying a base unit, in 10^-8 times `rate_scale`.
        rate_scale: As said.
        equity: Equity before the order.
        candle_offsets: Partition -> offset of `market.candles` before which candles were used.
    """
    products = sorted({product_id, *values} - {""})
    missing = [product for product in products if not closes.get(product)]
    hours = [] if missing else _hours([closes[p] for p in products], limits.var_window_hours)
    basis = ValueAtRiskBasis(
        method=limits.var_method,
        level_pct=limits.var_level_pct,
        window_hours=limits.var_window_hours,
        hours_used=len(hours),
        candle_offsets=dict(candle_offsets),
    )
    if missing:
        return ValueAtRisk(basis, None, f"no hour of candles is known of {', '.join(missing)}")
    if len(hours) < HOURS_MIN:
        have = counted(len(hours), "hour")
        return ValueAtRisk(basis, None, f"{have} of candles, at least {HOURS_MIN} are needed")
    returns = {product: _returns(closes[product], hours) for product in products}
    held = [(value, returns[product]) for product, value in values.items() if product]
    base = [math.fsum(value * each[i] for value, each in held) for i in range(len(hours))]
    bought = returns.get(product_id, [0.0] * len(hours))
    level = limits.var_level_pct / 100
    loss_of = _historical if limits.var_method == "historical" else _parametric

    def measure(quantity: int) -> int:
        added = quantity * mark / PRICE_SCALE
        left = equity - quantity * lost / rate_scale
        gains = [gain + added * each for gain, each in zip(base, bought, strict=True)]
        if left <= 0:
            return 100 * 100
        share = max(0.0, loss_of(gains, level)) * math.sqrt(HOURS_OF_DAY) / left
        return math.ceil(round(share * 10_000, ROUNDING_DIGITS))

    return ValueAtRisk(basis, measure)


def _hours(closes: Sequence[HourlyCloses], window: int) -> list[int]:
    """The newest hours for which every product has a return, oldest first."""
    common = set(closes[0]).intersection(*closes[1:])
    return sorted(hour for hour in common if hour - HOUR_S in common)[-window:]


def _returns(closes: HourlyCloses, hours: Sequence[int]) -> list[float]:
    return [closes[hour] / closes[hour - HOUR_S] - 1.0 for hour in hours]


def _historical(gains: Sequence[float], level: Decimal) -> float:
    """The inverted empirical distribution of losses."""
    losses = sorted(-gain for gain in gains)
    return losses[math.ceil(level * len(losses)) - 1]


def _parametric(gains: Sequence[float], level: Decimal) -> float:
    mean = math.fsum(gains) / len(gains)
    variance = math.fsum((gain - mean) ** 2 for gain in gains) / (len(gains) - 1)
    return NormalDist().inv_cdf(float(level)) * math.sqrt(variance)
