"""JSON values of any shape, as a parser returns them. Pure."""

from typing import Any

import orjson

Json = object
"""Any value that a JSON parser returns."""


def parse_object(text: str) -> dict[str, Any] | None:
    """The object in a JSON text; None if it is not JSON, or not an object. Any: any JSON value."""
    try:
        value = orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return None
    return value if isinstance(value, dict) else None
