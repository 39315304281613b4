"""Arguments as models write them are read exactly, or refused with a text."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_tools.arguments import ARGUMENTS_CHARS_MAX, UnreadableArguments, quoted, read_arguments


def test_numbers_keep_all_digits() -> None:
    """A number with a point never passes through a float."""
    found = read_arguments('{"a": 0.1000000000000000055511151231257827, "b": 12, "c": 1e2}')

    assert {"a": Decimal("0.1000000000000000055511151231257827"), "b": 12, "c": 100} == found


@pytest.mark.parametrize("text", ["", "  ", "null", "{}"])
def test_empty_text_is_an_empty_object(text: str) -> None:
    """Models send several empty texts for a tool without arguments."""
    assert {} == read_arguments(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": -Infinity}', "-Infinity is no number"),
        ('{"a": 1, "a": 2}', "'a' is given twice"),
        ('{"a": {"b": 1, "b": 2}}', "'b' is given twice"),
        ("[1]", "is no JSON object"),
        ('"text"', "is no JSON object"),
        ("{'a': 1}", "is no JSON (Expecting property name"),
        ('{"a": 1} and more', "is no JSON (Extra data"),
        ('```json\n{"a": 1}\n```', "is no JSON"),
        ('{"a": "\\ud800"}', "half a character"),
        ('{"\\udfff": 1}', "half a character"),
        ("\ud800", "no Unicode"),
        ("[" * 5_000, "is no JSON"),
        ('{"a": ' + "9" * 5_000 + "}", "is no JSON"),
        ('{"a": 1e' + "9" * 50 + "}", "is no JSON"),
        (" " * (ARGUMENTS_CHARS_MAX + 1), "send at most 8,192"),
    ],
)
def test_unreadable_arguments_are_refused(text: str, says: str) -> None:
    """Each error says what was wrong."""
    with pytest.raises(UnreadableArguments) as refused:
        read_arguments(text)

    assert says in str(refused.value)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text raises another error."""
    try:
        found: object = read_arguments(text)
    except UnreadableArguments as refused:
        found = str(refused)

    assert isinstance(found, dict) or found


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=9))
def test_quoted_values_are_printable_and_short(value: object) -> None:
    """No escape sequence of a model reaches a terminal, and no megabyte a log."""
    text = quoted(value)

    assert text.isascii()
    assert text.isprintable()
    assert len(text) < 100
