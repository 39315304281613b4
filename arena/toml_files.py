"""Reads TOML files from untrusted sources, with limits on size, depth and numbers.

Python's parser recurses into nested values, needs quadratic time for dotted keys, and creates
numbers of any size. So the text is checked before parsing, and the values after it.
"""

import re
import tomllib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from arena.bounded_files import TEXT_FILE_BYTES_MAX, limits_factor, read_text_file, too_large
from arena.error_causes import error_message
from arena.errors import UsageError

DEPTH_MAX = 32
KEY_PARTS_MAX = 32
VALUES_MAX = 200_000
INTEGER_BITS_MAX = 128
DIGITS_MAX = 1_000
EXPONENT_MAX = 1_000
EXPONENT_DIGITS_MAX = 6

_PART = r"(?:[A-Za-z0-9_-]++|\"[^\"\n]*+\"|'[^'\n]*+')[ \t]*+"
_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_-])(?:{_PART}\.[ \t]*+){{{KEY_PARTS_MAX}}}")

_LONG_NUMBER = re.compile(rf"(?<![A-Za-z0-9_.])[0-9][0-9A-Fa-fxob_]{{{DIGITS_MAX}}}")

Tables = dict[str, Any]  # Any: any TOML value


def read_toml(path: Path, *, parse_float: Callable[[str], Any] = float) -> Tables:
    """Read a TOML file.

    Raises:
        UsageError: It cannot be opened, is not TOML, or is above a limit.
    """
    try:
        text = read_text_file(path)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: {error_message(error)}", remedy="save it as UTF-8") from None
    return parse_toml(text, str(path), parse_float=parse_float)


def parse_toml(text: str, path: str, *, parse_float: Callable[[str], Any] = float) -> Tables:
    """Parse a TOML text; see `read_toml`."""
    limit = TEXT_FILE_BYTES_MAX * limits_factor()
    if len(text) > limit:
        raise too_large(path, f"has {len(text):,} characters", limit)
    if found := _LONG_KEY.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise UsageError(
            f"{path}:{line}: a key has more than {KEY_PARTS_MAX} parts",
            remedy=f"nest at most {KEY_PARTS_MAX} tables",
        )
    if found := _LONG_NUMBER.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise UsageError(
            f"{path}:{line}: a number of more than {DIGITS_MAX:,} digits",
            remedy="write a number that fits 128 bits",
        )
    try:
        tables = tomllib.loads(text, parse_float=_bounded(parse_float))
    except RecursionError:
        raise UsageError(
            f"{path} is not valid TOML for an arena: values are nested too deep",
            remedy=f"nest at most {DEPTH_MAX} values",
        ) from None
    except ValueError as error:  # TOMLDecodeError, and numbers of too many digits
        raise UsageError(f"{path} is not valid TOML: {str(error)[:300]}") from None
    _check(tables, path)
    return tables


def _bounded(parse_float: Callable[[str], Any]) -> Callable[[str], Any]:
    def parse(text: str) -> Any:  # Any: what the caller makes of it
        exponent = re.split("[eE]", text)[1:]
        if exponent:
            digits = exponent[0].lstrip("+-0_")
            if len(digits) > EXPONENT_DIGITS_MAX or int(digits or "0") > EXPONENT_MAX:
                raise ValueError(f"the number {text[:40]} has an exponent above {EXPONENT_MAX:,}")
        return parse_float(text)

    return parse


def _check(tables: Tables, path: str) -> None:
    """Check all values, without recursion."""
    left: list[tuple[str, object, int]] = [("", tables, 0)]
    seen, limit = 0, VALUES_MAX * limits_factor()
    while left:
        key, value, depth = left.pop()
        seen += 1
        if seen > limit:
            raise too_large(path, "holds too many values", limit, "values")
        if depth > DEPTH_MAX:
            raise UsageError(
                f"{path}: {key[:80]!r} is nested more than {DEPTH_MAX} deep",
                remedy=f"nest at most {DEPTH_MAX} values",
            )
        if isinstance(value, dict):
            left += [(name, each, depth + 1) for name, each in value.items()]
        elif isinstance(value, list):
            left += [(key, each, depth + 1) for each in value]
        elif isinstance(value, int) and value.bit_length() > INTEGER_BITS_MAX:
            raise UsageError(
                f"{path}: {key[:80]!r} is a number of {value.bit_length():,} bits",
                remedy=f"write at most {INTEGER_BITS_MAX}",
            )
        elif isinstance(value, Decimal) and abs(value.adjusted()) > EXPONENT_MAX:
            raise UsageError(
                f"{path}: {key[:80]!r} is a number of {abs(value.adjusted()):,} digits",
                remedy=f"write at most {EXPONENT_MAX:,}",
            )
