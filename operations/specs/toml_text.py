"""Tables written as TOML. Pure."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")


# Any: any TOML value.
def to_toml(tables: Mapping[str, Any]) -> str:
    """Return tables of plain values, and arrays of such tables, as TOML."""
    plain = {name: value for name, value in tables.items() if not _is_table(value)}
    parts = ["".join(f"{_key(key)} = {_value(value)}\n" for key, value in plain.items())]
    for name, table in tables.items():
        if name in plain:
            continue
        many = table if isinstance(table, list) else [table]
        head = f"[[{_key(name)}]]" if isinstance(table, list) else f"[{_key(name)}]"
        for each in many:
            lines = [head, *(f"{_key(key)} = {_value(value)}" for key, value in each.items())]
            parts.append("\n".join(lines) + "\n")
    return "\n".join(part for part in parts if part)


def _is_table(value: object) -> bool:
    """True for a table, or an array of tables."""
    tables = value if isinstance(value, list) and value else [value]
    return all(isinstance(one, dict) for one in tables)


def _key(name: str) -> str:
    """A key, in quotes if it needs them."""
    return name if BARE_KEY.fullmatch(name) else _text(name)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: object) -> str:
    match value:
        case str():
            return _text(value)
        case bool():
            return str(value).lower()
        case list():
            return "[" + ", ".join(_value(each) for each in value) + "]"
        case dict():
            pairs = (f"{_key(key)} = {_value(each)}" for key, each in value.items())
            return "{ " + ", ".join(pairs) + " }"
        case datetime():
            return value.isoformat()
        case Decimal() if not value.is_finite():
            return str(float(value))
        case _:
            return str(value)
