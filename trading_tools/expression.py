"""Arithmetic for models: a bounded recursive-descent evaluator over `Decimal`, without `eval`.

Cost is bounded before anything is computed, by the text's length and nesting, and while
computing: every result is rounded to `DIGITS` digits and refused beyond 10^+-`EXPONENT_MAX`, and
an exponent of ** is at most `POWER_MAX`, so no operation can grow.

    sum     = product {("+" | "-") product}
    product = signed {("*" | "/" | "//" | "%") signed}
    signed  = ("+" | "-") signed | power
    power   = atom ["**" signed]
    atom    = number | name "(" sum {"," sum} ")" | "(" sum ")"

As in Python, // rounds down, % has the sign of the divisor, -2 ** 2 is -4.
"""

import decimal
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

LENGTH_MAX = 256
DEPTH_MAX = 48
DIGITS = 34
SHOWN_DIGITS = 28
"""Fewer than are computed with, so that 1/3*3 shows as 1."""
EXPONENT_MAX = 999
POWER_MAX = 1_024
ROUND_DIGITS_MAX = 12
ARGUMENTS_MAX = 16

CONTEXT = decimal.Context(
    prec=DIGITS,
    rounding=decimal.ROUND_HALF_EVEN,
    Emin=-EXPONENT_MAX,
    Emax=EXPONENT_MAX,
    traps=[decimal.Overflow, decimal.InvalidOperation, decimal.DivisionByZero],
)
SHOWN = decimal.Context(prec=SHOWN_DIGITS, Emin=-EXPONENT_MAX - DIGITS, Emax=EXPONENT_MAX)
TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_]\w*)|(?P<sign>\*\*|//|[-+*/%(),]))",
    re.ASCII,
)


class ExpressionError(ValueError):
    """The expression cannot be evaluated; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of an expression: a number, a name, a sign, or the end."""

    kind: str
    text: str


END = Token("end", "the end")


def evaluate(text: str) -> Decimal:
    """The value of an expression.

    Raises:
        ExpressionError: It is not an expression, is too large, or has no finite value.
    """
    parser = _Parser(_tokens(text.strip()))
    try:
        value = parser.sum(0)
    except decimal.DivisionByZero:
        raise ExpressionError("division by zero; check the divisor") from None
    except decimal.Overflow:
        raise ExpressionError(f"a result beyond 10^{EXPONENT_MAX}; use smaller numbers") from None
    except decimal.InvalidOperation:
        reason = f"a step is not a real number or needs more than {DIGITS} digits"
        raise ExpressionError(f"{reason}, such as sqrt(-1), 0/0 or 1e40 % 7") from None
    parser.take("end")
    return value


def result_text(value: Decimal) -> str:
    """A result as plain digits if that is short, else in scientific notation."""
    trimmed = value.normalize(SHOWN)
    if not trimmed:
        return "0"
    return format(trimmed, "f") if -12 <= trimmed.adjusted() < SHOWN_DIGITS else str(trimmed)


def _tokens(text: str) -> list[Token]:
    if not text:
        raise ExpressionError("the expression is empty; send one such as 2 * 3")
    if len(text) > LENGTH_MAX:
        raise ExpressionError(f"the expression has {len(text)} characters; at most {LENGTH_MAX}")
    tokens, at = [], 0
    while at < len(text):
        found = TOKEN.match(text, at)
        if found is None:
            rest = text[at:].lstrip()[:1]
            hint = "; write a power as **" if rest == "^" else "; use numbers and + - * / // % **"
            raise ExpressionError(f"{rest!a} is not understood{hint}")
        kind = found.lastgroup or ""
        tokens.append(Token(kind, found[kind]))
        at = found.end()
    return [*tokens, END]


