"""Values that flags set in a specification: `--set risk.max_symbol_exposure_pct=5`. Pure.

A key is a path of names, and of numbers from 0 for arrays of tables, separated by dots. A value is
written as in TOML; text needs no quotes.
"""

import tomllib
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from itertools import product
from typing import Any, Final

from arena.errors import UsageError
from arena.toml_files import EXPONENT_MAX, parse_toml
from operations.specs.errors import VALUE_CHARS_MAX
from operations.specs.toml_text import to_toml

Values = dict[str, Any]
"""Key -> value; Any: any TOML value."""
POINTS_MAX: Final = 64
"""Most points of a grid."""
SEED: Final = "market.seed"
"""The key whose values are markets, not settings."""
FORM: Final = "write --set TABLE.KEY=VALUE, such as risk.max_symbol_exposure_pct=10"


def parse_set(text: str) -> tuple[str, list[Any]]:
    """The key and the values of one `--set`; commas separate values.

    Raises:
        UsageError: It has no key or no value, a value twice, or a number out of bounds.
    """
    key, equals, rest = text.partition("=")
    names = key.strip().split(".")
    values = [one.strip() for one in _split(rest)]
    if not equals or len(names) < 2 or not all(names) or not all(values):
        raise UsageError(f"--set {text!r} sets nothing", remedy=FORM)
    if twice := next((one for one in values if values.count(one) > 1), None):
        raise UsageError(f"--set {key.strip()} has {twice} twice", remedy="give each value once")
    name = ".".join(names)
    return name, [_value(name, one) for one in values]


def grid_of(sets: Sequence[str]) -> list[Values]:
    """Every combination of the values, in the order of the flags.

    Raises:
        UsageError: A flag is malformed, a key comes twice, or there are too many points.
    """
    parsed = [parse_set(one) for one in sets]
    keys = [key for key, _ in parsed]
    if twice := next((key for key in keys if keys.count(key) > 1), None):
        raise UsageError(f"--set {twice} is given twice", remedy="give its values in one flag")
    count = 1
    for _, values in parsed:
        count *= len(values)
    if count > POINTS_MAX:
        raise UsageError(
            f"the grid has {count:,} points; at most {POINTS_MAX}", remedy="set fewer values"
        )
    return [dict(zip(keys, one, strict=True)) for one in product(*(v for _, v in parsed))]


def episodes_of(grid: Sequence[Values]) -> tuple[list[int], int]:
    """The points that differ only in the seed of the market, and how many seeds there are.

    Returns:
        Number of a point -> that of the first point with its other values; and the seeds.
    """
    others = [without_seed(values) for values in grid]
    return [others.index(one) for one in others], len({repr(v.get(SEED)) for v in grid})


def without_seed(values: Values) -> Values:
    """The values but for the seed of the market."""
    return {key: value for key, value in values.items() if key != SEED}


def single_values(sets: Sequence[str]) -> Values:
    """The values of flags that set one value each.

    Raises:
        UsageError: A flag has several values.
    """
    found = grid_of(sets)
    if len(found) != 1:
        raise UsageError(
            "--set has several values, and one contest has one",
            remedy="`arena backtest sweep` runs a grid of values",
        )
    return found[0]


def with_values(text: str, values: Mapping[str, Any]) -> str:
    """A specification with these values; without any, the text itself.

    Args:
        text: Valid TOML.
        values: Key -> value.

    Raises:
        UsageError: A key leads through something that is not a table.
    """
    if not values:
        return text
    tables = parse_toml(text, "the specification", parse_float=Decimal)
    for key, value in values.items():
        _put(tables, key, value)
    return to_toml(tables)


def label_of(values: Mapping[str, Any]) -> str:
    """The values in one line, with the last name of each key: "max_symbol_exposure_pct=5"."""
    return " ".join(f"{key.rpartition('.')[2]}={_text(value)}" for key, value in values.items())


def _put(tables: Values, key: str, value: object) -> None:
    *path, last = key.split(".")
    place: Any = tables  # Any: a TOML tree
    for name in path:
        if isinstance(place, list):
            place = place[int(name)] if name.isdecimal() and int(name) < len(place) else None
        else:
            place = place.setdefault(name, {})
        if not isinstance(place, dict | list):
            raise UsageError(f"--set {key}: the file has no table {name!r} there", remedy=FORM)
    if not isinstance(place, dict):
        raise UsageError(
            f"--set {key}: it is in an array of tables", remedy="name one: agents.0.every=5m"
        )
    place[last] = value


def _split(text: str) -> list[str]:
    """Split at commas that are not inside brackets or quotes."""
    parts, depth, quoted = [""], 0, False
    for letter in text:
        quoted ^= letter == '"'
        depth += (letter in "[{") - (letter in "]}")
        if letter == "," and not depth and not quoted:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _value(key: str, text: str) -> object:
    """A value as in TOML, or the text.

    Raises:
        UsageError: It has a number that no key takes.
    """
    try:
        found: object = tomllib.loads(f"value = {text}", parse_float=_number)["value"]
    except tomllib.TOMLDecodeError:
        return text
    except ValueError as error:
        raise UsageError(
            f"--set {key}={text[:VALUE_CHARS_MAX]}: {error}",
            remedy="give a number that the key takes",
        ) from None
    return found


def _number(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError("its exponent is too large") from None
    if not value.is_finite():
        raise ValueError("it is not a finite number")
    if value and abs(value.adjusted()) > EXPONENT_MAX:
        raise ValueError(f"its exponent is above {EXPONENT_MAX:,}")
    return value


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
