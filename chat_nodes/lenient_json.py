"""Parses a provider's bytes, and repairs them: one bad byte must not lose a paid answer. Pure.

First `orjson.loads` is tried. If it fails, the bytes are repaired: byte order marks, invalid UTF-8,
half surrogate pairs, control characters in strings, NaN and Infinity, bytes before and after the
object, a stream of events instead of one object. It never raises.
"""

import codecs
import json
import math
import re
from dataclasses import dataclass

import orjson

from chat_nodes.json_values import Json
from chat_nodes.streams import assemble, is_chunk
from chat_nodes.texts import clean_text

VALUES_MAX = 100_000
"""JSON values of one body that are read."""
EVENT_LINES_MAX = 64
"""Lines of one event of a stream that are joined."""
BAD_LINES_MAX = 1_000
"""Lines of a stream without a value, after which the rest is not read."""
WASTED_CHARS_MAX = 4 * 1024 * 1024
"""Characters of a stream parsed without a result, after which the rest is not read."""
PREFIX_CHARS_MAX = 64
"""Characters before the first brace that are skipped."""
SHOWN_CHARS_MAX = 80

_INT_CHARS_MAX = 18
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# The start of a UTF-16 answer that was logged as if it had been UTF-8.
_UTF16_LOGGED = "\ufffd\ufffd"
_BLANK = " \t\r\n\ufeff\x00"
_LEADING = re.compile(rf"(?:[{_BLANK}]+|:[^\r\n]*(?:[\r\n]|$))*")
_EVENT = re.compile(r"(?:data|event|id|retry):")
_LINE_END = re.compile(r"\r\n|\n|\r")
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})"
    r'|u[0-9a-fA-F]{4}|["\\/bfnrt]|(?P<bad>))'
)


@dataclass(frozen=True, slots=True)
class ParsedBody:
    """The parsed body of a response.

    Attributes:
        value: The JSON value; None if the body could not be parsed.
        problem: Why the body could not be parsed; "" if it could.
    """

    value: Json
    problem: str = ""


def read_body(body: bytes) -> ParsedBody:
    """Parse a response body, repaired if necessary."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _repaired(body)
    return ParsedBody(_unwrapped(value))


def _repaired(body: bytes) -> ParsedBody:
    text = _decoded(body)
    text = text[_LEADING.match(text).end() :]  # type: ignore[union-attr]  # matches nothing too
    values: list[Json] = []
    done = False
    if _EVENT.match(text):
        values, done = _events(text)
        if values:
            return ParsedBody(assemble(values, done=done))
    else:
        values = _values(text)
    if values:
        return ParsedBody(_unwrapped(values if is_chunk(values[0]) else _first_answer(values)))
    start = clean_text(text[:SHOWN_CHARS_MAX], SHOWN_CHARS_MAX)
    return ParsedBody(
        None, f"the provider's answer is not JSON; its {len(body):,} bytes start {start!r}"
    )


def _decoded(body: bytes) -> str:
    if body.startswith(_UTF16):
        return body.decode("utf-16", "replace")
    text = body.decode("utf-8", "replace")
    if text.startswith(_UTF16_LOGGED):
        return text[len(_UTF16_LOGGED) :].replace("\x00", "")
    return text


def _unwrapped(value: Json) -> Json:
    if isinstance(value, str):
        found = _values(value.strip()) if value.lstrip()[:1] in ("{", "[") else []
        value = found[0] if found else value
    if isinstance(value, list) and value:
        if is_chunk(value[0]):
            return assemble(value, done=False)
        if len(value) == 1:
            return value[0]
    return value


def _first_answer(values: list[Json]) -> Json:
    for value in values:
        if isinstance(value, dict) and ("choices" in value or "error" in value):
            return value
    return values[0]


def _events(text: str) -> tuple[list[Json], bool]:
    """The values of a stream of server-sent events, and whether it has an end marker."""
    values: list[Json] = []
    pending: list[str] = []
    bad = wasted = 0
    for line in _LINE_END.split(text):
        if line.startswith("data:"):
            piece = line[5:].strip()
        elif line.startswith("{"):
            piece = line
        else:
            if not line.strip():
                pending = []
            continue
        if piece == "[DONE]":
            return values, True
        # An event may have several lines; a line that is valid JSON is an event of its own.
        event = "\n".join((*pending, piece))
        found = _values(event) or (_values(piece) if pending else [])
        if not found and len(pending) < EVENT_LINES_MAX:
            pending.append(piece)
        if found:
            pending = []
            values.append(found[0])
        else:
            bad += 1
            wasted += len(event)
        if len(values) >= VALUES_MAX or bad >= BAD_LINES_MAX or wasted > WASTED_CHARS_MAX:
            break
    return values, False


def _values(text: str) -> list[Json]:
    """The JSON objects and lists at the start of a text; none if it starts otherwise."""
    start = min((i for i in (text.find("{"), text.find("[")) if i >= 0), default=-1)
    if start < 0 or start > PREFIX_CHARS_MAX or text.startswith("<"):
        return []
    text = text[start:]
    try:
        return [orjson.loads(text)]
    except orjson.JSONDecodeError:
        pass
    text = _ESCAPE.sub(_repaired_escape, text)
    found: list[Json] = []
    position = 0
    while text[position : position + 1] in ("{", "[") and len(found) < VALUES_MAX:
        try:
            value, position = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError):
            break
        found.append(value)
        while text[position : position + 1] and text[position] in _BLANK:
            position += 1
    return found


def _repaired_escape(match: re.Match[str]) -> str:
    if match["half"] is not None:
        return "\ufffd"
    return "\\\\" if match["bad"] is not None else match[0]


def _number(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _whole_number(digits: str) -> int | float | None:
    return int(digits) if len(digits) <= _INT_CHARS_MAX else _number(digits)


def _nothing(_: str) -> None:
    return None


_DECODER = json.JSONDecoder(
    strict=False, parse_float=_number, parse_int=_whole_number, parse_constant=_nothing
)
