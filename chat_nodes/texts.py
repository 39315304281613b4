"""Makes a provider's text safe for terminals and records, and bounds it. Pure."""

import re

TEXT_BYTES_MAX = 16 * 1024
"""Largest text of a reply, and largest reasoning."""
NAME_CHARS_MAX = 128
"""Longest name of a tool, call id and finish reason."""
ERROR_CHARS_MAX = 400
CUT_FACTOR = 4
"""Text beyond this multiple of its bound is not processed."""

_END_TOKENS = (
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "</s>",
    "<end_of_turn>",
    "<｜end▁of▁sentence｜>",
)

# ANSI escape sequences (ECMA-48 CSI, OSC and two-character forms), other control characters but
# newline and tab, line separators, bidirectional overrides and lone surrogates.
_UNSAFE = re.compile(
    "\x1b\\[[0-?]*[ -/]*[@-~]"
    "|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?"
    "|\x1b[@-Z\\\\-_]?"
    "|[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def bounded_text(text: str) -> tuple[str, bool]:
    """Text without control characters in at most `TEXT_BYTES_MAX` bytes, and whether it was cut."""
    head = text[: TEXT_BYTES_MAX * CUT_FACTOR]
    clean = _safe(head).strip()
    cut = cut_bytes(clean, TEXT_BYTES_MAX)
    return cut, len(head) < len(text) or len(cut) < len(clean)


def clean_text(text: str, chars_max: int) -> str:
    """One line of text without control characters in at most `chars_max` characters."""
    head = _safe(text[: chars_max * CUT_FACTOR])
    return " ".join(head.split())[:chars_max]


def cut_bytes(text: str, bytes_max: int) -> str:
    """The longest start of a text whose UTF-8 form has at most `bytes_max` bytes."""
    if len(text) * 4 <= bytes_max:
        return text
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= bytes_max:
        return text
    return encoded[:bytes_max].decode("utf-8", "ignore")


def without_end_tokens(text: str) -> str:
    """The text without the end tokens after it; found in one pass from its end."""
    end = len(text)
    while True:
        while end and text[end - 1].isspace():
            end -= 1
        token = next((one for one in _END_TOKENS if text.endswith(one, 0, end)), "")
        if not token:
            return text[:end]
        end -= len(token)


def _safe(text: str) -> str:
    # Unsafe characters are not printable, and that check is ten times faster than the pattern.
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return _UNSAFE.sub("", text)
