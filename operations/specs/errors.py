"""What is wrong with an ARENA.toml, as one line: file, line, key, value, remedy. Pure.

TOML's own parser gives no positions, so the line of a key is found in the text.
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
    """A rule between several keys is broken.

    Attributes:
        where: The key it is about, relative to the table that was checked.
    """

    def __init__(self, where: Location, text: str) -> None:
        """Keep the place and the sentence."""
        super().__init__(text)
        self.where = where


def explain(error: ValidationError, model: type[BaseModel], text: str, path: str) -> str:
    """The first error of a validation, for the person who wrote the file.

    Args:
        error: What pydantic found.
        model: The model of the whole file.
        text: The file's content.
        path: Its name.
    """
    found = error.errors(include_url=False)
    # A misspelt key is also a missing one; the misspelling is what helps.
    first = next((e for e in found if e["type"] == "extra_forbidden"), found[0])
    fault = first.get("ctx", {}).get("error")
    where = _toml_location(first["loc"])
    if isinstance(fault, SpecFault):
        where += fault.where
    line = line_of(text, where)
    place = f"{path}, line {line}" if line else path
    return f"{place}: {_called(where)}: {_sentence(first, where, model)}"


def line_of(text: str, where: Location) -> int | None:
    """The line, from 1, of a key such as ("agents", 1, "strategy"), or of its table.

    Returns:
        None where neither the key nor its table is in the text.
    """
    table = str(where[0]) if where else ""
    index = where[1] if len(where) > 1 and isinstance(where[1], int) else 0
    key = next((str(p) for p in where[1:] if isinstance(p, str)), None)
    header = re.compile(rf"^\s*\[\[?\s*{re.escape(table)}\s*\]\]?\s*(#.*)?$")
    any_header = re.compile(r"^\s*\[")
    wanted = re.compile(rf"^\s*[\"']?{re.escape(key)}[\"']?\s*=") if key else None
    bare = None if where[1:] else re.compile(rf"^\s*{re.escape(table)}\s*=")
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
    """Pydantic's location without the parts that name branches of a union."""
    kept: list[int | str] = []
    for part in location[:3]:
        if kept and isinstance(part, str) and isinstance(kept[-1], str) and len(kept) > 1:
            break
        kept.append(part)
    return tuple(kept)


def _called(where: Location) -> str:
    """A location as people say it: `[[agents]] number 2, strategy`."""
    if not where:
        return "the file"
    table, rest = str(where[0]), where[1:]
    if not rest:
        return f"[{table}]"
    if isinstance(rest[0], int):
        head = f"[[{table}]] number {rest[0] + 1}"
        return f"{head}, {rest[1]}" if len(rest) > 1 else head
    return f"[{table}] {rest[0]}"


def _sentence(first: ErrorDetails, where: Location, model: type[BaseModel]) -> str:
    if first["type"] == "extra_forbidden":
        return _unknown(str(first["loc"][-1]), _known_keys(where, model))
    if first["type"] == "missing":
        return "it is missing" if len(where) > 1 else f"add a [[{where[0]}]] table"
    if isinstance(fault := first.get("ctx", {}).get("error"), ValueError):
        text = first["input"]
        shown = f"{text!r}: " if isinstance(text, str) else ""
        return f"{shown}{fault}"
    given = first["input"]
    value = str(given) if isinstance(given, Decimal | datetime) else repr(given)
    if len(value) > VALUE_CHARS_MAX:
        value = value[:VALUE_CHARS_MAX] + "..."
    wanted = first["msg"][0].lower() + first["msg"][1:]
    return f"{value} cannot be used: {wanted}"


def _unknown(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there is {', '.join(known)}"
    return f"no such key; {hint}"


def _known_keys(where: Location, model: type[BaseModel]) -> list[str]:
    """The keys of the table that holds the last part of a location."""
    table: type[BaseModel] = model
    for part in where[:-1]:
        if isinstance(part, str) and part in table.model_fields:
            table = _model_in(table.model_fields[part].annotation) or table
    return list(table.model_fields)


# Any: an annotation may be any typing construct.
def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(argument) for argument in get_args(annotation))
    return next((model for model in found if model is not None), None)
