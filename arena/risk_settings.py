"""Settings of limits as they travel: in an ARENA.toml, in flags, on a command line. Pure.

A setting is the name of a preset, or limits by name. An agent's setting adds its limits to those of
the arena, unless it names a preset of its own.
"""

import json
from collections.abc import Mapping
from decimal import Decimal

from pydantic import JsonValue

from arena.errors import UsageError
from arena.money import decimal_text
from arena.risk_limit_values import PRESET_KEY

RiskValues = dict[str, JsonValue]
"""Limits by name, and the preset that they are added to."""


def risk_values(setting: object) -> RiskValues:
    """The limits by name of a setting: the name of a preset, or a table.

    Raises:
        UsageError: It is something else.
    """
    if isinstance(setting, str):
        return {PRESET_KEY: setting}
    if isinstance(setting, Mapping):
        return {str(name): _json_value(value) for name, value in setting.items()}
    raise UsageError(
        f"risk was {str(setting)[:80]}",
        remedy='name a preset, risk = "standard", or give limits: { max_symbol_exposure_pct = 25 }',
    )


def merged_values(arena: Mapping[str, JsonValue], own: Mapping[str, JsonValue]) -> RiskValues:
    """An agent's limits by name: added to the arena's, or to its own preset's."""
    return dict(own) if PRESET_KEY in own else {**arena, **own}


def setting_text(values: Mapping[str, JsonValue]) -> str:
    """A setting as the value of `--risk`: the name of a preset, or JSON."""
    if values.keys() <= {PRESET_KEY}:
        return str(values.get(PRESET_KEY, "off"))
    return json.dumps(values, separators=(",", ":"))


def setting_values(text: str, where: str) -> RiskValues:
    """The limits by name of a text: the name of a preset, or JSON.

    Raises:
        UsageError: It is neither.
    """
    if not text.lstrip().startswith("{"):
        return {PRESET_KEY: text.strip()}
    try:
        found = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UsageError(
            f"{where} is not JSON: {text[:80]!r}",
            remedy='write an object such as {"preset": "standard", "max_daily_loss_pct": 5}',
        )
    return risk_values(found)


def _json_value(value: object) -> JsonValue:
    if isinstance(value, Decimal):
        return decimal_text(value) if value.is_finite() else str(value)
    if isinstance(value, list | tuple):
        return [_json_value(one) for one in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
