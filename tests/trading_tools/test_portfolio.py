"""The portfolio that an agent gets."""

from decimal import Decimal

import pytest

from arena.account_state import Account, Position
from arena.money import SCALE
from tests.trading_tools.helpers import product, ticker
from trading_tools.portfolio import cash_text, duration, portfolio_of
from trading_tools.quotes import MarketState


def account() -> Account:
    """1,000 USD, half a BTC that cost 30,000 and two SOL that cost 300."""
    return Account(
        cash=1_000 * SCALE,
        positions={
            "SOL-USD": Position(2 * SCALE, 300 * SCALE, 0),
            "BTC-USD": Position(SCALE // 2, 30_000 * SCALE, 0),
        },
    )


def test_positions_are_marked_at_the_bid() -> None:
    """Equity is cash and positions, at their bid if there is one, else at cost."""
    market = MarketState()
    market.note(ticker("62000", "62010"), 0, 0)
    entry_ms = market.quotes["BTC-USD"].event_ms - 252_000
    held = account()
    held.positions["BTC-USD"].entry_ms = entry_ms
    portfolio = portfolio_of(held, market.quotes)

    assert {
        "cash_usd": "1000",
        "equity_usd": "32300",
        "positions": [
            {
                "product_id": "BTC-USD",
                "quantity": "0.5",
                "average_cost": "60000",
                "bid": "62000",
                "unrealised_usd": "1000",
                "held_s": 252,
            },
            {
                "product_id": "SOL-USD",
                "quantity": "2",
                "average_cost": "150",
                "bid": None,
                "unrealised_usd": None,
                "held_s": None,
            },
        ],
    } == portfolio.value()
    assert (
        "Cash 1000.00 USD, equity 32300.00 USD.\n"
        "product | quantity | average cost | bid | unrealised USD | held\n"
        "BTC-USD | 0.5 | 60000 | 62000 | +1000.00 | 4m12s\n"
        "SOL-USD | 2 | 150 | unknown | unknown | unknown"
    ) == portfolio.text()


def test_profit_set_aside_is_shown_next_to_the_cash() -> None:
    """An agent reads how much it can spend, and how much it has in total."""
    found = portfolio_of(Account(cash=54_000 * SCALE, scraped=1_000 * SCALE, scrape=SCALE // 5), {})

    assert (
        "Cash 54000.00 USD available, 55000.00 USD in all (1000.00 USD of profit set aside), "
        "equity 55000.00 USD. No positions."
    ) == found.text()
    assert {
        "cash_usd": "54000",
        "scraped_usd": "1000",
        "equity_usd": "55000",
        "positions": [],
    } == found.value()


@pytest.mark.parametrize(
    ("terms", "note"),
    [
        (
            {"status": "delisted"},
            "BTC-USD is delisted: it cannot be traded; it is valued at its last bid.",
        ),
        (
            {"modes": ("limit_only",)},
            "BTC-USD is limit only: market orders are refused; it is valued at its last bid.",
        ),
        (
            {"base_increment": Decimal("0.3")},
            "0.2 BTC-USD is less than one step of 0.3 and cannot be sold.",
        ),
        ({"base_increment": Decimal("0.1")}, ""),
    ],
)
def test_unsellable_positions_have_a_note(terms: dict[str, object], note: str) -> None:
    """A line after the table, for the position or its rest after whole steps."""
    market = MarketState()
    market.note(ticker("62000", "62010"), 0, 0)
    market.note(product().model_copy(update=terms), 0, 1)
    found = portfolio_of(account(), market.quotes, "USD", market.listings)
    plain = portfolio_of(account(), market.quotes)

    assert plain.text() + (f"\n{note}" if note else "") == found.text()
    assert plain.value() == found.value()


def test_fold_and_portfolio_agree_on_equity() -> None:
    """Both compute the same figure."""
    market = MarketState()
    market.note(ticker("61999.99", "62010"), 0, 0)
    held = account()

    assert held.equity(market.bids()) == portfolio_of(held, market.quotes).equity


def test_empty_account_says_so() -> None:
    """There is no table without positions."""
    text = portfolio_of(Account(cash=5 * SCALE), {}).text()

    assert "Cash 5.00 USD, equity 5.00 USD. No positions." == text


@pytest.mark.parametrize(
    ("units", "text"),
    [
        (0, "0.00"),
        (9_722_812_345_678, "97228.12"),
        (-150_000_000, "-1.50"),
        (500_000, "0.005"),
        (-100, "-0.000001"),
        (1_500_000, "0.02"),
        (100_000_000, "1.00"),
    ],
)
def test_usd_to_the_cent(units: int, text: str) -> None:
    """Half a cent is shown in full rather than as nothing."""
    assert text == cash_text(units, "USD")
    assert text == cash_text(units, "USD", signed=True).lstrip("+")
    assert "1,278,424.80" == cash_text(127_842_480_000_000, "USD", grouped=True)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59, "59s"), (252, "4m12s"), (11_100, "3h05m")]
)
def test_durations(seconds: int, text: str) -> None:
    """Two units at most."""
    assert text == duration(seconds)
