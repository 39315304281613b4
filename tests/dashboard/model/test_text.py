"""Formatting of figures and text."""

from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.money import SCALE, to_price_units
from dashboard import text


@pytest.mark.parametrize(
    ("units", "expected"),
    [(100_412_77 * SCALE // 100, "100,412.77"), (0, "0.00"), (-42_10 * SCALE // 100, "-42.10")],
)
def test_money_has_separators_and_cents(units: int, expected: str) -> None:
    """USD are shown to the cent."""
    assert expected == text.money(units)


@pytest.mark.parametrize(
    ("units", "expected"),
    [(38_20 * SCALE // 100, "+38.20"), (-1_238_00 * SCALE // 100, "-1,238.00"), (0, "0.00")],
)
def test_change_has_its_sign(units: int, expected: str) -> None:
    """Gains have a plus, losses a minus, zero has no sign."""
    assert expected == text.signed_money(units)


@pytest.mark.parametrize("units", [1, -1, 499_999])
def test_change_that_rounds_to_zero_has_no_sign(units: int) -> None:
    """Neither "-0.00" nor "+0.00" is shown."""
    assert "0.00" == text.signed_money(units)


def test_unknown_value_is_a_dash() -> None:
    """It is not shown as zero."""
    shown = {
        text.money(None),
        text.signed_money(None),
        text.signed_percent(None, 1),
        text.percent(None, 1),
        text.price(None),
        text.age(None),
        text.cost(None),
        text.bps(None),
    }

    assert {text.NO_VALUE} == shown


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [(41, 10_000, "+0.41%"), (-271, 10_000, "-2.71%"), (0, 10_000, "0.00%"), (1, 0, "-")],
)
def test_return_is_a_signed_percentage(part: int, whole: int, expected: str) -> None:
    """It has two decimals and a sign; without a whole it is unknown."""
    assert expected == text.signed_percent(part, whole)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("67203.55000000", "67,203.55"), ("0.00001234", "0.00001234"), ("5", "5.00")],
)
def test_price_keeps_its_digits(value: str, expected: str) -> None:
    """An exact price has all its digits and no trailing zeros."""
    assert expected == text.price(Decimal(value))


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.31, "0.3 s"), (42.9, "42 s"), (252, "4m12"), (5_640, "1h34"), (200_000, "2d07")],
)
def test_age_is_short(seconds: float, expected: str) -> None:
    """Ages take at most five characters."""
    assert expected == text.age(seconds)


@pytest.mark.parametrize(
    ("hours", "expected"), [(0, "UTC"), (1, "+01"), (5.5, "+05:30"), (-8, "-08")]
)
def test_zone_is_short(hours: float, expected: str) -> None:
    """The header shows the offset of local times."""
    moment = datetime(2026, 11, 21, tzinfo=timezone(timedelta(hours=hours)))

    assert expected == text.offset_text(moment)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("a \x1b[31mred\x1b[0m b", r"a \u001b[31mred\u001b[0m b"),
        ("\x1b]0;title\x07x", r"\u001b]0;title\u0007x"),
        ("a\u202eb\u200bc\u2066d", r"a\u202eb\u200bc\u2066d"),
        ("bell\x07 and \x9b2Jmore", r"bell\u0007 and \u009b2Jmore"),
        ("cut off \x1b[", r"cut off \u001b["),
        ("two\nlines\tkept", "two\nlines  kept"),
    ],
)
def test_untrusted_text_cannot_act_on_the_terminal(raw: str, expected: str) -> None:
    """Escape sequences, invisible and direction-changing characters become visible."""
    assert expected == text.clean(raw)


@given(st.text(max_size=400))
def test_one_line_is_printable(raw: str) -> None:
    """It has no control or format characters."""
    line = text.one_line(raw)

    assert not [c for c in line if ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c in "\u202e\u2028"]


@given(st.text(alphabet="\x1b[]0;mHJab\x07\\P", max_size=60))
def test_no_escape_survives(raw: str) -> None:
    """Broken and nested sequences leave no escape byte."""
    assert "\x1b" not in text.clean(raw)


@pytest.mark.parametrize(
    ("price", "shown"),
    [
        ("67203.555", "67,203.56"),
        ("141.2", "141.20"),
        ("0.2134", "0.2134"),
        ("12.3456789", "12.345678"),
        ("0.00001123", "0.00001123"),
        ("0.000000001234", "0.000000001234"),
        ("0.000000123456789", "0.000000123457"),
        ("0", "0.00"),
        ("1" + "0" * 17, "100,000,000,000,000,000.00"),
    ],
)
def test_price_of_any_size_is_legible(price: str, shown: str) -> None:
    """A tiny one has six significant digits."""
    assert shown == text.unit_price(to_price_units(Decimal(price)))


@pytest.mark.parametrize(
    ("units", "shown"),
    [
        (41 * 10**6, "0.41"),
        (123_456_789 * 10**8 + 1, "123,456,789.00000001"),
        (43_745_355_570_986 * 10**8, "43.745T"),
        (-2 * 10**17, "-2B"),
        (10**26 - 1, "1,000e15"),
    ],
)
def test_huge_quantity_is_short(units: int, shown: str) -> None:
    """From a billion on it has five digits and a suffix; below it is exact."""
    assert shown == text.quantity(units)


def test_amount_of_any_size_is_shown() -> None:
    """An absurd price must not end the screen."""
    assert text.money(10**50).endswith("000.00")
