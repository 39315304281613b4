"""The table [features] of an ARENA.toml: the indicators in the snapshots, and their flags. Pure."""

from typing import Self

from pydantic import Field, model_validator

from arena.errors import UsageError
from arena.indicators import MINUTES_MAX, PRESETS, STANDARD, FeatureSet, parse_feature_set
from arena.pricefiles.rows import MINUTE_S
from arena.pricefiles.span import EXCHANGE_HISTORY_S
from arena.unknown_names import closest_first, listed
from operations.specs.errors import SpecFault
from operations.specs.market import MarketTable
from operations.specs.tables import SpecTable

ITEMS_MAX = 100


class FeaturesTable(SpecTable):
    """The indicators in the snapshots, and the history before the first one.

    Attributes:
        preset: A set of indicators, which follows the length of the bars; "none" for none.
        indicators: Further ones, such as "rsi_7@1m"; without a granularity for those of
            the candle windows: 1m, 5m and 15m in a market of minutes.
        history_minutes: Least minutes of candles before the first snapshot; by default
            HISTORICAL_MINUTES, and always as many as windows and indicators need.
    """

    preset: str = STANDARD
    indicators: tuple[str, ...] = Field(default=(), max_length=ITEMS_MAX)
    history_minutes: int | None = Field(default=None, ge=1, le=MINUTES_MAX)

    @model_validator(mode="after")
    def _can_be_computed(self) -> Self:
        if self.preset not in PRESETS:
            names = listed(closest_first(self.preset, PRESETS))
            raise SpecFault(("preset",), f"unknown preset {self.preset!r}; the presets are {names}")
        _check(self, None, ())
        return self

    @property
    def text(self) -> str:
        """The set as the connector's flag has it."""
        return ",".join((self.preset, *self.indicators))

    @property
    def chosen(self) -> FeatureSet:
        """The set; `for_bars` gives that of a market."""
        return parse_feature_set(self.text, None)


def check_features(features: FeaturesTable, market: MarketTable) -> None:
    """Require that a market's candles can give the indicators, if their length is known.

    Raises:
        SpecFault: They cannot.
    """
    if (bar_s := market.bar_s) is not None:
        _check(features, bar_s, ("features",))


def _check(features: FeaturesTable, bar_s: int | None, table: tuple[str, ...]) -> None:
    """Parse every item and the whole set, which has bounds of its own."""
    for index, item in enumerate(features.indicators):
        try:
            parse_feature_set(item, bar_s)
        except UsageError as error:
            raise SpecFault((*table, "indicators", index), _sentence(error)) from None
    try:
        parse_feature_set(features.text, bar_s)
    except UsageError as error:
        raise SpecFault((*table, "indicators"), _sentence(error)) from None


def connector_flags(features: FeaturesTable) -> list[str]:
    """The flags of the connector, if the table differs from the default."""
    words = [] if features.text == STANDARD else ["--features", features.text]
    if features.history_minutes is not None:
        words += ["--historical-minutes", str(features.history_minutes)]
    return words


def exchange_flags(features: FeaturesTable, *, files: bool) -> list[str]:
    """The flags of the simulated exchange, if more minutes are needed than it has by default.

    Args:
        features: The table.
        files: True if the prices are in files, which are not shortened for a bar that is cut.
    """
    chosen = features.chosen.for_bars(MINUTE_S)
    needed = chosen.minutes if files else chosen.minutes_at_any_time
    minutes = max(features.history_minutes or 0, needed)
    if minutes * MINUTE_S <= EXCHANGE_HISTORY_S:
        return []
    return ["--historical-minutes", str(minutes)]


def _sentence(error: UsageError) -> str:
    return f"{error.args[0]}; {error.remedy}"
