"""Schemas from signatures, and what models are told when their arguments do not fit."""

from decimal import Decimal
from typing import Literal

import pytest

from arena.errors import UsageError
from trading_tools.catalogue.execute_trade import execute_trade
from trading_tools.context import Answer, ToolContext
from trading_tools.schema import ExactDecimal, Refused, parse_docstring, signature_of

TRADE = signature_of(execute_trade)


def test_the_schema_of_execute_trade() -> None:
    """Names, order, types and descriptions are those of the function; the context is hidden."""
    parameters = TRADE.parameters

    assert "execute_trade" == TRADE.tool
    assert TRADE.description.startswith("Buy or sell a product at the current market price. A buy")
    assert {
        "type": "object",
        "properties": {
            "product_id": {
                "type": "string",
                "maxLength": 64,
                "description": 'The product, as in the market data: "BTC-USD".',
            },
            "quantity": {
                "type": "string",
                "format": "decimal",
                "description": "How much of the base currency, as decimal text:"
                ' "0.05" of BTC-USD is 0.05 BTC.',
            },
            "action": {
                "type": "string",
                "enum": ["buy", "sell"],
                "description": '"buy" or "sell".',
            },
        },
        "required": ["product_id", "quantity", "action"],
        "additionalProperties": False,
    } == parameters
    assert ["product_id", "quantity", "action"] == list(TRADE.model.model_fields)


@pytest.mark.parametrize(
    ("quantity", "value"),
    [
        ('"0.041"', "0.041"),
        ("0.041", "0.041"),
        ("2", "2"),
        ("0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"),
        ('"-1"', "-1"),
    ],
)
def test_a_quantity_is_read_digit_by_digit(quantity: str, value: str) -> None:
    """Text and number are the same quantity; judging it is the executor's business."""
    found = TRADE.read(f'{{"product_id": "A", "quantity": {quantity}, "action": "buy"}}')

    assert {"product_id": "A", "quantity": Decimal(value), "action": "buy"} == found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "the arguments were '{' is no JSON"),
        ("{}", "'product_id' is missing: give product_id, quantity, action"),
        ('{"product_id": 5, "quantity": "1", "action": "buy"}', "product_id was '5'"),
        ('{"product_id": "A", "quantity": "lots", "action": "buy"}', "quantity was 'lots'"),
        ('{"product_id": "A", "quantity": true, "action": "buy"}', "quantity was 'True'"),
        ('{"product_id": "A", "quantity": 1e999, "action": "buy"}', "quantity was '1E+999'"),
        ('{"product_id": "A", "quantity": "NaN", "action": "buy"}', "is not finite"),
        ('{"product_id": "A", "quantity": "inf", "action": "buy"}', "is not finite"),
        ('{"product_id": "A", "quantity": "1", "action": "hold"}', "action was 'hold': input"),
        ('{"product_id": "A", "quantity": "1", "action": "buy", "limit": 1}', "'limit' is no"),
        (f'{{"product_id": "{"A" * 65}", "quantity": "1", "action": "buy"}}', "at most 64"),
    ],
)
def test_a_refusal_names_argument_value_and_remedy(text: str, says: str) -> None:
    """A model can act on what it is told."""
    refused = TRADE.read(text)

    assert isinstance(refused, Refused)
    assert says in refused.reason
    assert len(refused.reason) < 600


def test_many_errors_are_bounded() -> None:
    """Ten thousand unknown arguments are told as five and a count."""
    many = ", ".join(f'"a{n}": 1' for n in range(500))
    refused = TRADE.read(f"{{{many}}}")

    assert isinstance(refused, Refused)
    assert refused.reason.endswith("and 498 more")


def test_a_docstring_is_description_and_arguments() -> None:
    """Continued lines belong to their argument; other sections to nobody."""
    text = """Do it.

    In two parts.

    Args:
        a: First,
            continued.
        b (int): Second.

    Returns:
        c: not an argument.
    """

    assert ("Do it. In two parts.", {"a": "First, continued.", "b": "Second."}) == parse_docstring(
        "tool", "\n".join(line.removeprefix("    ") for line in text.splitlines())
    )


def _undescribed(ctx: ToolContext, word: str) -> Answer:
    """Say something."""
    return Answer(word)


def _without_context(word: str) -> Answer:
    """Say something.

    Args:
        word: What.
    """
    return Answer(word)


def _silent(ctx: ToolContext) -> Answer:
    return Answer("")


@pytest.mark.parametrize("function", [_undescribed, _without_context, _silent])
def test_a_tool_that_models_cannot_understand_is_refused(function: object) -> None:
    """What is not described is no tool."""
    with pytest.raises(UsageError):
        signature_of(function)  # type: ignore[arg-type]


def test_defaults_and_literals_are_in_the_schema() -> None:
    """An argument with a default is not required."""

    def choose(ctx: ToolContext, amount: ExactDecimal, how: Literal["up", "down"] = "up") -> Answer:
        """Choose.

        Args:
            ctx: Who calls.
            amount: How much.
            how: Which way.
        """
        return Answer(f"{amount} {how}")

    signature = signature_of(choose)

    assert ["amount"] == signature.parameters["required"]
    assert {"amount": Decimal(3), "how": "up"} == signature.read('{"amount": 3}')
