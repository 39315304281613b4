"""The scripted rules parse the prompts that routers render and the results of tools."""

from decimal import Decimal

from arena.messages import ChatMessage, HeldPosition, Portfolio, Rules
from arena.money import SCALE, to_price_units
from chat_nodes.prompt_reader import PromptPosition, read_account, read_cost_bps, read_market
from routers.portfolio import KnownPortfolio
from routers.prompt import render_market, render_system, render_user
from tests.chat_nodes.example_requests import START
from tests.routers.builders import snapshot
from trading_tools.portfolio import PortfolioView, PositionView


def test_rendered_market_is_parsed() -> None:
    """Every product of a snapshot with its price, and the last close of each window."""
    market_snapshot = snapshot()
    market = read_market(render_user(render_market(market_snapshot), market_snapshot, None, []))

    assert market is not None
    tickers = [v.ticker for v in market_snapshot.products if v.ticker is not None]
    assert {t.product_id: (t.price, t.best_bid, t.best_ask) for t in tickers} == {
        q.product_id: (q.price, q.bid, q.ask) for q in market.quotes.values()
    }
    for view in market_snapshot.products:
        for name, window in view.windows.items():
            closes = [c.close for c in window.candles]

            assert closes == market.closes(view.product_id, name, len(closes) + 5)


def test_rendered_account_is_parsed() -> None:
    """Cash and positions in the router's prompt."""
    market_snapshot = snapshot()
    product = market_snapshot.products[0].product_id
    position = HeldPosition(
        product_id=product, quantity=Decimal("0.41"), average_cost=Decimal("67180.2"), held_s=252
    )
    portfolio = Portfolio(cash_usd=Decimal("72410.55"), positions=(position,))
    user = render_user(
        render_market(market_snapshot),
        market_snapshot,
        KnownPortfolio(portfolio, market_snapshot.as_of),
        [],
    )
    account = read_account([user])

    assert account is not None
    assert Decimal("72410.55") == account.cash_usd
    assert {
        product: PromptPosition(product, Decimal("0.41"), Decimal("67180.2"), 252)
    } == account.positions


def test_portfolio_result_is_parsed() -> None:
    """Cash, equity and a position in a result of `get_portfolio`."""
    cost, bid = to_price_units(Decimal(67_000)), to_price_units(Decimal(68_000))
    holding = PositionView("BTC-USD", SCALE // 2, cost, bid, 500 * SCALE, 61)
    account = read_account([PortfolioView(900 * SCALE, None, 34_900 * SCALE, (holding,)).text()])

    assert account is not None
    assert (Decimal(900), Decimal(34_900)) == (account.cash_usd, account.equity_usd)
    assert {
        "BTC-USD": PromptPosition("BTC-USD", Decimal("0.5"), Decimal(67_000), 61)
    } == account.positions


def test_rendered_rules_give_the_costs() -> None:
    """Fee and slippage in the router's system message."""
    rules = Rules(
        fee_bps=Decimal("60"),
        slippage_bps=Decimal("2.5"),
        starting_cash_usd=Decimal(100_000),
        fee_schedule="flat",
        collar_bps=Decimal(100),
        price_age_s_max=30.0,
        at=START,
    )
    system = ChatMessage(role="system", content=render_system("Trade.", rules))

    assert Decimal("62.5") == read_cost_bps([system])
