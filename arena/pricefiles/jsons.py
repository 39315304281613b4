"""JSON as lines of cells: arrays or objects, one array of them or one a line, also inside objects.

Numbers stay the text they are: no digit goes through a float.
"""

import io
import json
from collections.abc import Iterator
from typing import Final

import msgspec

from arena.bounded_files import limits_factor
from arena.pricefiles.shapes import COLUMNS_MAX
from arena.pricefiles.texts import BYTE_ORDER_MARK, LINE_BYTES_MAX, Line, decoded, require_utf8

BYTES_MAX: Final = 128 << 20
DEPTH_MAX: Final = 4
"""How deep in objects the candles may be."""
WHITE: Final = b" \t\r\n"

_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ONE = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)


def begins_json(begin: bytes) -> bool:
    """True for bytes that begin like JSON, with or without a byte order mark."""
    return begin.removeprefix(BYTE_ORDER_MARK).lstrip(WHITE)[:1] in (b"[", b"{")


def json_lines(stream: io.BufferedReader) -> Iterator[Line]:
    """The candles of a JSON file; the names of objects come first, as a header does.

    Raises:
        ValueError: It is not JSON, holds no candles, or is above a limit.
    """
    begin = stream.peek(LINE_BYTES_MAX)[:LINE_BYTES_MAX]
    require_utf8(begin)
    parts = _by_line(stream) if _is_by_line(begin) else _whole(stream)
    names: list[str] = []
    for number, part in parts:
        found = _value(part)
        if isinstance(found, list):
            yield number, [_cell(value) for value in found[: COLUMNS_MAX + 1]]
            continue
        if not names:
            names = [str(name) for name in found][: COLUMNS_MAX + 1]
            yield number, names
        if len(found) > len(names) or any(name not in found for name in names):
            raise ValueError(f"row {number} has other names than the first: {list(found)[:8]}")
        yield number, [_cell(found[name]) for name in names]


def _is_by_line(begin: bytes) -> bool:
    """True if the first line is a whole value and another follows."""
    first, end, rest = begin.removeprefix(BYTE_ORDER_MARK).lstrip(WHITE).partition(b"\n")
    if not end or rest.lstrip(WHITE)[:1] not in (b"[", b"{"):
        return False
    try:
        msgspec.json.decode(first, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _by_line(stream: io.BufferedReader) -> Iterator[tuple[int, str]]:
    lines = iter(lambda: stream.readline(LINE_BYTES_MAX + 1), b"")
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_BYTES_MAX:
            raise ValueError(f"a line of more than {LINE_BYTES_MAX:,} bytes")
        if text := decoded(line.removeprefix(BYTE_ORDER_MARK), number).strip():
            yield number, text


def _whole(stream: io.BufferedReader) -> Iterator[tuple[int, str]]:
    limit = BYTES_MAX * limits_factor()
    content = stream.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"more than {limit:,} bytes of JSON; split it, or save it as CSV")
    try:
        rows = _candles(content.removeprefix(BYTE_ORDER_MARK), DEPTH_MAX)
    except RecursionError:
        raise ValueError("values are nested too deep; give an array of candles") from None
    except msgspec.DecodeError as error:
        raise ValueError(f"it is not whole JSON: {error}; NaN must be null") from None
    del content
    for number, row in enumerate(rows, 1):
        yield number, decoded(bytes(row), number)


def _candles(content: bytes | msgspec.Raw, depth: int) -> list[msgspec.Raw]:
    """The array of candles in a value."""
    first = bytes(memoryview(content)[:64]).lstrip(WHITE)[:1]
    if first == b"[":
        return _LIST.decode(content)
    inside = _OBJECT.decode(content)
    lists = []
    for value in inside.values():
        begin = bytes(memoryview(value)[:64]).lstrip(WHITE)
        if begin[:1] == b"[" and begin[1:].lstrip(WHITE)[:1] in (b"[", b"{"):
            lists.append(_LIST.decode(value))
        elif begin[:1] == b"{" and depth > 1:
            lists += filter(None, [_candles(value, depth - 1)])
    if len(lists) > 1:
        raise ValueError(f"{len(lists)} arrays of candles in one object; give one per file")
    return lists[0] if lists else []


def _value(text: str) -> dict[str, object] | list[object]:
    try:
        found = _ONE.decode(text)
    except RecursionError:
        raise ValueError("a value is nested too deep; give arrays of numbers") from None
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
