"""Schemas from signatures, and the errors for arguments that do not fit."""

from collections.abc import Callable
from decimal import Decimal
from typing import Literal

import pytest

from arena.errors import UsageError
from trading_tools.catalogue.execute_trade import execute_trade
from trading_tools.context import Answer, ToolContext
from trading_tools.schema import ExactDecimal, InvalidArguments, parse_docstring, signature_of

TRADE = signature_of(execute_trade)
ARGUMENTS = ("product_id", "quantity", "action")
OPTIONAL = (
    "limit_price",
    "stop_loss_pct",
    "take_profit_pct",
    "trailing_pct",
    "exit_after",
    "expires_after",
)


def test_schema_of_execute_trade() -> None:
    """Names, order, types and descriptions are those of the function; the context is hidden."""
    parameters = TRADE.parameters
    properties = parameters["properties"]

    assert "execute_trade" == TRADE.tool
    assert TRADE.description.startswith("Buy or sell a product at the current market price. A buy")
    assert {
        "type": "object",
        "required": ["product_id", "quantity", "action"],
        "additionalProperties": False,
    } == {key: value for key, value in parameters.items() if key != "properties"}
    assert isinstance(properties, dict)
    assert {
        "product_id": {
            "type": "string",
            "maxLength": 64,
            "description": 'The product, as in the market data: "BTC-USD".',
        },
        "quantity": {
            "type": "string",
            "description": 'Base currency, as decimal text: "0.05" of BTC-USD is 0.05 BTC; "all"'
            ' or "50%" of what you hold, for a buy of your cash.',
        },
        "action": {
            "type": "string",
            "enum": ["buy", "sell"],
            "description": '"buy" or "sell".',
        },
        "stop_loss_pct": {
            "type": "number",
            "default": None,
            "description": "After a buy, sell all if the bid falls 3 % (3).",
        },
    } == {name: properties[name] for name in ("product_id", "quantity", "action", "stop_loss_pct")}
    assert [*ARGUMENTS, *OPTIONAL] == list(TRADE.model.model_fields) == list(properties)


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
def test_quantity_is_read_digit_by_digit(quantity: str, value: str) -> None:
    """Text and number are the same quantity; the executor checks it."""
    found = TRADE.read(f'{{"product_id": "A", "quantity": {quantity}, "action": "buy"}}')

    assert isinstance(found, dict)
    assert {"product_id": "A", "quantity": Decimal(value), "action": "buy"} == {
        name: found[name] for name in ARGUMENTS
    }
    assert {None} == {found[name] for name in OPTIONAL}


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
def test_error_names_argument_value_and_remedy(text: str, says: str) -> None:
    """A model can act on the text."""
    refused = TRADE.read(text)

    assert isinstance(refused, InvalidArguments)
    assert says in refused.reason
    assert len(refused.reason) < 600


def test_many_errors_are_bounded() -> None:
    """Ten thousand unknown arguments are shown as five and a count."""
    many = ", ".join(f'"a{n}": 1' for n in range(500))
    refused = TRADE.read(f"{{{many}}}")

    assert isinstance(refused, InvalidArguments)
    assert refused.reason.endswith("and 498 more")


def test_docstring_gives_description_and_arguments() -> None:
    """Continued lines belong to their argument; other sections are ignored."""
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


def _silent(ctx: ToolContext) -> Answer:
    return Answer("")


def _untyped(days) -> str:  # type: ignore[no-untyped-def]
    """Say something."""
    return str(days)


def _untyped_default(ctx, rate=0.5) -> str:  # type: ignore[no-untyped-def]
    """Say something."""
    return str(rate)


def _any_number(*words: str) -> str:
    """Say something."""
    return " ".join(words)


def _by_place(word: str, /) -> str:
    """Say something."""
    return word


def _private(_word: str) -> str:
    """Say something."""
    return _word


class _Frame:
    """Something that is not JSON."""


def _no_json(frame: _Frame) -> str:
    """Say something."""
    return str(frame)


def _reserved(model_config: str) -> str:
    """Say something."""
    return model_config


def _unknown_hint(frame: "DataFrame") -> str:  # type: ignore[name-defined]  # noqa: F821
    """Say something."""
    return str(frame)


def _odd_default(days: int = "a week") -> str:  # type: ignore[assignment]
    """Say something."""
    return str(days)


def _prévision(days: int) -> str:
    """Say something."""
    return str(days)


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (_silent, "has no docstring; write what it does"),
        (_untyped, "parameter `days` has no type hint; write `days: int`"),
        (_untyped_default, "parameter `rate` has no type hint; write `rate: float`"),
        (_any_number, "parameter `words` takes any number of values; write each one"),
        (_by_place, "parameter `word` cannot be given by its name; leave out the `/`"),
        (_private, "parameter `_word` starts with `_`"),
        (_no_json, "parameter `frame` has the type _Frame, which a model cannot write"),
        (_reserved, "`model_config` is a reserved name; rename the parameter"),
        (_unknown_hint, "name 'DataFrame' is not defined"),
        (_odd_default, "parameter `days` has the default 'a week', which is not of its type"),
        (_prévision, "has a name that models cannot call"),
    ],
)
def test_error_of_an_incomplete_tool_says_what_to_write(
    function: Callable[..., str], says: str
) -> None:
    """Type hints and docstring are the schema; without them it is not a tool."""
    with pytest.raises(UsageError) as refused:
        signature_of(function)
    assert says in str(refused.value)


def test_context_and_descriptions_are_optional() -> None:
    """One function with typed parameters is enough, whatever their names."""

    def short(json: int, copy: list[Decimal], schema: str = "") -> str:
        """Say something."""
        return f"{json} {copy}"

    def late(word: str, who: ToolContext) -> str:
        """Say something."""
        return f"{word} {who.agent}"

    signature = signature_of(short)

    assert "" == signature.context
    assert ["json", "copy", "schema"] == signature.undescribed
    assert {"json": 1, "copy": [Decimal("0.1")], "schema": ""} == signature.read(
        '{"json": 1, "copy": ["0.1"]}'
    )
    assert ("who", ["word"]) == (signature_of(late).context, signature_of(late).undescribed)


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
