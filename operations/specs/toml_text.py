"""Tables written as TOML. Pure."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any


# Any: any TOML value.
def to_toml(tables: Mapping[str, Any]) -> str:
    """Return tables of plain values, and arrays of such tables, as TOML."""
    plain = {name: value for name, value in tables.items() if not _is_table(value)}
    parts = ["".join(f"{key} = {_value(value)}\n" for key, value in plain.items())]
    for name, table in tables.items():
        if name in plain:
            continue
        many = table if isinstance(table, list) else [table]
        head = f"[[{name}]]" if isinstance(table, list) else f"[{name}]"
        for each in many:
            lines = [head, *(f"{key} = {_value(value)}" for key, value in each.items())]
            parts.append("\n".join(lines) + "\n")
    return "\n".join(part for part in parts if part)


def _is_table(value: object) -> bool:
    """True for a table, or an array of tables."""
    tables = value if isinstance(value, list) and value else [value]
    return all(isinstance(one, dict) for one in tables)


def _value(value: object) -> str:
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False)
        case bool():
            return str(value).lower()
        case list():
            return "[" + ", ".join(_value(each) for each in value) + "]"
        case dict():
            pairs = (f"{json.dumps(key)} = {_value(each)}" for key, each in value.items())
            return "{ " + ", ".join(pairs) + " }"
        case datetime():
            return value.isoformat()
        case _:
            return str(value)
