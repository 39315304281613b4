"""Describes an error in an ARENA.toml in one line: file, line, key, value, remedy. Pure.

The TOML parser gives no positions, so the line of a key is searched in the text.
"""

import difflib
import re
from datetime import datetime
from decimal import Decimal
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

VALUE_CHARS_MAX = 60

Location = tuple[int | str, ...]


class SpecFault(ValueError):
    """A rule about several keys is broken.

    Attributes:
        location: The key it is about, relative to the checked table.
    """

    def __init__(self, location: Location, text: str) -> None:
        """Create the error from a location and a sentence."""
        super().__init__(text)
        self.location = location


def error_text(error: ValidationError, model: type[BaseModel], text: str, path: str) -> str:
    """Describe the first error of a validation.

    Args:
        error: The error from pydantic.
        model: The model of the whole file.
        text: The file's content.
        path: Its name.
    """
    found = error.errors(include_url=False)
    # A misspelt key is also a missing key; the misspelling is the more helpful error.
    first = next((e for e in found if e["type"] == "extra_forbidden"), found[0])
    fault = first.get("ctx", {}).get("error")
    location = _toml_location(first["loc"])
    if isinstance(fault, SpecFault):
        location += fault.location
    line = line_of(text, location)
    position = f"{path}, line {line}" if line else path
    return f"{position}: {_location_text(location)}: {_sentence(first, location, model)}"


def line_of(text: str, location: Location) -> int | None:
    """Return the line, from 1, of a key such as ("agents", 1, "strategy"), or of its table.

    Returns:
        None if neither the key nor its table is in the text.
    """
    table = str(location[0]) if location else ""
    index = location[1] if len(location) > 1 and isinstance(location[1], int) else 0
    key = next((str(p) for p in location[1:] if isinstance(p, str)), None)
    header = re.compile(rf"^\s*\[\[?\s*{re.escape(table)}\s*\]\]?\s*(#.*)?$")
    any_header = re.compile(r"^\s*\[")
    wanted = re.compile(rf"^\s*[\"']?{re.escape(key)}[\"']?\s*=") if key else None
    bare = None if location[1:] else re.compile(rf"^\s*{re.escape(table)}\s*=")
    seen, found, inside = -1, None, False
    for number, line in enumerate(text.splitlines(), start=1):
        if header.match(line):
            seen += 1
            inside = seen == index
            if inside:
                found = number
        elif any_header.match(line):
            inside = False
        elif (inside and wanted and wanted.match(line)) or (bare and bare.match(line)):
            return number
    return found


def _toml_location(location: Location) -> Location:
    """Return pydantic's location without the parts that name branches of a union."""
    parts: list[int | str] = []
    for part in location[:3]:
        if parts and isinstance(part, str) and isinstance(parts[-1], str) and len(parts) > 1:
            break
        parts.append(part)
    return tuple(parts)


def _location_text(location: Location) -> str:
    """A location as text: `[[agents]] number 2, strategy`."""
    if not location:
        return "the file"
    table, rest = str(location[0]), location[1:]
    if not rest:
        return f"[{table}]"
    if isinstance(rest[0], int):
        head = f"[[{table}]] number {rest[0] + 1}"
        return f"{head}, {rest[1]}" if len(rest) > 1 else head
    return f"[{table}] {rest[0]}"


def _sentence(first: ErrorDetails, location: Location, model: type[BaseModel]) -> str:
    if first["type"] == "extra_forbidden":
        return _unknown(str(first["loc"][-1]), _known_keys(location, model))
    if first["type"] == "missing":
        return "it is missing" if len(location) > 1 else f"add a [[{location[0]}]] table"
    if isinstance(fault := first.get("ctx", {}).get("error"), ValueError):
        text = first["input"]
        shown = f"{text!r}: " if isinstance(text, str) and not str(fault).startswith(text) else ""
        return f"{shown}{fault}"
    found = first["input"]
    value = str(found) if isinstance(found, Decimal | datetime) else repr(found)
    if len(value) > VALUE_CHARS_MAX:
        value = value[:VALUE_CHARS_MAX] + "..."
    requirement = first["msg"][0].lower() + first["msg"][1:]
    return f"{value} is not valid: {requirement}"


def _unknown(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there is {', '.join(known)}"
    return f"unknown key; {hint}"


def _known_keys(location: Location, model: type[BaseModel]) -> list[str]:
    """The keys of the table that holds the last part of a location."""
    table: type[BaseModel] = model
    for part in location[:-1]:
        if isinstance(part, str) and part in table.model_fields:
            table = _model_in(table.model_fields[part].annotation) or table
    return list(table.model_fields)


# Any: an annotation may be any typing construct.
def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(argument) for argument in get_args(annotation))
    return next((model for model in found if model is not None), None)
