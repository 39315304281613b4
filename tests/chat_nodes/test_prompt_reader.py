"""What the scripted rules parse from a prompt."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.messages import ChatMessage
from chat_nodes.prompt_reader import (
    FEE_BPS_ASSUMED,
    PromptAccount,
    PromptPosition,
    parse_number,
    read_account,
    read_cost_bps,
    read_market,
)
from tests.chat_nodes.example_requests import FLAT, RISING, prompt

ACCOUNT = """cash_usd: 72410.55
equity_usd: 100412.77
position: BTC-USD quantity=0.41 average_cost=67180.20 bid=67203.55 unrealised_usd=+18.30 held=4m12s
position: DOGE-USD quantity=900 average_cost=0.21 held=2h05m"""

PORTFOLIO_REPLY = """Cash 72410.55 USD, equity 100412.77 USD.
product | quantity | average cost | bid | unrealised USD | held
BTC-USD | 0.41 | 67180.20 | 67203.55 | +18.30 | 4m12s
DOGE-USD | 900 | 0.21 | unknown | unknown | 2h05m"""

SEEN = PromptAccount(
    cash_usd=Decimal("72410.55"),
    equity_usd=Decimal("100412.77"),
    positions={
        "BTC-USD": PromptPosition("BTC-USD", Decimal("0.41"), Decimal("67180.20"), 252),
        "DOGE-USD": PromptPosition("DOGE-USD", Decimal(900), Decimal("0.21"), 7500),
    },
)


def test_market_is_parsed_with_all_digits() -> None:
    """Prices of a small coin keep their digits, and candles are found by product and window."""
    text = prompt({"BTC-USD": RISING, "PEPE-USD": [0.00001234] * 2}, stale=["PEPE-USD"])
    text = text.replace("1.234e-05", "0.00001234")
    market = read_market(text)

    assert market is not None
    assert "2026-11-21T09:30:00Z" == market.as_of
    assert Decimal("0.00001234") == market.quotes["PEPE-USD"].bid
    assert ["BTC-USD"] == [q.product_id for q in market.live()]
    assert [Decimal(110), Decimal(111)] == market.closes("BTC-USD", "5m", 2)
    assert [] == market.closes("ETH-USD", "5m", 2)


@pytest.mark.parametrize("text", ["", "# Weather", "# Market as of now (X)\n## Tickers\nheader"])
def test_text_without_prices_has_no_market(text: str) -> None:
    """The result is None."""
    assert read_market(text) is None


@pytest.mark.parametrize("text", [prompt({"A": FLAT}, account=ACCOUNT), PORTFOLIO_REPLY])
def test_account_is_parsed_from_prompt_and_tool(text: str) -> None:
    """Both forms give the same account."""
    assert read_account([text]) == SEEN


def test_newest_account_counts() -> None:
    """A later result of the tool replaces the prompt's account; other results do not."""
    old = prompt({"A": FLAT}, account="cash_usd: 1\nequity_usd: 1\nposition: none")

    assert read_account([old, PORTFOLIO_REPLY, "bought 1"]) == SEEN


def test_empty_account_has_no_positions() -> None:
    """`position: none` and "No positions." both mean none."""
    none = PromptAccount(Decimal(5), Decimal(5))

    assert none == read_account(["cash_usd: 5\nequity_usd: 5\nposition: none"])
    assert none == read_account(["Cash 5 USD, equity 5 USD. No positions."])


def test_costs_are_parsed_from_the_rules() -> None:
    """Fee and slippage are added; without them a high cost is assumed."""
    rules = ChatMessage(role="system", content="a taker fee of 60 bps of it and 2.5 bps slippage")

    assert Decimal("62.5") == read_cost_bps([rules])
    assert FEE_BPS_ASSUMED == read_cost_bps(
        [ChatMessage(role="user", content="taker fee of 1 bps")]
    )


def test_formatted_numbers_are_parsed() -> None:
    """Signs, dollars and separators are accepted; words are not."""
    found = [parse_number(t) for t in ("+18.30", "$72,410.55", " -3 ", "none", "", "1e999", "nan")]

    assert [Decimal("18.30"), Decimal("72410.55"), Decimal(-3), None, None, None, None] == found


WORDS = st.sampled_from(
    ["# Market as of ", "\n## Tickers\n", "\n## Candles A 5m\n", "cash_usd: ", "position: ", "1"]
)


@given(st.lists(WORDS | st.text(max_size=10), max_size=40).map("".join))
def test_arbitrary_text_never_raises(text: str) -> None:
    """Text that is nearly a prompt is parsed as far as possible."""
    market = read_market(text)
    read_account([text])

    assert market is None or market.quotes
