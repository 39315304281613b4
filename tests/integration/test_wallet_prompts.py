"""Prompts of accounts that hold several currencies, and the rules that read them."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from arena.account_state import Account, Position
from arena.messages import HeldPosition, Portfolio, Rules
from arena.money import to_units
from chat_nodes.decision_context import DecisionContext
from chat_nodes.prompt_reader import PromptAccount, read_account, read_market
from chat_nodes.scripted.strategies import SCRIPTED_STRATEGIES
from routers.portfolio import KnownPortfolio, mark
from routers.prompt import render_market, render_system, render_user
from routers.turn_types import quotes_seen
from tests.routers.builders import snapshot
from trading_tools.portfolio import portfolio_of

NOW = datetime(2026, 11, 21, 9, 12, 3, tzinfo=UTC)
TETHERS = "binance:BTCUSDT"


def known() -> KnownPortfolio:
    """Dollars without a position, and tethers with a bitcoin."""
    held = HeldPosition(
        product_id=TETHERS, quantity=Decimal("0.5"), average_cost=Decimal(60_000), held_s=60
    )
    wallet = Portfolio(cash_usd=Decimal(250), positions=(held,), currency="USDT")
    return KnownPortfolio(Portfolio(cash_usd=Decimal(70_000), wallets=(wallet,)), NOW)


def test_prompt_shows_each_currency_by_itself() -> None:
    """Cash, equity and positions per currency; the dollars' lines are the usual ones."""
    market = snapshot(0, {"BTC-USD": "60000", TETHERS: "60000"})
    text = render_user(render_market(market), market, known(), [])
    account = text[text.index("## Your account") :].splitlines()

    assert ["cash_usd: 70000", "equity_usd: 70000.00", "position: none"] == account[1:4]
    assert "cash: 250 USDT" == account[4]
    assert account[5].startswith("equity: ")
    assert account[5].endswith(" USDT")
    assert account[6].startswith(f"position: {TETHERS} quantity=0.5 average_cost=60000")
    assert mark(known(), market).wallets[0].currency == "USDT"


def test_rules_of_the_prompt_name_the_currencies() -> None:
    """One sentence says what pays for a product; with one currency nothing changes."""
    rules = Rules(
        starting_cash_usd=Decimal(1),
        fee_schedule="none",
        fee_bps=Decimal(0),
        slippage_bps=Decimal(0),
        price_age_s_max=30,
        collar_bps=Decimal(200),
        at=NOW,
    )
    several = rules.model_copy(update={"wallets": {"USDT": Decimal(5)}})

    assert "accounts hold USD and USDT" in render_system("p", several)
    assert "0.05 BTC, not dollars" in render_system("p", rules)


def account_in(text: str) -> PromptAccount:
    """The account that the rules read in a text."""
    found = read_account([text])
    assert found is not None
    return found


def test_rules_read_every_currency_in_prompts_and_in_portfolios() -> None:
    """Both texts give the same cash and positions per currency."""
    market = snapshot(0, {"BTC-USD": "60000", TETHERS: "60000"})
    prompt = account_in(render_user(render_market(market), market, known(), []))
    main = Account(cash=to_units(Decimal(70_000)))
    held = Position(to_units(Decimal("0.5")), to_units(Decimal(30_000)))
    wallet = Account(cash=to_units(Decimal(250)), positions={TETHERS: held})
    table = account_in(portfolio_of(main, {}, "USD", {}, {"USDT": wallet}).text())

    for account in (prompt, table):
        assert (Decimal(70_000), {}) == (account.cash_usd, account.positions)
        assert {"USDT"} == set(account.wallets)
        assert Decimal(250) == account.wallets["USDT"].cash_usd
        assert {TETHERS} == set(account.wallets["USDT"].positions)


def test_scripted_rules_spend_the_right_currency() -> None:
    """Buy and hold splits each currency over its own products."""
    seen = snapshot(0, {"BTC-USD": "60000", "SOL-USD": "141", TETHERS: "60000"})
    flat = replace(known(), portfolio=known().portfolio.model_copy(update={"wallets": ()}))
    wallet = Portfolio(cash_usd=Decimal(30_000), currency="USDT")
    flat = replace(flat, portfolio=flat.portfolio.model_copy(update={"wallets": (wallet,)}))
    text = render_user(render_market(seen), seen, flat, [])
    market = read_market(text)
    assert market is not None
    context = DecisionContext(market, account_in(text), Decimal(62), "seed")
    orders = SCRIPTED_STRATEGIES["buy_and_hold"](context).orders
    spent = {o.product_id: o.quantity * market.quotes[o.product_id].ask for o in orders}

    assert {"BTC-USD", "SOL-USD", TETHERS} == set(spent)
    assert Decimal(31_000) < spent["BTC-USD"] < Decimal(31_510)
    assert Decimal(26_500) < spent[TETHERS] < Decimal(27_010)


def test_an_order_carries_the_prices_of_its_product_at_any_venue() -> None:
    """Without them the executor could not check how far the price has moved since."""
    market = snapshot(0, {"BTC-USD": "60000", TETHERS: "60000"})
    arguments = f'{{"product_id": "{TETHERS}", "quantity": "1", "action": "buy"}}'

    assert {TETHERS} == set(quotes_seen(market, arguments))
