"""Prompts of accounts in another currency, and how the scripted rules read them."""

from decimal import Decimal

import pytest

from arena.messages import (
    HeldPosition,
    Portfolio,
    PromptSize,
    Rules,
)
from chat_nodes.decision_context import DecisionContext
from chat_nodes.prompt_reader import read_account, read_market
from chat_nodes.scripted.strategies import SCRIPTED_STRATEGIES
from routers.portfolio import KnownPortfolio, portfolio_of_result
from routers.prompt import render_market, render_system, render_user
from tests.chat_nodes.example_requests import RISING
from tests.chat_nodes.example_requests import prompt as asked
from tests.routers.builders import AS_OF, WALL, snapshot
from tests.trading_tools.helpers import tool_call
from trading_tools.context import Answer
from trading_tools.portfolio import PortfolioView
from trading_tools.replies import answer_result

RULES = Rules(
    starting_cash_usd=Decimal(100_000),
    fee_schedule="taker",
    fee_bps=Decimal(60),
    slippage_bps=Decimal(2),
    price_age_s_max=30,
    collar_bps=Decimal(200),
    at=WALL,
)
SIZES: tuple[PromptSize, ...] = ("full", "compact", "tiny")


def known(currency: str) -> KnownPortfolio:
    """An account with a position and profit set aside."""
    held = HeldPosition(
        product_id=snapshot().products[0].product_id,
        quantity=Decimal("0.41"),
        average_cost=Decimal("67180.20"),
        held_s=252,
    )
    restored = Portfolio(
        cash_usd=Decimal("2.5"), scraped_usd=Decimal("0.25"), positions=(held,), currency=currency
    )
    return KnownPortfolio(restored, AS_OF)


def shown(currency: str, size: PromptSize = "full") -> str:
    """The user message of that account."""
    seen = snapshot()
    return render_user(render_market(seen, size), seen, known(currency), (), size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("currency", ["USDT", "BTC"])
def test_prompt_names_the_currency_and_no_dollars(currency: str, size: PromptSize) -> None:
    """After every amount of the account, and in the rules."""
    user = shown(currency, size)
    rules = RULES.model_copy(update={"currency": currency})
    system = render_system("Trade.", rules, size)

    assert f"\ncash: 2.5 {currency}\nequity: " in user
    assert f"\nset_aside: 0.25 {currency} (" in user
    assert "_usd" not in user
    assert f"not {currency}: accounts hold {currency}" in system
    assert "dollars" not in system


def test_dollar_prompt_is_unchanged() -> None:
    """Its hash is in records of older arenas, which are replayed."""
    user, usual = shown("USD"), render_system("Trade.", RULES)

    assert "\ncash_usd: 2.5\nequity_usd: " in user
    assert "(0.05 BTC, not dollars), above zero" in usual
    assert "unrealised_usd=" in user


@pytest.mark.parametrize(("currency", "cents"), [("USDT", 2), ("BTC", 8)])
def test_equity_has_the_digits_of_its_currency(currency: str, cents: int) -> None:
    """Cents of a tether, satoshis of a bitcoin."""
    (line,) = [x for x in shown(currency).split("\n") if x.startswith("equity: ")]

    assert cents == len(line.split()[1].partition(".")[2])


@pytest.mark.parametrize("currency", ["USD", "USDT", "BTC"])
def test_scripted_rules_read_any_currency(currency: str) -> None:
    """From the prompt and from the tool's text."""
    seen, view = (
        read_account([shown(currency)]),
        PortfolioView(250_000_000, None, 3 * 10**8, (), currency),
    )
    restored = read_account([view.text()])

    assert seen is not None
    assert restored is not None
    assert (Decimal("2.5"), currency) == (seen.cash_usd, seen.currency)
    assert 1 == len(seen.positions)
    assert (Decimal("2.5"), Decimal(3), currency) == (
        restored.cash_usd,
        restored.equity_usd,
        restored.currency,
    )


@pytest.mark.parametrize(
    ("cash", "orders"), [("2 BTC", 1), ("0.00001 BTC", 0), ("2 USDT", 0), ("200 USDT", 1)]
)
def test_small_amounts_depend_on_the_currency(cash: str, orders: int) -> None:
    """Scripted rules trade with two bitcoins, and not with two tethers."""
    amount, unit = cash.split()
    equity = "2" if unit == "BTC" else amount
    text = asked({"A": RISING}, account=f"cash: {cash}\nequity: {equity} {unit}\nposition: none")
    market, account = read_market(text), read_account([text])
    assert market is not None
    assert account is not None

    context = DecisionContext(market, account, Decimal(62), "seed")
    decision = SCRIPTED_STRATEGIES["buy_and_hold"](context)
    assert orders == len(decision.orders)


def test_turn_stores_the_currency() -> None:
    """From the tool's result to the record, and back; a USD account leaves it out."""
    for currency, there in (("USDT", True), ("USD", False)):
        value = PortfolioView(250_000_000, None, 3 * 10**8, (), currency).value()
        call = tool_call("momentum", "get_portfolio", "{}")
        result = answer_result(call, Answer("", value))
        found = portfolio_of_result(result)
        assert found is not None
        again = Portfolio.model_validate_json(found.model_dump_json())

        assert currency == again.currency
        assert there == ("currency" in found.model_dump_json())
