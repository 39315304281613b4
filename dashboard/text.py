"""Formats text and figures for people: cleaned text, money, signs, ages. Pure.

Text of models and venues is untrusted: it must not move the cursor, change a colour or the reading
direction of a terminal.
"""

from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal

from arena.money import (
    PriceUnits,
    divide_half_even,
    from_price_units,
    from_units,
    to_digits,
    units_text,
)
from arena.visible_text import visible

CLEAN_CHARS_MAX = 20_000
NO_VALUE = "-"
PRICE_DIGITS_SHOWN = 6
"""Significant digits of a tiny price."""
HUGE = ((15, "e15"), (12, "T"), (9, "B"))
"""Powers of ten from which on a quantity is shortened, and their suffixes."""
HUGE_DIGITS = 5

CENT_DIGITS = 2


def clean(text: str, limit: int = CLEAN_CHARS_MAX) -> str:
    """Make every control, invisible or direction-changing character visible.

    Args:
        text: Untrusted text of any length.
        limit: Characters to use; the rest is cut.

    Returns:
        Printable text; line breaks are kept, a tab becomes two spaces.
    """
    cut = text[:limit].replace("\r\n", "\n").replace("\t", "  ")
    return visible(cut)


def one_line(text: str, limit: int = 400) -> str:
    """Cleaned text on one line: runs of white space become one space."""
    return " ".join(clean(text[: 8 * limit]).split())[:limit]


def money(units: int | None, digits: int = 2) -> str:
    """Cash with separators and cents: "100,412.77"; more digits for a currency like BTC."""
    return NO_VALUE if units is None else f"{_cash(units, digits):,}"


def signed_money(units: int | None, digits: int = 2) -> str:
    """A change of cash, always with its sign: "+38.20", "-42.10", "0.00"."""
    if units is None:
        return NO_VALUE
    amount = _cash(units, digits)
    return f"{amount:+,}" if amount else f"{amount:.{digits}f}"


def signed_percent(part: int | None, whole: int) -> str:
    """A change as a percentage of a whole: "+0.41%"; "-" if either is unknown."""
    if part is None or whole <= 0:
        return NO_VALUE
    hundredths = divide_half_even(part * 10_000, whole)
    text = f"{Decimal(hundredths).scaleb(-2):+,}"
    return f"{text if hundredths else '0.00'}%"


def index(gain: int | None, whole: int) -> str:
    """A wealth index with four decimals, 1 at the start: "1.0041"; "-" if it is unknown."""
    if gain is None or whole <= 0:
        return NO_VALUE
    return str(Decimal(divide_half_even((whole + gain) * 10_000, whole)).scaleb(-4))


def percent(part: int | None, whole: int | None) -> str:
    """A share in whole percent: "72%"."""
    if part is None or whole is None or whole <= 0:
        return NO_VALUE
    return f"{divide_half_even(part * 100, whole)}%"


def quantity(units: int) -> str:
    """A quantity with separators and without trailing zeros: "0.41", "1,204"; "8.9011T" of 10^12.

    Below a billion it is exact.
    """
    number = from_units(units)
    for power, suffix in HUGE:
        if abs(number) >= Decimal(10) ** power:
            return f"{_digits(number.scaleb(-power), HUGE_DIGITS)}{suffix}"
    whole, _, part = units_text(units).partition(".")
    grouped = f"{int(whole):,}" if whole.lstrip("-") != "0" else whole
    return f"{grouped}.{part}" if part else grouped


def price(value: Decimal | None) -> str:
    """An exact price with separators, at least two decimals, no further trailing zeros."""
    if value is None:
        return NO_VALUE
    exponent = value.normalize().as_tuple().exponent
    digits = -exponent if isinstance(exponent, int) else 0
    return f"{value:,.{max(2, digits)}f}"


def unit_price(price: PriceUnits | None) -> str:
    """A price: two decimals from 100 upwards, up to six below, six digits below a tenth."""
    if price is None:
        return NO_VALUE
    number = from_price_units(price)
    if number >= 100:
        return f"{to_digits(number, CENT_DIGITS):,}"
    if 0 < number < Decimal("0.1"):
        return _digits(number, PRICE_DIGITS_SHOWN)
    whole, _, part = format(number, "f").partition(".")
    return f"{whole}.{part[:6].rstrip('0'):0<2}"


def cost(value: Decimal | None) -> str:
    """The cost of model calls: "$0.0123"."""
    return NO_VALUE if value is None else f"${value.quantize(Decimal('0.0001')):,}"


def significant(value: float, digits: int = 7) -> str:
    """A number with a number of significant digits, separators and no exponent: "67,203.61"."""
    return f"{Decimal(f'{value:.{digits}g}'):,f}"


def count(number: int) -> str:
    """A whole number with separators."""
    return f"{number:,}"


def short_count(number: int) -> str:
    """A whole number in four or five characters: "812", "2.1k", "31k", "4.2M"."""
    for divisor, suffix in ((1_000_000, "M"), (1_000, "k")):
        if number >= divisor:
            scaled = number / divisor
            return f"{scaled:.1f}{suffix}" if scaled < 10 else f"{scaled:.0f}{suffix}"
    return str(number)


def age(seconds: float | None) -> str:
    """A length of time in at most five characters: "0.3 s", "42 s", "4m12", "3h05", "2d04"."""
    if seconds is None:
        return NO_VALUE
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}"
    return f"{whole // 86_400}d{whole % 86_400 // 3600:02d}"


def milliseconds(value: float | None) -> str:
    """A latency: "7 ms", "1,204 ms", "12.3 s"; "not measured" for zero, as in a backtest."""
    if value is None:
        return NO_VALUE
    if not value:
        return "not measured"
    return f"{value:,.0f} ms" if value < 10_000 else f"{value / 1000:,.1f} s"


def bps(value: Decimal | None) -> str:
    """Basis points with a sign and one decimal: "+0.4"."""
    if value is None:
        return NO_VALUE
    tenth = value.quantize(Decimal("0.1"))
    return f"{tenth:+,}" if tenth else "0.0"


def offset_text(moment: datetime) -> str:
    """The zone of a local time: "UTC", "+01", "+05:30"."""
    zone = moment.strftime("%z")
    if zone in ("+0000", ""):
        return "UTC"
    return zone[:3] if zone[3:5] == "00" else f"{zone[:3]}:{zone[3:5]}"


def _digits(number: Decimal, digits: int) -> str:
    """A number of significant digits, without exponent and trailing zeros: "0.000001123"."""
    step = Decimal(1).scaleb(min(0, number.adjusted() - digits + 1))
    return f"{number.quantize(step, ROUND_HALF_EVEN).normalize():,f}"


def _cash(units: int, digits: int) -> Decimal:
    found = to_digits(from_units(units), digits)
    return found or abs(found)  # no "-0.00"
