"""Reads the JSON text of a tool call's arguments exactly.

A model writes this text, so anything may be in it. Numbers with a point or an exponent become
`Decimal` from their own digits, never through a float. Refused are anything but a JSON object, NaN
and Infinity, a key given twice, text that is not Unicode, and more than `ARGUMENTS_CHARS_MAX`.
"""

import json
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

ARGUMENTS_CHARS_MAX = 8_192
QUOTED_CHARS_MAX = 80


class UnreadableArguments(ValueError):
    """The text is not an arguments object; the message says what to send instead."""


# Any: JSON values of any shape come out; `trading_tools.schema` checks them.
def read_arguments(text: str) -> dict[str, Any]:
    """Read the arguments in a text; an empty text or "null" is an empty object.

    Raises:
        UnreadableArguments: It is not a JSON object that can be read exactly.
    """
    if len(text) > ARGUMENTS_CHARS_MAX:
        raise UnreadableArguments(f"{len(text):,} characters; send at most {ARGUMENTS_CHARS_MAX:,}")
    if not text.strip():
        return {}
    try:
        text.encode()
        found = _DECODER.decode(text)
    except UnreadableArguments:
        raise
    except UnicodeEncodeError:
        raise UnreadableArguments("text that is no Unicode; send plain characters") from None
    except (ValueError, InvalidOperation, RecursionError) as error:
        reason = str(error) if isinstance(error, json.JSONDecodeError) else "it cannot be read"
        raise UnreadableArguments(
            f"{quoted(text)} is no JSON ({reason}); send one JSON object"
        ) from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise UnreadableArguments(f"{quoted(text)} is no JSON object; send one such as {{}}")
    return found


def quoted(value: object) -> str:
    """A value for use in an error text: quoted, printable, bounded."""
    text = ascii(value if isinstance(value, str) else str(value))
    return text if len(text) <= QUOTED_CHARS_MAX else f"{text[:QUOTED_CHARS_MAX]}...'"


def _refuse_constant(name: str) -> NoReturn:
    raise UnreadableArguments(f"{name} is no number; send a finite one")


# Any: as in `read_arguments`.
def _object_of_unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise UnreadableArguments(f"{quoted(key)} is given twice; give it once")
        if not _is_unicode(key) or (isinstance(value, str) and not _is_unicode(value)):
            raise UnreadableArguments(
                f"{quoted(key)} holds half a character; send plain characters"
            )
        found[key] = value
    return found


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_DECODER = json.JSONDecoder(
    parse_float=Decimal,
    parse_constant=_refuse_constant,
    object_pairs_hook=_object_of_unique_keys,
)
