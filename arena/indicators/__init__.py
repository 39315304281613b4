"""Technical indicators: streaming, a fold of closed minute candles, equal to TA-Lib. Pure.

`parse_feature_set` reads which indicators a snapshot has, `ProductIndicators` computes them for one
product, and `CATALOGUE` lists what exists.
"""

from arena.indicators.bars import Bar, Indicator
from arena.indicators.catalogue import CATALOGUE, Metric, Parameter
from arena.indicators.feature_sets import (
    MINUTES_MAX,
    NO_FEATURES,
    NONE,
    PRESETS,
    STANDARD,
    FeatureSet,
    parse_feature_set,
)
from arena.indicators.product_indicators import (
    CORRECTED_MINUTES,
    MinuteCandle,
    ProductIndicators,
    bar_of,
)
from arena.indicators.specs import IndicatorSpec, parse_spec, spec_of

__all__ = [
    "CATALOGUE",
    "CORRECTED_MINUTES",
    "MINUTES_MAX",
    "NONE",
    "NO_FEATURES",
    "PRESETS",
    "STANDARD",
    "Bar",
    "FeatureSet",
    "Indicator",
    "IndicatorSpec",
    "Metric",
    "MinuteCandle",
    "Parameter",
    "ProductIndicators",
    "bar_of",
    "parse_feature_set",
    "parse_spec",
    "spec_of",
]
