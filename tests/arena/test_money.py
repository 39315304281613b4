"""Money: exact text in, integers inside, rounding as documented."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from arena import money

UNITS = st.integers(min_value=-(10**17), max_value=10**17)
POSITIVE = st.integers(min_value=1, max_value=10**16)


class Priced(BaseModel):
    """A body with one amount."""

    price: money.WireDecimal


def test_string_keeps_every_digit() -> None:
    """A decimal survives the wire digit by digit."""
    text = "64123.4500000000001"

    assert Decimal(text) == Priced.model_validate_json(f'{{"price":"{text}"}}').price
    assert f'{{"price":"{text}"}}' == Priced(price=Decimal(text)).model_dump_json()


@pytest.mark.parametrize(
    "body",
    ["1.5", "1", "true", "null", '"NaN"', '"Infinity"', '"1e999999"', '"x"', '""', f'"{"1" * 70}"'],
)
def test_invalid_amount_is_refused(body: str) -> None:
    """JSON numbers, NaN, infinities and absurd exponents are refused."""
    with pytest.raises(ValidationError):
        Priced.model_validate_json(f'{{"price":{body}}}')


@pytest.mark.parametrize(
    "text",
    ["all", "50%", "1,000.5", "0,5", "1_0.5", "１", "٠.٥", "0.01 BTC", "0x1", "NaN", "1e400", ""],
)
def test_refusal_says_what_to_send(text: str) -> None:
    """Only ASCII digits without separators are a number; the error has the remedy."""
    with pytest.raises(ValueError, match="; send "):
        money.parse_decimal(text)


@given(UNITS)
def test_units_round_trip(units: int) -> None:
    """Units to text, to Decimal and back are the same units."""
    assert units == money.to_units(money.from_units(units))
    assert units == money.to_units(Decimal(money.units_text(units)))


def test_more_than_eight_decimals_are_refused() -> None:
    """A finer amount than the scale is an error, not a rounding."""
    with pytest.raises(ValueError, match="more than 8 decimals"):
        money.to_units(Decimal("0.123456789"))


@given(st.integers(1, 10**26), st.integers(1, 10**26))
def test_cash_notional_is_the_nearest_micro_dollar(quantity: int, price: int) -> None:
    """The rounded notional is a whole micro-dollar within half of one of the exact product."""
    rounded = money.cash_notional_units(quantity, money.PriceUnits(price))
    exact = Fraction(quantity * price, money.PRICE_SCALE)

    assert 0 == rounded % money.CASH_STEP
    assert abs(exact - rounded) <= Fraction(money.CASH_STEP, 2)


@given(POSITIVE, st.decimals(min_value=0, max_value=200, places=2))
def test_fee_is_rounded_up(notional: int, fee_bps: Decimal) -> None:
    """The fee is the least whole micro-dollar that covers the rate."""
    fee = money.fee_units(notional, fee_bps)
    exact = Fraction(notional) * Fraction(fee_bps) / money.BPS

    assert 0 == fee % money.CASH_STEP
    assert exact <= fee < exact + money.CASH_STEP


@given(
    POSITIVE,
    st.decimals(min_value=0, max_value=100, places=2),
    st.sampled_from([1, 100, 10**4, 10**6]),
)
def test_slippage_goes_against_the_taker(price: int, bps: Decimal, increment: int) -> None:
    """A buy never fills below the ask plus slippage, a sell never above the bid less it."""
    best, step = money.PriceUnits(price), money.PriceUnits(increment)
    up = money.slip_price(best, bps, step, up=True)
    down = money.slip_price(best, bps, step, up=False)
    moved_up = Fraction(price) * (1 + Fraction(bps) / money.BPS)
    moved_down = Fraction(price) * (1 - Fraction(bps) / money.BPS)

    assert 0 == up % increment == down % increment
    assert moved_up <= up < moved_up + increment
    assert moved_down - increment < down <= moved_down


@given(st.integers(min_value=-(10**36), max_value=10**36))
def test_price_units_round_trip(units: int) -> None:
    """A price of any size and up to eighteen decimals keeps every digit as text and `Decimal`."""
    price = money.PriceUnits(units)

    assert price == money.to_price_units(Decimal(money.price_text(price)))
    assert price == money.to_price_units(money.from_price_units(price))


@given(UNITS)
def test_price_of_eight_decimals_reads_as_its_amount_does(units: int) -> None:
    """Texts of prices in records are the same as when prices had the scale of amounts."""
    price = money.to_price_units(money.from_units(units))

    assert money.units_text(units) == money.price_text(price)


def test_price_finer_than_the_scale_is_refused() -> None:
    """Nineteen decimals are an error if the price must be exact, and None if it is optional."""
    fine = Decimal("0.0000000000000000001")

    with pytest.raises(ValueError, match="more than 18 decimals"):
        money.to_price_units(fine)
    assert money.price_or_none(fine) is None


def test_notional_of_trillions_of_units_is_exact() -> None:
    """Ten trillion units at twelve decimals: no digit of the notional is lost."""
    price = money.to_price_units(Decimal("0.000001123457"))

    notional = money.cash_notional_units(10**13 * money.SCALE, price)

    assert Decimal("11234570") == money.from_units(notional)


@pytest.mark.parametrize(
    ("cost", "quantity", "text"),
    [
        ("2755.5", "0.041", "67207.31707317"),
        ("11234570", "10000000000000", "0.000001123457"),
        ("1", "3", "0.33333333"),
        ("1", "30000", "0.0000333333333333"),
        ("1", "300000000000000000", "0.000000000000000003"),
        ("0", "5", "0"),
    ],
)
def test_unit_cost_has_enough_digits_for_its_size(cost: str, quantity: str, text: str) -> None:
    """Eight decimals of an ordinary price, twelve digits of a tiny one, never past the scale."""
    found = money.unit_cost(money.to_units(Decimal(cost)), money.to_units(Decimal(quantity)))

    assert text == money.price_text(found)


@pytest.mark.parametrize(
    ("venue", "carried"),
    [("0.01", "0.01"), ("1E-8", "1E-8"), ("1E-10", "1E-8"), ("2.5E-9", "1E-8"), ("1000", "1000")],
)
def test_finer_quantity_step_becomes_finest_supported(venue: str, carried: str) -> None:
    """Every quantity on the coarser step is one that the venue takes, too."""
    assert Decimal(carried) == money.carried_base_step(Decimal(venue))


@pytest.mark.parametrize(
    ("base", "quote", "why"),
    [
        ("1", "1E-18", ""),
        ("1E-12", "0.01", ""),
        ("3E-9", "0.01", "its quantity step 0.000000003 does not fit the 8 decimals"),
        ("1", "1E-19", "its price step 0.0000000000000000001 does not fit the 18 decimals"),
        ("0", "1", "its quantity step is 0, not a positive number"),
        ("1", "-1", "its price step is -1, not a positive number"),
    ],
)
def test_unsupported_steps_are_named(base: str, quote: str, why: str) -> None:
    """The text has the step and the limit; "" means that the product can be traded."""
    found = money.why_not_carried(Decimal(base), Decimal(quote))

    assert found.startswith(why)
    assert bool(found) == bool(why)


def test_half_rounds_to_even() -> None:
    """Ties round to the even neighbour."""
    halves = [money.divide_half_even(n, 2) for n in (1, 3, 5, -1, -3)]

    assert [0, 2, 2, 0, -2] == halves


@pytest.mark.parametrize(
    ("text", "share"), [("0.2", "0.2"), ("20%", "0.2"), ("12.5 %", "0.125"), ("0", "0"), ("1", "1")]
)
def test_share_is_a_fraction_or_a_percentage(text: str, share: str) -> None:
    """Both ways of writing it mean the same."""
    assert Decimal(share) == money.parse_share(text)


@pytest.mark.parametrize("text", ["20", "101%", "-0.1", "a fifth", "0.123456789", "%", ""])
def test_invalid_share_is_refused(text: str) -> None:
    """Twenty is not taken for 20%."""
    with pytest.raises(ValueError, match="share|decimal"):
        money.parse_share(text)
