"""The catalogue of technical metrics: names, formulas, parameters, and how they are built. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from arena.indicators.averages import Ema, Sma
from arena.indicators.bars import Indicator
from arena.indicators.directional import Adx
from arena.indicators.momentum import Macd, Return, Rsi
from arena.indicators.ranges import Atr, Bollinger, High, Low, Volatility
from arena.indicators.volume import VolumeRatio

LENGTH_MAX: Final = 500
"""Most bars of a parameter."""
Parameters = tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a metric; it is a whole number, except for `deviations`."""

    name: str
    default: Decimal
    least: Decimal
    most: Decimal
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Metric:
    """One technical metric.

    Attributes:
        name: Such as "rsi".
        summary: What it measures, with the formula, in one sentence.
        parameters: In the order in which a value's name has them.
        outputs: Names of the values, without parameters.
        warm: Parameters -> bars until every output has a value.
        make: Parameters -> a new indicator.
        fades: Times the bars until warm after which older bars change no value by more than about
            1e-9 of their own effect; 0 if the bars until warm are all that count.
    """

    name: str
    summary: str
    parameters: tuple[Parameter, ...]
    outputs: tuple[str, ...]
    warm: Callable[[Parameters], int]
    make: Callable[[Parameters], Indicator]
    fades: int = 0


_EMA_FADES: Final = 11
"""An EMA of n bars forgets by (n - 1) / (n + 1) per bar: to 1e-9 in 10.4 n."""
_WILDER_FADES: Final = 21
"""Wilder's average of n bars forgets by (n - 1) / n per bar: to 1e-9 in 20.8 n."""


def _bars(default: int, least: int = 2, name: str = "length") -> Parameter:
    return Parameter(name, Decimal(default), Decimal(least), Decimal(LENGTH_MAX))


def _of_length(
    name: str,
    summary: str,
    default: int,
    kind: Callable[[int], Indicator],
    *,
    before: int = 0,
    least: int = 2,
    fades: int = 0,
) -> Metric:
    """A metric with a length as its only parameter; `before` bars are needed before the length."""
    return Metric(
        name=name,
        summary=summary,
        parameters=(_bars(default, least),),
        outputs=(name,),
        warm=lambda p: int(p[0]) + before,
        make=lambda p: kind(int(p[0])),
        fades=fades,
    )


_DEVIATIONS = Parameter("deviations", Decimal(2), Decimal("0.1"), Decimal(10), whole=False)

_METRICS: Final = (
    _of_length("sma", "simple moving average: mean of the last n closes", 20, Sma),
    _of_length(
        "ema",
        "exponential moving average: previous + (close - previous) * 2 / (n + 1), "
        "seeded with the mean of the first n closes",
        20,
        Ema,
        fades=_EMA_FADES,
    ),
    _of_length(
        "rsi",
        "relative strength index (Wilder), 0 to 100: 100 * average rise / (average rise + average "
        "fall); 0 while no close has changed",
        14,
        Rsi,
        before=1,
        fades=_WILDER_FADES,
    ),
    Metric(
        name="macd",
        summary="MACD line: EMA(fast) - EMA(slow) of closes; signal: EMA of the line; histogram: "
        "line - signal",
        parameters=(_bars(12, name="fast"), _bars(26, name="slow"), _bars(9, name="signal")),
        outputs=("macd", "macd_signal", "macd_histogram"),
        warm=lambda p: int(p[1] + p[2]) - 1,
        make=lambda p: Macd(int(p[0]), int(p[1]), int(p[2])),
        fades=_EMA_FADES,
    ),
    _of_length(
        "atr",
        "average true range (Wilder), in quote units: average of max(high, close before) - "
        "min(low, close before)",
        14,
        Atr,
        before=1,
        fades=_WILDER_FADES,
    ),
    Metric(
        name="bollinger",
        summary="Bollinger bands: mean of the last n closes, plus and minus k population standard "
        "deviations",
        parameters=(_bars(20), _DEVIATIONS),
        outputs=("bollinger_upper", "bollinger_middle", "bollinger_lower"),
        warm=lambda p: int(p[0]),
        make=lambda p: Bollinger(int(p[0]), float(p[1])),
    ),
    Metric(
        name="adx",
        summary="average directional index (Wilder), 0 to 100: average of 100 * |+DI - -DI| / "
        "(+DI + -DI), with +DI and -DI",
        parameters=(_bars(14),),
        outputs=("adx", "plus_di", "minus_di"),
        warm=lambda p: 2 * int(p[0]),
        make=lambda p: Adx(int(p[0])),
        fades=_WILDER_FADES,
    ),
    _of_length("high", "highest high of the last n bars", 20, High),
    _of_length("low", "lowest low of the last n bars", 20, Low),
    _of_length(
        "volatility",
        "realised volatility: sample standard deviation of the last n log returns ln(close / close "
        "before), per bar, not annualised",
        20,
        Volatility,
        before=1,
    ),
    _of_length(
        "volume_ratio",
        "volume of the newest bar / mean volume of the n bars before it; none while those have no "
        "volume",
        20,
        VolumeRatio,
        before=1,
        least=1,
    ),
    _of_length(
        "return",
        "return over n bars: close / close n bars before - 1, a fraction",
        4,
        Return,
        before=1,
        least=1,
    ),
)

CATALOGUE: Final[Mapping[str, Metric]] = {metric.name: metric for metric in _METRICS}
"""Name -> metric."""
METRIC_OF_OUTPUT: Final[Mapping[str, str]] = {
    output: metric.name for metric in _METRICS for output in metric.outputs
}
"""Name of an output, such as "plus_di" -> name of the metric that has it."""
