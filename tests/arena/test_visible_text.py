"""Text from models and topics cannot act on what shows it."""

import csv
import io
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.visible_text import MARKS_MAX, csv_text, one_line, visible, visible_json, visible_line

INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
ANYTHING = st.text(
    st.one_of(st.characters(), st.sampled_from("\x1b\u202e\u200b\ufe0f\u0301\u3164\U000e0041\n\r")),
    max_size=60,
)


def hidden(text: str, allowed: str = "") -> list[str]:
    """The invisible characters of a text."""
    return [c for c in text if unicodedata.category(c) in INVISIBLE and c not in allowed]


@given(ANYTHING)
def test_invisible_characters_are_escaped(text: str) -> None:
    """Every form has only letters, marks, signs and blanks; a line has no line break."""
    assert [] == hidden(visible(text), "\n\t")
    assert [] == hidden(one_line(text))
    assert [] == hidden(visible_line(text))
    assert visible(visible(text)) == visible(text)


@given(ANYTHING, st.integers(2, 30))
def test_line_has_a_bound(text: str, chars_max: int) -> None:
    """A line is never longer than its limit, and shows where it was cut."""
    line = one_line(text * 4, chars_max)

    assert len(line) <= chars_max


@given(st.recursive(ANYTHING, lambda inner: st.lists(inner) | st.dictionaries(ANYTHING, inner)))
def test_json_keeps_its_values(value: object) -> None:
    """An escaped document has the same values."""
    shown = visible_json(json.dumps(value, ensure_ascii=False, indent=1))

    assert value == json.loads(shown)
    assert [] == hidden(shown, "\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("safe\u202eevil", r"safe\u202eevil"),
        ("\x1b]8;;http://x\x07link\x1b]8;;\x07", r"\u001b]8;;http://x\u0007link\u001b]8;;\u0007"),
        ("a\u200bb\u2060c\ufeffd\u00ade", r"a\u200bb\u2060c\ufeffd\u00ade"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("\ufff9x\ufffay\ufffb", r"\ufff9x\ufffay\ufffb"),
        ("\ud800", r"\ud800"),
        ("over\rwritten", r"over\u000dwritten"),
        ("\u3164\u034f", r"\u3164\u034f"),
        ("z" + "\u0301" * (MARKS_MAX + 1), "z" + "\u0301" * MARKS_MAX + r"\u0301"),
        ("\u0301x", r"\u0301x"),
    ],
)
def test_hostile_characters_are_escaped(text: str, shown: str) -> None:
    """Each kind of hostile character becomes its escape."""
    assert shown == visible(text)


@pytest.mark.parametrize(
    "text",
    [
        "Vie\u0302\u0323t", "שָׁלוֹם", "مرحبا", "नमस्ते", "ไม่ได้", "日本語　かな", "Ελλάδα", "🚀", "a b",
    ],
)  # fmt: skip
def test_letters_of_all_scripts_stay(text: str) -> None:
    """Letters, accents, blanks and emoji are left as they are."""
    assert text == visible(text)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", " =", "\r@", "\uff1d"])
def test_csv_text_is_not_a_formula(start: str) -> None:
    """No text cell starts like a formula, even after it is read back."""
    (row,) = csv.reader(io.StringIO(csv_text(f"{start}HYPERLINK(1)") + "\n"))

    assert not row[0].lstrip().startswith(("=", "+", "-", "@"))
