"""Converts the arguments of a call that was written as text to JSON text, exactly. Pure.

Numbers keep their digits: they never become floats. There are three notations: JSON; Python, as in
`execute_trade(quantity="0.01")`; and Gemma's, as in `call:execute_trade{quantity:<|"|>0.01<|"|>}`.
"""

import json
import re
from typing import Any, NoReturn

import orjson

DEPTH_MAX = 16
VALUES_MAX = 512
"""Largest number of values in the arguments of one call."""

_SPACE = re.compile(r"\s*")
_WORD = re.compile(r"[A-Za-z_][\w.\-]{0,127}")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?\Z", re.ASCII)
_BARE = re.compile(r"[^,\[\]{}()\n\"'<>=:]+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"' + r"|'((?:[^'\\]|\\.)*)'", re.DOTALL)
_TOKENS = ('<|"|>', "<escape>")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_CONSTANTS = {"true": "true", "True": "true", "false": "false", "False": "false"}
_CONSTANTS |= {"null": "null", "None": "null"}


class InvalidNotation(ValueError):
    """A text is not in the notation."""


# Any: JSON values of any shape; numbers are `orjson.Fragment`.
def json_at(text: str, position: int) -> tuple[Any, int]:
    """The JSON value at a position, and the position after it.

    Raises:
        InvalidNotation: There is no value, it is cut, holds NaN, or has a key twice.
    """
    try:
        value, end = _DECODER.raw_decode(text, position)
    except InvalidNotation:
        raise
    except (ValueError, RecursionError) as error:
        raise InvalidNotation("it is not JSON, or it is cut") from error
    return value, end


def json_text(value: Any) -> str:
    """A value of `json_at` as JSON.

    Raises:
        InvalidNotation: It is too deep, or holds half a surrogate pair.
    """
    try:
        return orjson.dumps(value).decode()
    except (orjson.JSONEncodeError, ValueError) as error:
        raise InvalidNotation("it cannot be written as JSON") from error


def python_call_at(text: str, position: int) -> tuple[str, str, int]:
    """The call `name(key=value, ...)` at a position: name, arguments as JSON, end position.

    Raises:
        InvalidNotation: There is no call, or it has an argument without a name.
    """
    reader = _Reader(text, position, bare_words=False)
    name = reader.word()
    reader.expect("(")
    reader.skip()
    if reader.peek("{"):
        arguments = reader.value(0)
        reader.expect(")")
    else:
        arguments = reader.pairs(")", "=", 0)
    return name, arguments, reader.position


def gemma_call_at(text: str, position: int) -> tuple[str, str, int]:
    """The call `call:name{key:value,...}` at a position: name, arguments as JSON, end position.

    Raises:
        InvalidNotation: There is no call.
    """
    reader = _Reader(text, position, bare_words=True)
    reader.expect("call:")
    name = reader.word()
    reader.expect("{")
    return name, reader.pairs("}", ":", 0), reader.position


class _Reader:
    """A cursor over a text; a method raises `InvalidNotation` if it does not find its part."""

    def __init__(self, text: str, position: int, *, bare_words: bool) -> None:
        self.position = position
        self._text = text
        self._bare_words = bare_words
        self._values = 0

    def skip(self) -> None:
        match = _SPACE.match(self._text, self.position)
        self.position = match.end() if match else self.position

    def peek(self, token: str) -> bool:
        return self._text.startswith(token, self.position)

    def expect(self, token: str) -> None:
        self.skip()
        if not self.peek(token):
            self._fail()
        self.position += len(token)

    def word(self) -> str:
        self.skip()
        match = _WORD.match(self._text, self.position)
        if match is None:
            self._fail()
        self.position = match.end()
        return match[0]

    def pairs(self, end: str, between: str, depth: int) -> str:
        """Keys and values up to the closing bracket, as JSON text."""
        found: dict[str, str] = {}
        self.skip()
        while not self.peek(end):
            key = self._string() or self.word()
            if key in found:
                self._fail()
            self.expect(between)
            found[key] = self.value(depth + 1)
            self._comma(end)
        self.position += len(end)
        return "{" + ",".join(f"{_quoted(k)}:{v}" for k, v in found.items()) + "}"

    def value(self, depth: int) -> str:
        """One value as JSON text."""
        self._values += 1
        if depth > DEPTH_MAX or self._values > VALUES_MAX:
            self._fail()
        self.skip()
        if (text := self._string()) is not None:
            return _quoted(text)
        if self.peek("{"):
            self.position += 1
            return self.pairs("}", ":", depth + 1)
        if self.peek("["):
            self.position += 1
            return self._list(depth)
        match = _BARE.match(self._text, self.position)
        word = match[0].strip() if match else ""
        if match is None or not word:
            self._fail()
        self.position = match.end()
        if word in _CONSTANTS:
            return _CONSTANTS[word]
        if _NUMBER.match(word):
            return word
        if not self._bare_words:
            self._fail()
        return _quoted(word)

    def _list(self, depth: int) -> str:
        found = []
        self.skip()
        while not self.peek("]"):
            found.append(self.value(depth + 1))
            self._comma("]")
        self.position += 1
        return "[" + ",".join(found) + "]"

    def _comma(self, end: str) -> None:
        self.skip()
        if self.peek(","):
            self.position += 1
            self.skip()
        elif not self.peek(end):
            self._fail()

    def _string(self) -> str | None:
        for token in _TOKENS:
            if self.peek(token):
                start = self.position + len(token)
                stop = self._text.find(token, start)
                if stop < 0:
                    self._fail()
                self.position = stop + len(token)
                return self._text[start:stop]
        match = _QUOTED.match(self._text, self.position)
        if match is None:
            return None
        self.position = match.end()
        return _ESCAPE.sub(_unescaped, match[1] if match[1] is not None else match[2])

    def _fail(self) -> NoReturn:
        raise InvalidNotation(f"character {self.position:,} is not what the notation asks for")


def _unescaped(match: re.Match[str]) -> str:
    letter = match[1]
    if len(letter) > 1:
        code = int(letter[1:], 16)
        return "\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code)
    return _ESCAPED.get(letter, letter)


def _quoted(text: str) -> str:
    return orjson.dumps(text.encode("utf-8", "replace").decode()).decode()


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidNotation(f"{name} is not a number")


# Any: as in `json_at`.
def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidNotation("a key is given twice")
    return found


_DECODER = json.JSONDecoder(
    strict=False,
    parse_float=orjson.Fragment,
    parse_int=orjson.Fragment,
    parse_constant=_refuse_constant,
    object_pairs_hook=_unique,
)
