"""Arguments of order tools: shares, percentages, prices and times, and what they become."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from arena.account_state import Account
from trading_tools.context import (
    AccountContext,
    CancelOrder,
    ExitRequest,
    Order,
    RefusedArguments,
    SetExits,
    Share,
)
from trading_tools.portfolio import portfolio_of
from trading_tools.registry import load_catalogue
from trading_tools.schema import InvalidArguments

TOOLS = load_catalogue()
CTX = AccountContext(
    "momentum",
    "turn",
    "call",
    "snapshot",
    datetime(2026, 11, 30, tzinfo=UTC),
    lambda: portfolio_of(Account(), {}),
)
ALL, HALF = Share(Decimal(1)), Share(Decimal("0.5"))


def called(tool: str, arguments: str) -> object:
    """What a tool makes of JSON arguments."""
    read = TOOLS[tool].signature.read(arguments)
    return read if isinstance(read, InvalidArguments) else TOOLS[tool].call(CTX, read)


def reason_of(refused: object) -> str:
    """Why arguments were refused."""
    assert isinstance(refused, InvalidArguments)
    return refused.reason


def bought(terms: str, quantity: str = "1") -> object:
    """A buy with further arguments."""
    return called(
        "execute_trade",
        f'{{"product_id": "BTC-USD", "quantity": {quantity}, "action": "buy"{terms}}}',
    )


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ('"all"', ALL),
        ('"ALL"', ALL),
        ('" all "', ALL),
        ('"100%"', ALL),
        ('"50%"', HALF),
        ('" 50 % "', HALF),
        ('"12.5%"', Share(Decimal("0.125"))),
        ("0.5", Decimal("0.5")),
    ],
)
def test_quantity_may_be_a_share(quantity: str, expected: object) -> None:
    """All, a percentage, or a number of base units."""
    order = bought("", quantity)

    assert isinstance(order, Order)
    assert expected == order.quantity


@pytest.mark.parametrize(
    "quantity", ['"half"', '"max"', '"0%"', '"101%"', '"-5%"', '"%"', '"all of it"', '"\uff41ll"']
)
def test_other_words_are_no_quantity(quantity: str) -> None:
    """They are refused with what to send."""
    reason = reason_of(bought("", quantity))

    assert "quantity was" in reason
    assert "send" in reason


def test_share_has_the_text_that_agents_write() -> None:
    """For messages about it."""
    assert ("all", "50%", "12.5%") == (ALL.text, HALF.text, Share(Decimal("0.125")).text)


def test_three_arguments_are_a_market_order_without_exits() -> None:
    """The form without optional arguments, and with null for each."""
    nulls = ', "limit_price": null, "stop_loss_pct": null, "exit_after": null'

    assert Order("BTC-USD", Decimal(1), "buy") == bought("") == bought(nulls)


def test_all_terms_of_an_entry() -> None:
    """Numbers as numbers, as text, and with the unit."""
    terms = (
        ', "limit_price": "67000.5", "stop_loss_pct": 3, "take_profit_pct": "4.5",'
        ' "trailing_pct": "2 %", "exit_after": "1h30m", "expires_after": 600'
    )
    exits = ExitRequest(
        stop_loss_pct=Decimal(3),
        take_profit_pct=Decimal("4.5"),
        trailing_pct=Decimal(2),
        exit_after_s=5_400,
    )

    assert Order("BTC-USD", Decimal(1), "buy", Decimal("67000.5"), exits, 600) == bought(terms)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [('"45s"', 45), ('"30m"', 1800), ('"1d"', 86_400), ('"90"', 90), ("90", 90)],
)
def test_times(text: str, seconds: int) -> None:
    """A number with a unit, or seconds."""
    order = bought(f', "exit_after": {text}')

    assert isinstance(order, Order)
    assert ExitRequest(exit_after_s=seconds) == order.exits


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ('"stop_loss_pct": 0', "stop_loss_pct was 0; send a percentage above 0 and below 100"),
        ('"stop_loss_pct": -3', "stop_loss_pct was -3"),
        ('"stop_loss_pct": 100', "stop_loss_pct was 100"),
        ('"trailing_pct": 0', "trailing_pct was 0"),
        ('"take_profit_pct": 1000', "below 1,000"),
        ('"take_profit_pct": "lots"', "take_profit_pct was 'lots'"),
        ('"stop_loss_pct": ""', "stop_loss_pct was ''"),
        ('"stop_loss_pct": true', "stop_loss_pct was 'True'"),
        ('"stop_loss_pct": "0.1234567"', "at most 6 decimals"),
        ('"limit_price": 0', "limit_price was 0; send a positive price"),
        ('"limit_price": "-1"', "limit_price was -1"),
        ('"limit_price": 1e-19', "more than 18 decimals"),
        ('"exit_after": "soon"', "exit_after was 'soon': send a time such as"),
        ('"exit_after": 0', "exit_after was 0 s; send 1 second to 30 days"),
        ('"exit_after": "31d"', "exit_after was 2678400 s"),
        ('"exit_after": 1.5', "or whole seconds"),
        ('"expires_after": "5m"', "expires_after was given without limit_price"),
    ],
)
def test_terms_that_cannot_be_used(terms: str, says: str) -> None:
    """Each is refused with the argument, its value and the remedy."""
    assert says in reason_of(bought(f", {terms}"))


def test_sell_has_no_exits() -> None:
    """It ends a position."""
    arguments = '{"product_id": "A", "quantity": "all", "action": "sell", "stop_loss_pct": 3}'

    assert "exits were given with a sell" in reason_of(called("execute_trade", arguments))


def test_set_exit() -> None:
    """A percentage or a price, and at least one exit."""
    wanted = called("set_exit", '{"product_id": "A", "stop_loss_price": "90", "trailing_pct": 2}')
    both = called("set_exit", '{"product_id": "A", "stop_loss_price": "90", "stop_loss_pct": 2}')

    exits = ExitRequest(stop_loss_price=Decimal(90), trailing_pct=Decimal(2))
    assert SetExits("A", exits) == wanted
    assert InvalidArguments("give stop_loss_pct or stop_loss_price, not both") == both
    assert "no exit was given" in reason_of(called("set_exit", '{"product_id": "A"}'))


@pytest.mark.parametrize(("text", "expected"), [(" ALL ", "all"), ("o-1 ", "o-1")])
def test_cancel_order(text: str, expected: str) -> None:
    """One order, or all."""
    assert CancelOrder(expected) == called("cancel_order", f'{{"order_id": "{text}"}}')


def test_share_is_above_nothing_and_at_most_all() -> None:
    """Other shares are an error of the caller."""
    for part in ("0", "-0.5", "1.01", "0.123456789"):
        with pytest.raises(ValueError, match=r"share|decimals"):
            Share(Decimal(part))
    with pytest.raises(RefusedArguments):
        ExitRequest(stop_loss_pct=Decimal(0))
