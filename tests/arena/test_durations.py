"""Durations as they are written in settings and flags."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.durations import DAYS_MAX, duration_option, duration_text, parse_duration
from arena.errors import UsageError


def test_durations_are_read() -> None:
    """In seconds, minutes, hours and days; with up to three decimals."""
    assert [600, 90, 5400, 86_400] == [parse_duration(one) for one in ("10m", "90s", "1.5h", "1d")]


@pytest.mark.parametrize(
    "text", ["", "10", "10 m", "10 minutes", "-1s", "0s", "8d", "1e3s", 10, None]
)
def test_anything_else_is_refused(text: object) -> None:
    """The message names the value and says what to write."""
    with pytest.raises(ValueError, match="such as"):
        parse_duration(text)


def test_fault_of_a_flag_names_it() -> None:
    """As any wrong option does."""
    with pytest.raises(UsageError, match="--coach-expires is 'soon'"):
        duration_option("--coach-expires", "soon")


@given(st.integers(1, (DAYS_MAX * 86_400)))
def test_text_of_a_duration_is_read_back(seconds: int) -> None:
    """In the largest unit that is exact."""
    assert seconds == parse_duration(duration_text(seconds))
