"""What changed from one text to another, as the lines of a unified diff. Pure."""

import difflib
from typing import Final

COMPARED_LINES_MAX: Final = 1_000
"""Texts with more lines are not compared: the time grows with the square of the lines."""
NOT_COMPARED: Final = f"@ texts of more than {COMPARED_LINES_MAX:,} lines are not compared"


def is_comparable(*texts: str) -> bool:
    """True if each text has at most `COMPARED_LINES_MAX` lines."""
    return all(len(text.splitlines()) <= COMPARED_LINES_MAX for text in texts)


def diff_lines(before: str, after: str, *, context: int = 1) -> list[str]:
    """Return the lines of a unified diff without its two heads; empty for equal lines.

    Args:
        before: The old text.
        after: The new text.
        context: Equal lines around each change.

    Returns:
        Lines that begin with "+", "-", "@" or a blank; `NOT_COMPARED` alone for long texts.
    """
    if not is_comparable(before, after):
        return [NOT_COMPARED]
    old, new = before.splitlines(), after.splitlines()
    return [*difflib.unified_diff(old, new, lineterm="", n=context)][2:]