class _Parser:
    """Walks the tokens once, from left to right, computing as it goes."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def take(self, kind: str, *texts: str) -> Token:
        """The next token, which must be of this kind and one of these texts."""
        token = self._tokens[self._at]
        if token.kind != kind or (texts and token.text not in texts):
            wanted = " or ".join(texts) or "an operator"
            raise ExpressionError(f"{wanted} was expected, not {token.text[:40]}")
        self._at += 1
        return token

    def _next_is(self, *texts: str) -> str:
        token = self._tokens[self._at]
        if token.kind != "sign" or token.text not in texts:
            return ""
        self._at += 1
        return token.text

    def sum(self, depth: int) -> Decimal:
        if depth > DEPTH_MAX:
            raise ExpressionError("the expression is nested too deep; split it")
        value = self._product(depth)
        while sign := self._next_is("+", "-"):
            other = self._product(depth)
            value = CONTEXT.add(value, other) if sign == "+" else CONTEXT.subtract(value, other)
        return value

    def _product(self, depth: int) -> Decimal:
        value = self._signed(depth)
        while sign := self._next_is("*", "/", "//", "%"):
            value = PRODUCTS[sign](value, self._signed(depth))
        return value

    def _signed(self, depth: int) -> Decimal:
        negative = False
        while sign := self._next_is("+", "-"):
            negative ^= sign == "-"
        value = self._power(depth)
        return CONTEXT.minus(value) if negative else CONTEXT.plus(value)

    def _power(self, depth: int) -> Decimal:
        base = self._atom(depth)
        if not self._next_is("**"):
            return base
        if depth >= DEPTH_MAX:
            raise ExpressionError("the expression is nested too deep; split it")
        return _power(base, self._signed(depth + 1))

    def _atom(self, depth: int) -> Decimal:
        token = self._tokens[self._at]
        if token.kind == "number":
            self._at += 1
            return CONTEXT.create_decimal(token.text)
        if token.kind == "name":
            return self._call(depth)
        if not self._next_is("("):
            raise ExpressionError(f"a number was expected, not {token.text[:40]}")
        value = self.sum(depth + 1)
        self.take("sign", ")")
        return value

    def _call(self, depth: int) -> Decimal:
        name = self.take("name").text
        if name not in FUNCTIONS:
            known = ", ".join(FUNCTIONS)
            raise ExpressionError(f"{name[:40]} is unknown; write numbers in, or use {known}")
        self.take("sign", "(")
        arguments = [self.sum(depth + 1)]
        while self.take("sign", ",", ")").text == ",":
            arguments.append(self.sum(depth + 1))
        fewest, most, function = FUNCTIONS[name]
        if not fewest <= len(arguments) <= most:
            takes = f"{fewest} to {most}" if fewest < most else str(most)
            raise ExpressionError(f"{name} takes {takes} numbers, not {len(arguments)}")
        return function(*arguments)


def _power(base: Decimal, exponent: Decimal) -> Decimal:
    if abs(exponent) > POWER_MAX:
        raise ExpressionError(f"an exponent of {result_text(exponent)}; at most {POWER_MAX}")
    return CONTEXT.power(base, exponent)


def _floor_divide(left: Decimal, right: Decimal) -> Decimal:
    quotient, remainder = CONTEXT.divmod(left, right)
    if remainder and (remainder < 0) != (right < 0):
        quotient = CONTEXT.subtract(quotient, Decimal(1))
    return quotient


def _modulo(left: Decimal, right: Decimal) -> Decimal:
    remainder = CONTEXT.remainder(left, right)
    if remainder and (remainder < 0) != (right < 0):
        remainder = CONTEXT.add(remainder, right)
    return remainder


def _round(value: Decimal, digits: Decimal = Decimal(0)) -> Decimal:
    if digits != digits.to_integral_value() or abs(digits) > ROUND_DIGITS_MAX:
        raise ExpressionError(f"round to {result_text(digits)} digits; give 0 to 12")
    step = Decimal(1).scaleb(-int(digits), CONTEXT)
    return CONTEXT.quantize(value, step)


PRODUCTS: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "*": CONTEXT.multiply,
    "/": CONTEXT.divide,
    "//": _floor_divide,
    "%": _modulo,
}
FUNCTIONS: dict[str, tuple[int, int, Callable[..., Decimal]]] = {
    "min": (1, ARGUMENTS_MAX, lambda *numbers: min(numbers)),
    "max": (1, ARGUMENTS_MAX, lambda *numbers: max(numbers)),
    "abs": (1, 1, CONTEXT.abs),
    "round": (1, 2, _round),
    "sqrt": (1, 1, CONTEXT.sqrt),
    "ln": (1, 1, CONTEXT.ln),
    "exp": (1, 1, CONTEXT.exp),
}
"""Fewest and most arguments, and the function itself."""
