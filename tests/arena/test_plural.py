"""Counts in words."""

import pytest

from arena.plural import counted, noun


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 runs"), (1, "1 run"), (2, "2 runs"), (-1, "-1 run"), (1_204, "1,204 runs")],
)
def test_noun_matches_count(number: int, words: str) -> None:
    """One run is not "1 runs"."""
    assert words == counted(number, "run")


def test_irregular_plural_is_used() -> None:
    """English has more than an s."""
    assert ("1 entry", "2 entries") == (
        counted(1, "entry", "entries"),
        counted(2, "entry", "entries"),
    )
    assert ("is", "are") == (noun(1, "is", "are"), noun(0, "is", "are"))
