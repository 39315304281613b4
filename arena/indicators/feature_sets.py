"""Feature sets: which indicators a snapshot has, as texts such as `standard,rsi_7@1m`. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from arena.errors import UsageError
from arena.granularities import (
    GRANULARITIES,
    WINDOWS,
    find_granularity,
    granularity_of,
    three_windows,
)
from arena.indicators.bars import MINUTE_S
from arena.indicators.catalogue import CATALOGUE
from arena.indicators.specs import IndicatorSpec, parse_spec
from arena.unknown_names import closest_first, listed

MINUTES_MAX: Final = 3 * 24 * 60
"""Most minutes of candles, or longer bars of the market, that a set may need until it is warm."""
INDICATORS_MAX: Final = 100
"""Most indicators of a set, over all granularities."""
VALUES_MAX: Final = 150
"""Most values of a set: so a snapshot of 60 products with full context stays below 1 MB."""
STANDARD: Final = "standard"
NONE: Final = "none"

_MOST = "sma_20 ema_20 rsi_14 atr_14 bollinger_20_2 high_20 low_20 return_4"
_MORE = "macd_12_26_9 adx_14 volatility_20 volume_ratio_20"

PRESETS: Final[Mapping[str, tuple[str, str, str]]] = {
    STANDARD: (f"{_MOST} {_MORE}", f"{_MOST} {_MORE}", _MOST),
    "momentum": (
        "ema_20 volume_ratio_20 return_10",
        "ema_20 ema_50 macd_12_26_9 adx_14 atr_14 high_20 low_20 volume_ratio_20",
        "ema_20 rsi_14 atr_14 high_20 low_20 return_4",
    ),
    "scalper": (
        "ema_9 rsi_7 bollinger_20_2 atr_14 high_10 low_10 volatility_20 volume_ratio_20",
        "ema_20 rsi_14 atr_14",
        "bollinger_20_2",
    ),
    "brainrot": (
        "return_15 volume_ratio_20",
        "return_12 volume_ratio_20 volatility_20 high_20",
        "return_4 high_20",
    ),
    NONE: ("", "", ""),
}
"""Name -> indicators of the short, the middle and the long candles of a market (`three_windows`):
1m, 5m and 15m with minutes. With fewer windows, one has the indicators of two or of all."""


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """The indicators of a snapshot.

    Attributes:
        specs: Granularity -> its indicators, in the order in which a snapshot has them; without
            granularities that have none.
        items: The items of its text; a market of longer bars may need others of them.
    """

    specs: Mapping[str, tuple[IndicatorSpec, ...]]
    items: tuple[str, ...] = field(default=(), compare=False, repr=False)

    def for_bars(self, bar_s: int) -> "FeatureSet":
        """The set in a market of bars of a length in seconds.

        Raises:
            UsageError: It names a granularity that is shorter than the bars, or is too large.
        """
        return self if not self.items else _set_of(self.items, bar_s)

    @property
    def text(self) -> str:
        """Every indicator with its granularity; equal for equal sets, and it can be parsed."""
        items = [f"{one.text}@{name}" for name, specs in self.specs.items() for one in specs]
        return ",".join(items) or NONE

    @property
    def minutes(self) -> int:
        """Minutes until every indicator is warm, from a whole bar on; 0 for the empty set."""
        needs = (
            one.bars * GRANULARITIES[name] // MINUTE_S
            for name, specs in self.specs.items()
            for one in specs
        )
        return max(needs, default=0)

    @property
    def minutes_at_any_time(self) -> int:
        """Minutes with which every indicator is warm wherever they begin and end.

        The first bar of a granularity may have begun before them: it needs one more bar, less a
        minute.
        """
        needs = (
            (one.bars + 1) * GRANULARITIES[name] // MINUTE_S - 1
            for name, specs in self.specs.items()
            for one in specs
        )
        return max(needs, default=0)

    @property
    def minutes_that_count(self) -> int:
        """Minutes after which older ones change no value by more than about 1e-9 of their effect.

        EMAs and Wilder's averages never quite forget; the other indicators do when they are warm.
        """
        needs = (
            (one.bars_that_count + 1) * GRANULARITIES[name] // MINUTE_S
            for name, specs in self.specs.items()
            for one in specs
        )
        return max(needs, default=0)


NO_FEATURES: Final = FeatureSet({})
"""The empty set."""


def parse_feature_set(text: str, bar_s: int | None = MINUTE_S) -> FeatureSet:
    """The set of a text: presets and indicators, separated by commas; repetitions count once.

    Args:
        text: Such as "standard,rsi_7@1m"; an indicator without a granularity is for those of the
            candle windows: 1m, 5m and 15m in a market of minutes.
        bar_s: Length of the market's bars in seconds; None if it is not known yet: then the set is
            that of minutes, of any length, and `for_bars` follows.

    Raises:
        UsageError: An item is unknown, or the set is too large.
    """
    items = [item.strip().lower() for item in text.split(",")]
    items = [item for item in items if item]
    if not items:
        raise UsageError(
            "the feature set is empty", remedy=f"write {NONE!r}, or presets: {listed(PRESETS)}"
        )
    return _set_of(items, MINUTE_S if bar_s is None else bar_s, any_length=bar_s is None)


def _set_of(items: Sequence[str], bar_s: int, *, any_length: bool = False) -> FeatureSet:
    found: dict[str, dict[IndicatorSpec, None]] = {name: {} for name in GRANULARITIES}
    for item in items:
        for granularity, spec in _item(item, bar_s):
            found[granularity][spec] = None
    specs = {name: tuple(specs) for name, specs in found.items() if specs}
    chosen = FeatureSet(specs, tuple(items))
    _check_size(chosen)
    if not any_length:
        _check_length(chosen, bar_s)
    return chosen


def _item(item: str, bar_s: int) -> list[tuple[str, IndicatorSpec]]:
    """The indicators of one item with their granularities, in a market of such bars."""
    name, at, granularity = item.partition("@")
    if name in PRESETS:
        if at:
            raise UsageError(
                f"the preset {name!r} has granularities of its own, got {item!r}",
                remedy=f"write {name!r}",
            )
        named = zip(three_windows(granularity_of(bar_s)), PRESETS[name], strict=True)
        return [(key, parse_spec(one)) for key, text in named for one in text.split()]
    spec, base = _spec(name), granularity_of(bar_s)
    if not at:
        return [(key, spec) for key, _ in WINDOWS[base]]
    if find_granularity(granularity) < bar_s:
        raise UsageError(
            f"{item} needs bars of {granularity}, the market has bars of {base}",
            remedy=f"ask for {spec.text}@{base} or a longer granularity, or take shorter bars",
        )
    return [(granularity, spec)]


def _spec(name: str) -> IndicatorSpec:
    """An indicator; the error for an unknown word names the presets, too."""
    if name.replace("_", "").isalpha() and name not in CATALOGUE:
        close = closest_first(name, [*PRESETS, *CATALOGUE])
        if close[0] in PRESETS:
            raise UsageError(
                f"unknown preset {name[:80]!r}",
                remedy=f"the presets are {listed(closest_first(name, PRESETS))}; an indicator is "
                f"written as rsi_14 or rsi_14@5m",
            )
    return parse_spec(name)


def _check_size(chosen: FeatureSet) -> None:
    count = sum(len(specs) for specs in chosen.specs.values())
    if count > INDICATORS_MAX:
        raise UsageError(
            f"the feature set has {count} indicators",
            remedy=f"use at most {INDICATORS_MAX}, counted for each granularity",
        )
    values = sum(len(one.names) for specs in chosen.specs.values() for one in specs)
    if values > VALUES_MAX:
        raise UsageError(
            f"the feature set has {values} values",
            remedy=f"use at most {VALUES_MAX}; macd, bollinger and adx have three each",
        )


def _check_length(chosen: FeatureSet, bar_s: int) -> None:
    unit = "minutes of candles" if bar_s == MINUTE_S else f"bars of {granularity_of(bar_s)}"
    most = f"{MINUTES_MAX} minutes (3 days)" if bar_s == MINUTE_S else f"{MINUTES_MAX} {unit}"
    for name, specs in chosen.specs.items():
        for one in specs:
            count = one.bars * GRANULARITIES[name] // bar_s
            if count > MINUTES_MAX:
                raise UsageError(
                    f"{one.text}@{name} needs {one.bars} bars of {name}: {count} {unit}",
                    remedy=f"use a shorter length or granularity; the most are {most}",
                )
