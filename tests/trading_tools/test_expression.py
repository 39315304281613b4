"""The calculator's evaluator is exact and bounded, and raises only its own exception."""

import gc
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trading_tools.expression import LENGTH_MAX, ExpressionError, evaluate, result_text

PIECES = (
    *"0123456789.,()+-*/% e",
    *("**", "//", "9" * 20, "1e9", "1e999", "1e-999", "0.5", "1024", "1023.5"),
    *("sqrt(", "ln(", "exp(", "min(", "max(", "abs(", "round(", "__import__", "x", "²", "_"),
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1+0.2", "0.3"),
        ("1/3*3", "1"),
        ("-2**2", "-4"),
        ("2**-1", "0.5"),
        ("2**3**2", "512"),
        ("-7//2", "-4"),
        ("-7%3", "2"),
        ("7%-3", "-2"),
        ("7.5//2", "3"),
        ("(1+2)*3", "9"),
        ("round(2.675, 2)", "2.68"),
        ("round(2.5)", "2"),
        ("round(1234, -2)", "1200"),
        ("min(3, 1, 2) + max(4, 5) - abs(-6)", "0"),
        ("sqrt(16) + ln(exp(2))", "6"),
        (".5 + 5.", "5.5"),
        ("1e3", "1000"),
        ("0.25 * 97228.12 / 67203.55", "0.3616926486770416146170849605"),
        ("10**-20", "1E-20"),
        ("- - 3", "3"),
    ],
)
def test_values(text: str, value: str) -> None:
    """Decimal arithmetic with Python's precedence."""
    assert value == result_text(evaluate(text))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("9**9**9", "an exponent of 387420489; at most 1024"),
        ("1e9999", "beyond 10^999"),
        ("exp(1e9)", "beyond 10^999"),
        ("1/0", "division by zero"),
        ("sqrt(-1)", "not a real number"),
        ("ln(-1) + 1", "not a real number"),
        ("1e40 % 7", "more than 34 digits"),
        ("2^3", "write a power as **"),
        ("btc * 2", "btc is unknown"),
        ("__import__('os')", "is not understood"),
        ("(1).real", "is not understood"),
        ("1 2", "an operator was expected, not 2"),
        ("(1", ") was expected, not the end"),
        ("min()", "a number was expected, not )"),
        ("sqrt(1, 2)", "sqrt takes 1 numbers, not 2"),
        ("round(1, 99)", "round to 99 digits"),
        ("1" * (LENGTH_MAX + 1), "at most 256"),
        ("(" * 60 + "1" + ")" * 60, "nested too deep"),
        ("2**" * 60 + "1", "nested too deep"),
        ("¹", "is not understood"),
    ],
)
def test_invalid_expressions(text: str, says: str) -> None:
    """The error of an expression that cannot be computed says what to change."""
    with pytest.raises(ExpressionError) as refused:
        evaluate(text)

    assert says in str(refused.value)
    assert len(str(refused.value)) < 200


@settings(max_examples=2_000, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join) | st.text(max_size=300))
@example("9" * 40 + "**" + "9" * 40)
@example("exp(" * 40 + "1" + ")" * 40)
def test_any_text_ends_quickly(text: str) -> None:
    """For any text, the evaluator answers or raises its error, in bounded time."""
    # A garbage collection of the whole test process would count as the evaluator's time.
    gc.disable()
    try:
        began = time.process_time()
        try:
            result = result_text(evaluate(text))
        except ExpressionError as refused:
            result = str(refused)
        took_s = time.process_time() - began
    finally:
        gc.enable()

    assert result
    assert took_s < 0.25


def test_most_expensive_expression_is_fast() -> None:
    """The most expensive operations, as many as fit, take milliseconds."""
    worst = ["1.5**1023.5*" * 20 + "1", "ln(9)*" * 42 + "1", "sqrt(2)*" * 31 + "1", "9e9**99/" * 31]
    began = time.process_time()
    for text in worst:
        try:
            evaluate(text)
        except ExpressionError:
            continue

    assert time.process_time() - began < 0.5
