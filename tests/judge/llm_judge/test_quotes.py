"""A quote counts if it is in the text, in whatever form a model copied it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.evaluations.llm.quotes import QUOTE_CHARS_MAX, folded, is_quoted

TEXT = (
    "## What the agent did\nwords: Reasoning: BTC-USD is 0.25 % under its 1m mean:\n a small buy; "
    "I won’t add – “never” — ﬁve\u00a0minutes in Zürich, ストップ 損切り."
)


@pytest.mark.parametrize(
    "quote",
    [
        "BTC-USD is 0.25 % under its 1m mean: a small buy",
        "btc-usd IS 0.25 % Under",
        '"BTC-USD is 0.25 % under"',
        "mean:\n\n\t a   small",
        'I won\'t add - "never"',
        "five minutes",
        "Zu\u0308rich",
        "ストップ 損切り",
        "BTC-USD is 0.25 % ... a small buy",
        "BTC-USD is 0.25 % … a small buy …",
        "[...] a small buy",
        "small\u200b buy",
    ],
)
def test_copied_words_are_found(quote: str) -> None:
    """Whitespace, case, forms of characters, marks and gaps do not matter."""
    assert is_quoted(quote, TEXT)


@pytest.mark.parametrize(
    "quote",
    [
        "",
        "   ",
        "a",
        "...",
        '""',
        "BTC-USD is 0.26 % under its 1m mean",
        "a small sell",
        "a small buy ... BTC-USD is 0.25 %",
        "buy ... is",
        "it seems that BTC-USD is 0.25 %",
        "Zurich",
    ],
)
def test_other_words_are_not_found(quote: str) -> None:
    """Nor are changed figures, a wrong order of parts, and quotes too short to say anything."""
    assert not is_quoted(quote, TEXT)


def test_quote_that_is_cut_is_still_found() -> None:
    """Only the first characters of a long quote are compared, as only they are kept."""
    long = "word " * 200

    assert is_quoted(long, f"before {long} after")
    assert is_quoted(long[:QUOTE_CHARS_MAX] + " something else", f"before {long} after")


@given(st.text(max_size=200), st.data())
def test_every_part_of_a_text_is_found(text: str, data: st.DataObject) -> None:
    """If it has enough letters, after folding."""
    start = data.draw(st.integers(0, max(len(folded(text)) - 1, 0)))
    part = folded(text)[start : start + 60]
    enough = sum(char.isalnum() for char in folded(part)) >= 4

    assert not enough or "..." in part or "…" in part or is_quoted(part, text)


@given(st.text(max_size=400), st.text(max_size=400))
def test_no_text_raises(quote: str, text: str) -> None:
    """Whatever a model writes is found or not."""
    assert is_quoted(quote, text) in (True, False)
