"""Portfolios are read from tool results, and from nothing else."""

import pytest
from pydantic import JsonValue

from arena.messages import ToolResult
from routers.portfolio import KnownPortfolio, mark, portfolio_of_result
from routers.prompt import render_market, render_user
from tests.routers.builders import portfolio_value, snapshot


def carrying(value: JsonValue) -> ToolResult:
    """A result with a structured value."""
    return ToolResult(
        call_id="c",
        agent="alpha",
        turn_id="t",
        round=0,
        index=0,
        tool="get_portfolio",
        ok=True,
        text="",
        value=value,
    )


def test_both_account_tools_have_the_portfolio() -> None:
    """It is the value of `get_portfolio`, and a key of `execute_trade`'s; money stays exact."""
    asked = portfolio_of_result(carrying(portfolio_value("93279.64000001")))
    traded = portfolio_of_result(
        carrying({"price": "1", "portfolio": portfolio_value("93279.64000001")})
    )

    assert asked is not None
    assert asked == traded
    assert ("93279.64000001", "0.1") == (str(asked.cash_usd), str(asked.positions[0].quantity))


def test_bid_and_time_may_be_unknown() -> None:
    """The executor may not know a price for a product."""
    value: JsonValue = {
        "cash_usd": "1",
        "positions": [
            {
                "product_id": "X-USD",
                "quantity": "1",
                "average_cost": "2",
                "bid": None,
                "held_s": None,
            }
        ],
    }
    found = portfolio_of_result(carrying(value))

    assert found is not None
    assert (None, None) == (found.positions[0].bid, found.positions[0].held_s)


@pytest.mark.parametrize(
    "value",
    [
        None,
        3,
        "cash_usd",
        [],
        {},
        {"result": "4"},
        {"cash_usd": 1.5},
        {"cash_usd": "NaN"},
        {"cash_usd": "1", "positions": [{"product_id": "X"}]},
        {"cash_usd": "1", "positions": "none"},
        {"portfolio": None},
        {"portfolio": {"cash_usd": None}},
    ],
)
def test_other_values_are_not_a_portfolio(value: JsonValue) -> None:
    """Other and malformed values are ignored; a float is not money."""
    assert portfolio_of_result(carrying(value)) is None


def test_profit_set_aside_counts_as_equity_and_not_as_cash() -> None:
    """A model sees the amount that it cannot trade with, and its equity includes it."""
    portfolio = portfolio_of_result(
        carrying({"cash_usd": "100", "scraped_usd": "25", "positions": []})
    )
    assert portfolio is not None
    shown = snapshot()
    marked = mark(KnownPortfolio(portfolio, shown.as_of), shown)
    text = render_user(render_market(shown), shown, KnownPortfolio(portfolio, shown.as_of), ())

    assert ("100", "25", "125") == tuple(
        str(n) for n in (marked.cash_usd, marked.scraped_usd, marked.equity_usd)
    )
    assert "set_aside_usd: 25 " in text
