r"""Masks secrets in server answers, in every form in which a server may repeat them. Pure.

A server that repeats a key may escape it for JSON (`\u002b`, `\/`), for HTML (`&lt;`, `&#43;`) or
for a URL (`%2B`), and more than once. So each character of a secret is searched in all of these
forms, and the secret's base64 as well.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from html.entities import html5
from typing import Self

from arena.endpoint import SECRET_CHARS_MIN, secrets_of

BLANK = "***"
DEPTH_MAX = 260
"""Levels of a JSON value that are searched; deeper values become null."""
CHARS_IN_FULL_MAX = 200
"""A pattern with more escaped letters and digits would take seconds to compile."""
_ENTITIES: dict[str, list[str]] = {}
for _name, _text in html5.items():
    if len(_text) == 1 and _name.endswith(";"):
        _ENTITIES.setdefault(_text, []).append(_name)


class Secrets:
    """Secrets to mask; false if there are none.

    Args:
        secrets: The secrets. Those shorter than `SECRET_CHARS_MIN` are ignored as placeholders.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Compile the search pattern."""
        found = {secret for secret in secrets if len(secret) >= SECRET_CHARS_MIN}
        found |= {b64encode(secret.encode()).decode().rstrip("=") for secret in found}
        longest_first = sorted(found, key=lambda secret: (-len(secret), secret))
        pattern = "|".join(map(_any_form_of, longest_first))
        self._pattern = re.compile(pattern) if pattern else None

    @classmethod
    def of(cls, key: str, headers: Mapping[str, str]) -> Self:
        """The secrets in a server's key and its resolved headers."""
        return cls(secrets_of(key, headers))

    def __bool__(self) -> bool:
        return self._pattern is not None

    def hide(self, text: str) -> str:
        """Mask the secrets in a text."""
        return self._pattern.sub(BLANK, text) if self._pattern is not None else text

    def hide_bytes(self, body: bytes) -> bytes:
        """Mask the secrets in a body."""
        if self._pattern is None:
            return body
        text = body.decode("latin-1")  # a key is ASCII, and so is every form of it
        return self._pattern.sub(BLANK, text).encode("latin-1")

    def hide_json(self, value: object) -> tuple[object, bool]:
        """Mask the secrets in a parsed JSON value and its keys; also return whether it had any."""
        return self._hidden(value, DEPTH_MAX) if self else (value, False)

    def _hidden(self, value: object, depth: int) -> tuple[object, bool]:
        match value:
            case str():
                hidden = self.hide(value)
                return hidden, hidden != value
            case dict() | list() if depth <= 0:
                return None, False
            case dict():
                pairs = [
                    (self.hide(name), name, *self._hidden(inner, depth - 1))
                    for name, inner in value.items()
                ]
                held = any(shown != name or inside for shown, name, _, inside in pairs)
                return {shown: inner for shown, _, inner, _ in pairs}, held
            case list():
                items = [self._hidden(inner, depth - 1) for inner in value]
                return [inner for inner, _ in items], any(inside for _, inside in items)
            case _:
                return value, False


def _any_form_of(secret: str) -> str:
    """A pattern for a secret; in a long one, letters and digits are not searched escaped."""
    is_long = len(secret) > CHARS_IN_FULL_MAX
    return "".join(c if is_long and c.isalnum() else _any_form(c) for c in secret)


def _any_form(char: str) -> str:
    """A pattern for one character, plain or escaped once or several times."""
    code, plain = ord(char), re.escape(char)
    short = _hex(f"{code:x}")
    entities = "".join(f"|{re.escape(name)}" for name in _ENTITIES.get(char, ()))
    return (
        rf"(?:{plain}|\\(?:\\){{0,7}}(?:{plain}|u{_hex(f'{code:04x}')}|x{_hex(f'{code:02x}')})"
        rf"|&(?:amp;){{0,4}}(?:#0{{0,6}}{code};?|#[xX]0{{0,6}}{short};?{entities})"
        rf"|%(?:25){{0,4}}{_hex(f'{code:02x}')})"
    )


def _hex(digits: str) -> str:
    return "".join(f"[{d}{d.upper()}]" if d.isalpha() else d for d in digits)


NO_SECRETS = Secrets()
