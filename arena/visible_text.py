r"""Escapes invisible characters in text from models, topics and files before it is printed. Pure.

Terminals, browsers and spreadsheets interpret some characters instead of showing them: control
characters and escape sequences, direction marks, characters without width, tags, annotations, lone
surrogates. Each is replaced by its escape, such as `\u202e`. More than `MARKS_MAX` combining marks
on one letter are escaped, too. Letters of every script, accents, spaces and emoji stay; the joiners
inside emoji are escaped.

Invisible are all characters of the Unicode categories Cc, Cf, Cs, Co, Cn, Zl and Zp (UAX #44), and
the code points of `Default_Ignorable_Code_Point` that are in none of them.
"""

import re
import unicodedata
from collections.abc import Callable

LINE_CHARS_MAX = 400
MARKS_MAX = 4
"""Limit of combining marks on one letter; written languages need fewer."""
CUT = "…"
_LOOKED_AT = 8
"""Text beyond this many times the limit of a line is ignored."""

# Printable by Python's definition, but invisible: joiners, fillers, variation selectors.
_INKLESS = frozenset(
    map(
        chr,
        (
            0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x3164, 0xFFA0,
            *range(0xFE00, 0xFE10),
            *range(0xE0100, 0xE01F0),
        ),
    )
)  # fmt: skip
_PLAIN = re.compile(r"[ -~\n\t]*")
_PLAIN_LINE = re.compile(r"[ -~]*")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def visible(text: str, *, keep: str = "\n\t") -> str:
    r"""Escape the invisible characters of a text, as in `\u202e`; line breaks stay.

    Args:
        text: Text of any source and length.
        keep: Control characters that are not escaped.
    """
    if _PLAIN.fullmatch(text) and keep == "\n\t":
        return text
    return _shown(text, _escape, keep)


def one_line(text: str, chars_max: int = LINE_CHARS_MAX) -> str:
    """Put a text on one line: whitespace becomes single blanks; cut at a limit."""
    near = text[: chars_max * _LOOKED_AT]
    flat = re.sub(r"[\r\n\t ]+", " ", near).strip(" ")
    shown = flat if _PLAIN_LINE.fullmatch(flat) else _shown(flat, _escape, "")
    if len(shown) <= chars_max and len(near) == len(text):
        return shown
    return shown[: chars_max - 1] + CUT if len(shown) >= chars_max else shown + CUT


def visible_line(line: str) -> str:
    """Escape a formatted line: its blanks stay, line breaks are escaped."""
    return visible(line, keep="")


def visible_json(document: str) -> str:
    """Escape a JSON document so that it has the same values and is safe to print."""
    if _PLAIN.fullmatch(document):
        return document
    return _shown(document, _json_escape, "\n\t\r")


def csv_text(text: str) -> str:
    """Escape a text cell of a CSV file: with a leading ' a spreadsheet does not run a formula."""
    shown = visible(text)
    return f"'{shown}" if shown.lstrip(" \n").startswith(_FORMULA) else shown


def _shown(text: str, escape: Callable[[str], str], keep: str) -> str:
    found: list[str] = []
    marks, base = 0, False
    for char in text:
        if " " <= char <= "~" or char in keep:
            marks, base = 0, char > " "
            found.append(char)
        elif _is_invisible(char):
            found.append(escape(char))
        elif unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
            marks += 1
            found.append(char if base and marks <= MARKS_MAX else escape(char))
        else:
            marks, base = 0, True
            found.append(char)
    return "".join(found)


def _is_invisible(char: str) -> bool:
    if char in _INKLESS:
        return True
    return not char.isprintable() and unicodedata.category(char) != "Zs"


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _json_escape(char: str) -> str:
    code = ord(char)
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
