"""The limits of an account, and the presets. Pure.

Names that end in `_pct` are percent: 10 is 10 %. None and () mean that a limit is off.
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Final, Literal, NamedTuple, Self

import orjson
from pydantic import JsonValue

from arena.errors import UsageError
from arena.money import decimal_text, to_units
from arena.risk_limit_values import checked_table

OnBreach = Literal["reject", "adjust"]
VarMethod = Literal["historical", "parametric"]
SETTINGS: Final = (
    "loss_streak_cooldown_s",
    "flatten_on_breach",
    "var_method",
    "var_level_pct",
    "var_window_hours",
    "on_breach",
)
"""Settings that say how a limit works, and are not limits."""
HUNDREDTHS: Final = 100
"""Percentages are compared in hundredths of a percent."""
REMEMBERED: Final = 1_024
"""Texts of limits whose parsed form is kept: one for each account of a shard, and more."""


class ScaledLimits(NamedTuple):
    """The limits as integers: percentages in hundredths of a percent; None for no limit."""

    symbol: int | None
    portfolio: int | None
    position_risk: int | None
    notional: int | None
    cash: int | None
    daily_loss: int | None
    drawdown: int | None
    value_at_risk: int | None
    price_jump: int | None


@dataclass(frozen=True)
class RiskLimits:
    """The limits of an account.

    Attributes:
        max_symbol_exposure_pct: Largest position in one product, open limit buys included, as a
            share of equity.
        max_portfolio_exposure_pct: All positions together, in the same way.
        max_position_risk_pct: Most that a position may lose if its stop fires, of equity.
        max_order_notional: Largest order, in the account's currency.
        min_cash_pct: Least cash after a buy, of equity.
        max_trades_per_day: Most buys in a UTC day.
        cooldown_after_loss_s: Seconds without buys after a sell at a loss.
        loss_streak_max: Sells at a loss in a row that stop buys for a while.
        loss_streak_cooldown_s: How long.
        max_daily_loss_pct: Largest loss since the start of the UTC day, of equity at that time;
            beyond it the account may only sell until the next day.
        max_drawdown_pct: Largest loss since the highest equity; beyond it the account may only sell
            until it is lifted.
        flatten_on_breach: Also sell all positions when one of these two is breached.
        max_var_pct: Largest value at risk of a day, of equity.
        var_method, var_level_pct, var_window_hours: How it is computed.
        max_price_jump_pct: Largest move of the price since the newest closed minute.
        require_stop: A buy must bring a stop-loss or a trailing stop.
        veto_products: Products that may not be bought.
        veto_actions: ("buy",) to allow sells only.
        on_breach: Reject an order that breaches a limit, or cut it to the largest that does not.
        preset: Preset that they started from; "" for none. It is not part of the limits.
    """

    max_symbol_exposure_pct: Decimal | None = None
    max_portfolio_exposure_pct: Decimal | None = None
    max_position_risk_pct: Decimal | None = None
    max_order_notional: Decimal | None = None
    min_cash_pct: Decimal | None = None
    max_trades_per_day: int | None = None
    cooldown_after_loss_s: int | None = None
    loss_streak_max: int | None = None
    loss_streak_cooldown_s: int | None = None
    max_daily_loss_pct: Decimal | None = None
    max_drawdown_pct: Decimal | None = None
    flatten_on_breach: bool = False
    max_var_pct: Decimal | None = None
    var_method: VarMethod = "historical"
    var_level_pct: Decimal = Decimal(95)
    var_window_hours: int = 72
    max_price_jump_pct: Decimal | None = None
    require_stop: bool = False
    veto_products: tuple[str, ...] = ()
    veto_actions: tuple[str, ...] = ()
    on_breach: OnBreach = "reject"
    preset: str = field(default="", compare=False)

    @classmethod
    def of_preset(cls, name: str) -> Self:
        """The limits of a preset.

        Raises:
            UsageError: The preset is unknown.
        """
        return cls.from_json({"preset": name})

    @classmethod
    def from_json(cls, values: Mapping[str, JsonValue], where: str = "limits") -> Self:
        """Limits by name, as in a file or message; the key "preset" names a preset to start from.

        Args:
            values: Limit -> value; "off" removes a limit of the preset.
            where: Their place, for errors.

        Raises:
            UsageError: A name is unknown, a value cannot be used, or two contradict each other.
        """
        return cls(**checked_table(values, PRESETS, where))

    @classmethod
    def from_text(cls, text: str) -> "RiskLimits":
        """Limits from `text`; the same object for the same text while it is remembered."""
        return _parsed(text)

    def as_json(self) -> dict[str, JsonValue]:
        """Limits by name that differ from the defaults, percentages as text; {} for none."""
        found: dict[str, JsonValue] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name != "preset" and one.default is not MISSING and value != one.default:
                found[one.name] = _json_value(value)
        return found

    @cached_property
    def text(self) -> str:
        """The limits as JSON with sorted keys; "" for none."""
        found = self.as_json()
        return orjson.dumps(found, option=orjson.OPT_SORT_KEYS).decode() if found else ""

    @cached_property
    def thresholds(self) -> Mapping[str, str]:
        """Limit -> its threshold as text, "" for a veto; without settings of how a limit works."""
        return {
            name: "" if isinstance(value, bool | list) else str(value)
            for name, value in self.as_json().items()
            if name not in SETTINGS
        }

    @cached_property
    def active(self) -> bool:
        """True if any limit is set."""
        return bool(self.thresholds)

    @cached_property
    def measures_losses(self) -> bool:
        """True if the equity of the day, or the highest equity, is needed."""
        return self.max_daily_loss_pct is not None or self.max_drawdown_pct is not None

    @cached_property
    def needs_candles(self) -> bool:
        """True if a limit is computed from closed candles."""
        return self.max_var_pct is not None or self.max_price_jump_pct is not None

    @cached_property
    def scaled(self) -> ScaledLimits:
        """The limits as integers."""
        return ScaledLimits(
            _hundredths(self.max_symbol_exposure_pct),
            _hundredths(self.max_portfolio_exposure_pct),
            _hundredths(self.max_position_risk_pct),
            None if self.max_order_notional is None else to_units(self.max_order_notional),
            _hundredths(self.min_cash_pct),
            _hundredths(self.max_daily_loss_pct),
            _hundredths(self.max_drawdown_pct),
            _hundredths(self.max_var_pct),
            _hundredths(self.max_price_jump_pct),
        )


PRESETS: Final[Mapping[str, Mapping[str, JsonValue]]] = {
    "off": {},
    "cautious": {
        "max_symbol_exposure_pct": 10,
        "max_portfolio_exposure_pct": 80,
        "max_position_risk_pct": 1,
        "max_trades_per_day": 50,
        "loss_streak_max": 3,
        "loss_streak_cooldown_s": 3_600,
        "max_daily_loss_pct": 3,
        "max_drawdown_pct": 10,
        "max_var_pct": 5,
        "max_price_jump_pct": 5,
        "on_breach": "adjust",
    },
    "standard": {
        "max_symbol_exposure_pct": 50,
        "max_portfolio_exposure_pct": 98,
        "max_position_risk_pct": 5,
        "max_trades_per_day": 1_000,
        "loss_streak_max": 10,
        "loss_streak_cooldown_s": 300,
        "max_daily_loss_pct": 10,
        "max_drawdown_pct": 25,
        "on_breach": "adjust",
    },
    "aggressive": {
        "max_symbol_exposure_pct": 90,
        "max_position_risk_pct": 20,
        "max_daily_loss_pct": 25,
        "max_drawdown_pct": 50,
        "on_breach": "adjust",
    },
}
"""Preset -> its limits, strictest first after "off"; why these values: `docs/risk.md`."""

OFF: Final = RiskLimits()


@lru_cache(maxsize=REMEMBERED)
def _parsed(text: str) -> RiskLimits:
    if not text:
        return OFF
    values = orjson.loads(text)
    if not isinstance(values, dict):
        raise UsageError(f"limits were {text[:80]}", remedy="send an object of limits by name")
    return RiskLimits.from_json(values)


def _hundredths(pct: Decimal | None) -> int | None:
    return None if pct is None else int(pct * HUNDREDTHS)


def _json_value(value: object) -> JsonValue:
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, tuple):
        return list(value)
    assert isinstance(value, bool | int | str)
    return value
