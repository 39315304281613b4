"""Removes from a text what would let a judge recognise an agent, or know how well it does. Pure.

Removed, and marked by `REMOVED`: names of agent, strategy and model; ids and dates (a clock
time stays); cash, equity, profits and losses. Money is removed in two ways: by the words around a
number, and by its value wherever the account's own figures are repeated.
"""

import re
from collections.abc import Iterable, Mapping
from decimal import Context, Decimal, InvalidOperation

REMOVED = "[...]"
SIGNIFICANT_MIN = 3
"""Digits from which on a number is recognised by its value: shorter ones say little."""
NUMBER_CHARS_MAX = 40
WHOLE_DIGITS_MAX = 24
"""A larger value is compared without rounding."""
NEAR = 0.1
"""A number that is farther than this share from a value cannot be its rounding."""

_ROUNDING = Context(prec=NUMBER_CHARS_MAX + WHOLE_DIGITS_MAX)
"""Enough for any number that is read, rounded to as many places as any other one has."""
_UUID = re.compile(
    r"(?:\s*,?\s*\bid[ =:]\s*)?\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.I
)
_INSTANT = re.compile(r"\b\d{4}-\d\d-\d\d[T ](\d\d:\d\d)(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?")
_DATE = re.compile(r"\b(?:19|20)\d\d-\d\d(?:-\d{0,2})?(?:T\d{0,2})?(?!\d)")
_MODEL = re.compile(
    r"\b(?!\w+-(?-i:[A-Z]{3,5})\b)"
    r"(?:gpt|chatgpt|claude|gemini|gemma|llama|qwen|mistral|mixtral|deepseek|grok|openai"
    r"|anthropic|kimi|moonshot)(?:[-_. ]?\d[\w.]*)?(?:-[a-z0-9.]+)*\b",
    re.I,
)
_AMOUNT = r"[-+]?[$€£]?\s?[-+]?\d[\d,]*(?:\.\d+)?"
_NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?![\w]*[\d])(?:\s?[kK]\b)?")
_MONEY_AFTER_WORD = re.compile(
    r"(?P<word>\b(?:cash|equity|balance|net worth|account value|portfolio value|realised|realized"
    r"|unrealised|unrealized|set.aside|p&l|pnl)\w*(?:\s(?:is|of|at|was|now|=|:))?[^\w\n%+-]{0,4})"
    rf"{_AMOUNT}(?![\d.,]*\s?%)",
    re.I,
)
_COST_OF_FILL = re.compile(rf" for {_AMOUNT} [A-Z]{{2,10}} (?:plus|less) {_AMOUNT} fee")
_NEEDED = re.compile(r"\b(needs|has|have|holds|worth) [$€£]?(?:\d[\d,]{3,}(?:\.\d+)?|\d+\.\d+)")
_GAIN_OF_SALE = re.compile(r"(\bat [\d.,]+), [-+]?[\d.]+ ?%")


def without_names(text: str, names: Iterable[str]) -> str:
    """Remove names as whole words, in any case, with any separator between their parts."""
    for name in sorted({name.strip() for name in names} - {""}, key=len, reverse=True):
        parts = [re.escape(part) for part in re.split(r"[-_ ]+", name) if part]
        if parts:
            pattern = rf"(?<![^\W_]){'[-_ ]*'.join(parts)}(?![^\W_])"
            text = re.sub(pattern, REMOVED, text, flags=re.I)
    return _MODEL.sub(REMOVED, text)


def without_dates_and_ids(text: str) -> str:
    """Remove ids and dates; of an instant the clock time stays."""
    text = _UUID.sub("", text)
    return _DATE.sub(REMOVED, _INSTANT.sub(r"\1", text))


def without_money(text: str) -> str:
    """Remove amounts of money that the words around them name, but not prices."""
    text = _COST_OF_FILL.sub("", text)
    text = _GAIN_OF_SALE.sub(r"\1", text)
    text = _MONEY_AFTER_WORD.sub(rf"\g<word>{REMOVED}", text)
    return _NEEDED.sub(rf"\1 {REMOVED}", text)


def without_values(text: str, values: Iterable[Decimal]) -> str:
    """Remove numbers that are one of the values, rounded to the digits that are written.

    Args:
        text: The text.
        values: Amounts of the account.
    """
    known = {abs(value): float(abs(value)) for value in values if value}
    if not known:
        return text

    def replaced(match: re.Match[str]) -> str:
        return REMOVED if _is_one_of(match.group(), known) else match.group()

    return _NUMBER.sub(replaced, text)


def numbers_of(text: str) -> list[Decimal]:
    """The numbers that a text writes with enough digits to be recognised."""
    found = (_value(match.group()) for match in _NUMBER.finditer(text))
    return [number for number in found if number is not None]


def _is_one_of(token: str, known: Mapping[Decimal, float]) -> bool:
    number = _value(token)
    if number is None:
        return False
    exponent, near = number.as_tuple().exponent, float(number)
    places = -exponent if isinstance(exponent, int) else 0
    return any(
        abs(size - near) <= NEAR * size and _rounded(value, places) == number
        for value, size in known.items()
    )


def _value(token: str) -> Decimal | None:
    """The number of a token such as "99,871.20" or "99.8k"; None if it has too few digits."""
    plain = token.replace(",", "").strip()
    thousands = plain[-1:] in "kK"
    try:
        number = Decimal(plain.rstrip("kK ")[:NUMBER_CHARS_MAX])
    except InvalidOperation:
        return None
    if len(str(number).replace(".", "").strip("0")) < SIGNIFICANT_MIN and number < 1000:
        return None
    return number.scaleb(3) if thousands else number


def _rounded(value: Decimal, places: int) -> Decimal:
    if value.adjusted() >= WHOLE_DIGITS_MAX:
        return value
    return value.quantize(Decimal(1).scaleb(-places), context=_ROUNDING)
