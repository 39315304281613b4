"""Figures as text: a small figure is never printed as zero, and noise of rounding is."""

import pytest

from arena.messages import Estimate
from judge.formatting import interval_text, percent
from judge.report import formats


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0123, "+1.2 %"),
        (0.0041, "+0.41 %"),
        (0.00012, "+0.012 %"),
        (-0.00001, "-0.001 %"),
        (0.000004, "+0.0004 %"),
        (-1.6e-9, "-0.0000002 %"),
        (-3e-16, "0.0 %"),
        (0.0, "0.0 %"),
        (12.5, "+1,250.0 %"),
    ],
)
def test_a_small_percentage_keeps_a_significant_digit(share: float, text: str) -> None:
    """It has as many decimals as needed; noise of rounding is zero without a sign."""
    assert text == percent(share, signed=True)


@pytest.mark.parametrize(
    ("low", "high", "text", "page"),
    [
        (-0.012, 0.034, "-1.20 .. +3.40", "−1.20 … +3.40"),
        (-4e-7, -3e-9, "-0.00004 .. -0.0000003", "−0.00004 … −0.0000003"),
        (-0.00002, 0.03, "-0.002 .. +3.00", "−0.002 … +3.00"),
        (0.0, 0.0, "+0.00 .. +0.00", "0.00 … 0.00"),
        (-2e-17, 0.01, "+0.00 .. +1.00", "0.00 … +1.00"),
    ],
)
def test_the_ends_of_an_interval_keep_their_sign(
    low: float, high: float, text: str, page: str
) -> None:
    """In the terminal and on the page, at any size."""
    assert text == interval_text(Estimate(value=low, low=low, high=high))
    assert page == formats.spread(low * 100, high * 100, 2)


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(0.0041, "+0.41 %"), (-4e-7, "−0.00004 %"), (1e-17, "0.00 %"), (0.0, "0.00 %")],
)
def test_a_small_change_on_the_page_is_not_zero(ratio: float, text: str) -> None:
    """The page has two decimals, and more for smaller changes."""
    assert text == formats.change(ratio)
