"""Reads JSON as lines of cells: arrays or objects, in one array or one per line, even nested.

Numbers stay text: no digit goes through a float. Reads a stream.
"""

import io
import json
import re
from collections.abc import Iterator
from typing import Final

from arena.bounded_files import limits_factor
from arena.pricefiles.columns import COLUMNS_MAX
from arena.pricefiles.csv_lines import (
    BYTE_ORDER_MARK,
    LINE_BYTES_MAX,
    Line,
    decoded,
    require_line,
    require_utf8,
)
from arena.pricefiles.json_names import names_beside, require_product

BYTES_MAX: Final = 128 << 20
CLOSING: Final = {"[": "]", "{": "}"}
WHITE: Final = b" \t\r\n"

_ARRAY = re.compile(r"\[\s*[\[{]")
"""Start of the candles: an array whose first element is an array or an object."""
_EMPTY = re.compile(r"\[\s*\]")
_AFTER = re.compile(r"\s*([,\]])\s*")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Build an object; `json` would silently keep the last of two values of a key."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice[:40]!r} is given twice; keep the one that is right")
    return found


_ONE = json.JSONDecoder(
    parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_object
)


def begins_json(begin: bytes) -> bool:
    """True for bytes that start like JSON, with or without a byte order mark."""
    return begin.lstrip(BYTE_ORDER_MARK).lstrip(WHITE)[:1] in (b"[", b"{")


def json_lines(stream: io.BufferedReader, product_id: str) -> Iterator[Line]:
    """Yield the candles of a JSON file; for objects, their names come first, like a header.

    Args:
        stream: Stream of the file.
        product_id: Product of the file.

    Raises:
        ValueError: It is not JSON, has no candles, or is above a limit.
    """
    begin = stream.peek(LINE_BYTES_MAX)[:LINE_BYTES_MAX]
    require_utf8(begin)
    parts = _by_line(stream) if _is_by_line(begin) else _whole(stream, product_id)
    names: list[str] = []
    for number, part in parts:
        found = _value(part)
        if isinstance(found, list):
            if names:
                raise ValueError(f"row {number} is an array and the first is an object")
            yield number, [_cell(value) for value in found[: COLUMNS_MAX + 1]]
            continue
        if not names:
            names = [str(name) for name in found][: COLUMNS_MAX + 1]
            yield number, names
        if len(found) > len(names) or any(name not in found for name in names):
            raise ValueError(f"row {number} has other names than the first: {list(found)[:8]}")
        yield number, [_cell(found[name]) for name in names]


def _is_by_line(begin: bytes) -> bool:
    """True if the first line is a complete value and another one follows."""
    first, end, rest = begin.lstrip(BYTE_ORDER_MARK).lstrip(WHITE).partition(b"\n")
    if not end or rest.lstrip(WHITE)[:1] not in (b"[", b"{"):
        return False
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return False
    return True


def _by_line(stream: io.BufferedReader) -> Iterator[tuple[int, str]]:
    lines = iter(lambda: stream.readline(LINE_BYTES_MAX + 1), b"")
    for number, line in enumerate(lines, 1):
        require_line(number, len(line))
        if text := decoded(line.lstrip(BYTE_ORDER_MARK), number).strip():
            yield number, text


def _whole(stream: io.BufferedReader, product_id: str) -> Iterator[tuple[int, str]]:
    """Yield the elements of the one array of arrays or objects."""
    limit = BYTES_MAX * limits_factor()
    content = stream.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"more than {limit:,} bytes of JSON; split it, or save it as CSV")
    text = decoded(content.lstrip(BYTE_ORDER_MARK), 0)
    del content
    found = _ARRAY.search(text)
    if found is None:
        if _EMPTY.search(text):
            return
        raise ValueError("no array of candles in it; give an array of arrays or of objects")
    at, number, more = found.end() - 1, 0, True
    require_product(text[: found.start()], product_id)
    if text[at] == "[" and (names := names_beside(text, at)):
        yield 0, json.dumps(names)
    while more:
        number += 1
        end = text.find(CLOSING.get(text[at : at + 1], ""), at)
        if text[at : at + 1] not in CLOSING:
            raise ValueError(f"row {number} is {text[at : at + 20]!r}; give arrays or objects")
        if end < 0:
            raise ValueError(f"row {number} is cut off; copy the file again from its source")
        require_line(number, end - at)
        yield number, text[at : end + 1]
        after = _AFTER.match(text, end + 1)
        if after is None:
            raise ValueError(
                f"there is neither a comma nor the end of the array after row {number}; "
                "copy the file again from its source"
            )
        at, more = after.end(), after[1] == ","
    if _ARRAY.search(text, at):
        raise ValueError("more than one array of candles in it; give one per file")
    require_product(text[at:], product_id)


def _value(text: str) -> dict[str, object] | list[object]:
    try:
        found = _ONE.decode(text)
    except RecursionError:
        raise ValueError("a value is nested too deep; give arrays of numbers") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{text[:40]!r} is not JSON: {error.msg}") from None
    if not isinstance(found, dict | list):
        raise ValueError(f"{text[:40]!r} is not a candle; give arrays or objects")
    return found


def _cell(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    raise ValueError(f"a value of a candle is {type(value).__name__}; give numbers")
