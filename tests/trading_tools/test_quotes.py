"""Quotes and listings in the executor's state of the market."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from arena.errors import Malformed
from arena.messages import Heartbeat, Message
from tests.trading_tools.helpers import product, ticker
from trading_tools.quotes import MarketState

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def test_the_newest_counts() -> None:
    """A later ticker replaces the earlier one, and the quote has its offset."""
    market = MarketState()
    market.note(ticker("1.5", "1.6"), 2, 7)
    market.note(ticker("1.7", "1.8"), 2, 8)
    quote = market.quotes["BTC-USD"]

    assert (17 * 10**17, 18 * 10**17, 2, 8) == (quote.bid, quote.ask, quote.partition, quote.offset)
    assert ("1.7", "1.8") == (quote.bid_text, quote.ask_text)


def test_age_counts_from_the_last_sign_of_life_and_is_never_negative() -> None:
    """A confirmation resets the age of a quiet price; a slow clock makes no age negative."""
    market = MarketState()
    found = ticker("1", "2").model_copy(
        update={"received_at": NOW, "confirmed_at": NOW + timedelta(seconds=5)}
    )
    market.note(found, 0, 0)
    quote = market.quotes["BTC-USD"]

    assert 2_000 == quote.age_ms(NOW + timedelta(seconds=7))
    assert 0 == quote.age_ms(NOW)


@pytest.mark.parametrize(
    "message",
    [
        ticker("0.0000000000000000001", "1"),
        product().model_copy(update={"base_increment": Decimal("3E-9")}),
        product().model_copy(update={"quote_increment": Decimal(0)}),
        product().model_copy(update={"base_increment": Decimal(-1)}),
        Heartbeat(node="n", kind="k", name="n", host="h", pid=1, started_at=NOW, at=NOW),
    ],
)
def test_inexpressible_values_are_malformed(message: Message) -> None:
    """They go to the dead letters, and change no price."""
    market = MarketState()

    with pytest.raises(Malformed):
        market.note(message, 0, 0)
    assert MarketState() == market


def test_steps_are_as_fine_as_prices_and_amounts() -> None:
    """A price step of 1e-12 is kept; a quantity step finer than 1e-8 is traded at 1e-8."""
    market = MarketState()
    steps = {
        "base_increment": Decimal("1E-10"),
        "quote_increment": Decimal("1E-12"),
        "min_market_funds": Decimal("0.000000001"),
    }
    market.note(product().model_copy(update=steps), 0, 0)
    listing = market.listings["BTC-USD"]

    assert (1, 10**6, 1) == (listing.base_increment, listing.quote_increment, listing.min_funds)


def test_product_with_inexpressible_new_steps_is_not_traded_by_its_old_ones() -> None:
    """The new listing is dead-lettered, and the product is unknown until its steps fit again."""
    market = MarketState()
    market.note(product(), 0, 0)

    with pytest.raises(Malformed, match="BTC-USD: its price step"):
        market.note(product().model_copy(update={"quote_increment": Decimal("1E-30")}), 0, 1)
    assert {} == market.listings


def test_tradable_means_open_and_in_the_accounts_currency() -> None:
    """It is online, and quoted in US dollars."""
    market = MarketState()
    market.note(product("BTC-USD"), 0, 0)
    market.note(product("ETH-USD").model_copy(update={"status": "offline"}), 0, 1)
    market.note(product("BTC-EUR").model_copy(update={"quote_currency": "EUR"}), 0, 2)

    assert ["BTC-USD"] == market.tradable({"USD"})
