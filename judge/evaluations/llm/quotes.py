"""Finds a model's quotes in the text that it was shown. Pure.

A quote must be in the text word for word. Differences that models make in copying do not matter:
whitespace, case, forms of a character (NFKC), typographic quotes and dashes, quotation marks around
it, and dots for words that it left out. Quotes that are too short to say anything are not found.
"""

import re
import unicodedata

QUOTE_CHARS_MAX = 400
"""Longer quotes are cut, as in `JudgedAnswer`; what is left must be in the text."""
LETTERS_MIN = 4
"""Least number of letters and digits of a quote, and of each part of one with gaps."""

_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−"), "-")
_MARKS = dict.fromkeys(map(ord, "‘’‚‛′`´"), "'") | dict.fromkeys(map(ord, "“”„‟″«»"), '"')
_GAP = re.compile(r"\s*(?:\[\s*(?:\.\.\.|…)\s*\]|\.\.\.|…)\s*")
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad]")


def folded(text: str) -> str:
    """The text in the form in which quotes are compared."""
    text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))
    text = text.translate(_DASHES).translate(_MARKS)
    return " ".join(text.casefold().split())


def is_quoted(quote: str, text: str) -> bool:
    """True if a quote is in a text."""
    return is_quoted_in(quote, folded(text))


def is_quoted_in(quote: str, folded_text: str) -> bool:
    """True if a quote is in a text that is folded already."""
    whole = folded(quote[:QUOTE_CHARS_MAX]).strip(" \"'")
    if _letters(whole) < LETTERS_MIN:
        return False
    if whole in folded_text:
        return True
    parts = [part.strip(" \"'") for part in _GAP.split(whole)]
    parts = [part for part in parts if part]
    if len(parts) < 2 and not _GAP.search(whole):
        return False
    place = 0
    for part in parts:
        found = folded_text.find(part, place)
        if found < 0 or _letters(part) < LETTERS_MIN:
            return False
        place = found + len(part)
    return bool(parts)


def _letters(text: str) -> int:
    return sum(char.isalnum() for char in text)
