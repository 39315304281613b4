"""Reads limits by name, as people and files write them. Pure.

Percentages are numbers or text ("25", 25, 12.5). One name of older settings is a share and is
converted: `MAX_POSITION_SIZE_PCT`.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from pydantic import JsonValue

from arena.environment import POSITION_SHARE
from arena.errors import UsageError
from arena.money import decimal_text, parse_decimal
from arena.unknown_names import closest_first, listed

OFF_WORD: Final = "off"
PRESET_KEY: Final = "preset"
SHARE_NAME: Final = POSITION_SHARE
SHARE_IS: Final = "max_symbol_exposure_pct"
COUNT_MAX: Final = 1_000_000
SECONDS_MAX: Final = 30 * 86_400
WINDOW_HOURS_MIN: Final = 24
WINDOW_HOURS_MAX: Final = 72
"""Minutes of three days are kept (`trading_tools.candle_store`)."""
NOTIONAL_DECIMALS: Final = 8
PCT_DECIMALS: Final = 2
NAMES_MAX: Final = 100
STREAK: Final = ("loss_streak_max", "loss_streak_cooldown_s")

Presets = Mapping[str, Mapping[str, JsonValue]]
# Any: the arguments of `RiskLimits`, each with its own type.
Arguments = dict[str, Any]


class LimitFault(UsageError):
    """A limit cannot be used.

    Attributes:
        name: The limit.
        what: What is wrong, without the remedy.
    """

    def __init__(self, name: str, message: str, *, remedy: str) -> None:
        """Take the limit, the message and the remedy."""
        super().__init__(message, remedy=remedy)
        self.name = name
        self.what = message


def checked_table(values: Mapping[str, JsonValue], presets: Presets, where: str = "") -> Arguments:
    """The arguments of `RiskLimits` for limits by name.

    Args:
        values: Limit -> value; "off" removes a limit of the preset.
        presets: The known presets.
        where: Place of the values, with which errors begin; "" for none.

    Raises:
        LimitFault: A name is unknown, a value cannot be used, or two contradict each other.
    """
    try:
        return _checked(values, presets)
    except LimitFault as fault:
        what = f"{where}: {fault.what}" if where else fault.what
        raise LimitFault(fault.name, what, remedy=fault.remedy) from None


def _checked(values: Mapping[str, JsonValue], presets: Presets) -> Arguments:
    preset = _preset(values[PRESET_KEY], presets) if PRESET_KEY in values else ""
    given = dict(presets.get(preset, {}))
    given.update((name, value) for name, value in values.items() if name != PRESET_KEY)
    if SHARE_NAME in given:
        _take_share(given, values)
    found: Arguments = {PRESET_KEY: preset}
    for name, value in given.items():
        read = _READERS.get(name)
        if read is None:
            names = listed(closest_first(name[:80], [*_READERS, PRESET_KEY]))
            raise LimitFault(name, f"unknown limit {name[:80]!r}", remedy=f"the limits are {names}")
        if value != OFF_WORD and value is not None:
            found[name] = read(name, value)
    if any(values.get(name) == OFF_WORD for name in STREAK):
        for name in STREAK:  # The preset's other one means nothing alone.
            if name not in values:
                found.pop(name, None)
    _check_pairs(found)
    return found


def share_note(values: Mapping[str, JsonValue]) -> str:
    """The line that tells how a share was converted; "" without one."""
    if SHARE_NAME not in values:
        return ""
    pct = decimal_text(_share(values[SHARE_NAME]))
    given = values[SHARE_NAME]
    return f"{SHARE_NAME} = {given} is a share of equity: taken as {SHARE_IS} = {pct} (percent)"


def limit_names() -> tuple[str, ...]:
    """The names of all limits and their settings."""
    return tuple(_READERS)


def _preset(value: JsonValue, presets: Presets) -> str:
    if not isinstance(value, str) or value not in presets:
        names = listed(closest_first(str(value)[:80], presets))
        raise LimitFault(
            PRESET_KEY, f"unknown preset {str(value)[:80]!r}", remedy=f"the presets are {names}"
        )
    return value


def _take_share(given: Arguments, values: Mapping[str, JsonValue]) -> None:
    pct = _share(given.pop(SHARE_NAME))
    other = values.get(SHARE_IS)
    if other is not None and (other == OFF_WORD or _percent(SHARE_IS, other) != pct):
        raise LimitFault(
            SHARE_NAME,
            f"{SHARE_NAME} is for {decimal_text(pct)} %, and {SHARE_IS} = {other}",
            remedy=f"keep {SHARE_IS} only",
        )
    given[SHARE_IS] = decimal_text(pct)


def _share(value: JsonValue) -> Decimal:
    number = _number(SHARE_NAME, value, "give a share above 0, up to 1: 0.10 is 10 %")
    if not 0 < number <= 1:
        raise LimitFault(
            SHARE_NAME,
            f"{SHARE_NAME} = {value} is not a share",
            remedy=f"give a share above 0, up to 1: 0.10 is 10 %; or {SHARE_IS} = 10",
        )
    pct = (number * 100).normalize()
    return _percent(SHARE_IS, decimal_text(pct))


def _number(name: str, value: JsonValue, remedy: str) -> Decimal:
    if not isinstance(value, bool) and isinstance(value, int | float | str | Decimal):
        try:
            return parse_decimal(str(value).strip())
        except ValueError:
            pass
    raise LimitFault(name, f"{name} = {str(value)[:80]!r} is not a number", remedy=remedy)


def _percent(name: str, value: JsonValue) -> Decimal:
    remedy = f'give a percentage above 0, up to 100, such as {name} = 10; "off" removes the limit'
    number = _number(name, value, remedy)
    if not 0 < number <= 100:
        raise LimitFault(name, f"{name} = {value}", remedy=remedy)
    if number != round(number, PCT_DECIMALS):
        raise LimitFault(
            name,
            f"{name} = {value} has more than {PCT_DECIMALS} decimals",
            remedy=f"round it; percentages are percent, so 10 is 10 % and {value} is {value} %",
        )
    return number


def _level(name: str, value: JsonValue) -> Decimal:
    number = _percent(name, value)
    if not 50 < number < 100:
        raise LimitFault(name, f"{name} = {value}", remedy="give one from 50.01 to 99.99: 95")
    return number


def _notional(name: str, value: JsonValue) -> Decimal:
    remedy = 'give an amount above 0 in the account\'s currency, such as 5000; "off" removes it'
    number = _number(name, value, remedy)
    if number <= 0 or number != round(number, NOTIONAL_DECIMALS):
        raise LimitFault(name, f"{name} = {value}", remedy=remedy)
    return number


def _whole(least: int, most: int, unit: str) -> Callable[[str, JsonValue], int]:
    def read(name: str, value: JsonValue) -> int:
        remedy = f'give whole {unit} from {least} to {most}; "off" removes the limit'
        number = _number(name, value, remedy)
        if number != int(number) or not least <= number <= most:
            raise LimitFault(name, f"{name} = {value}", remedy=remedy)
        return int(number)

    return read


def _flag(name: str, value: JsonValue) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    raise LimitFault(name, f"{name} = {str(value)[:80]!r}", remedy="write true or false")


def _one_of(*words: str) -> Callable[[str, JsonValue], str]:
    def read(name: str, value: JsonValue) -> str:
        if isinstance(value, str) and value in words:
            return value
        raise LimitFault(
            name, f"{name} = {str(value)[:80]!r}", remedy=f"write {' or '.join(words)}"
        )

    return read


def _names(name: str, value: JsonValue) -> tuple[str, ...]:
    given = value.split(",") if isinstance(value, str) else value
    if isinstance(given, list | tuple) and len(given) <= NAMES_MAX:
        found = tuple(str(one).strip() for one in given)
        if all(found) and all(isinstance(one, str) for one in given):
            return tuple(dict.fromkeys(found))
    raise LimitFault(
        name,
        f"{name} = {str(value)[:80]!r}",
        remedy=f'write at most {NAMES_MAX} names, such as ["DOGE-USD"]',
    )


def _actions(name: str, value: JsonValue) -> tuple[str, ...]:
    found = _names(name, value)
    if found in {("buy",), ()}:
        return found
    raise LimitFault(
        name,
        f"{name} = {', '.join(found)[:80]}",
        remedy='the only value is ["buy"]: sells reduce risk, so no limit ever blocks them',
    )


_READERS: Final[dict[str, Callable[[str, JsonValue], Any]]] = {
    "max_symbol_exposure_pct": _percent,
    "max_portfolio_exposure_pct": _percent,
    "max_position_risk_pct": _percent,
    "max_order_notional": _notional,
    "min_cash_pct": _percent,
    "max_trades_per_day": _whole(1, COUNT_MAX, "trades"),
    "cooldown_after_loss_s": _whole(1, SECONDS_MAX, "seconds"),
    "loss_streak_max": _whole(1, COUNT_MAX, "sells"),
    "loss_streak_cooldown_s": _whole(1, SECONDS_MAX, "seconds"),
    "max_daily_loss_pct": _percent,
    "max_drawdown_pct": _percent,
    "flatten_on_breach": _flag,
    "max_var_pct": _percent,
    "var_method": _one_of("historical", "parametric"),
    "var_level_pct": _level,
    "var_window_hours": _whole(WINDOW_HOURS_MIN, WINDOW_HOURS_MAX, "hours"),
    "max_price_jump_pct": _percent,
    "require_stop": _flag,
    "veto_products": _names,
    "veto_actions": _actions,
    "on_breach": _one_of("reject", "adjust"),
}


def _check_pairs(found: Arguments) -> None:
    """Refuse limits of which one can never apply because of another."""
    for inner, outer in (
        ("max_symbol_exposure_pct", "max_portfolio_exposure_pct"),
        ("max_daily_loss_pct", "max_drawdown_pct"),
    ):
        if inner in found and outer in found and found[inner] > found[outer]:
            raise LimitFault(
                inner,
                f"{inner} = {decimal_text(found[inner])} is above {outer} ="
                f" {decimal_text(found[outer])}, so it never applies",
                remedy=f"lower {inner}, or raise {outer}",
            )
    if (STREAK[0] in found) != (STREAK[1] in found):
        have, lacks = STREAK if STREAK[0] in found else STREAK[::-1]
        raise LimitFault(
            have,
            f"{have} = {found[have]} without {lacks}",
            remedy="set both: so many losses in a row stop buys for so many seconds",
        )
    losses = ("max_daily_loss_pct", "max_drawdown_pct")
    if found.get("flatten_on_breach") and not any(name in found for name in losses):
        raise LimitFault(
            "flatten_on_breach",
            "flatten_on_breach = true without a limit of loss",
            remedy="also set max_daily_loss_pct or max_drawdown_pct",
        )
    stray = [name for name in found if name.startswith("var_")]
    if stray and "max_var_pct" not in found:
        raise LimitFault(
            stray[0], f"{stray[0]} has no effect without max_var_pct", remedy="also set it"
        )
