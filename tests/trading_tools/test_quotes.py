"""Quotes and listings as the executor keeps them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from arena.errors import Malformed
from arena.messages import Heartbeat, Message
from tests.trading_tools.helpers import product, ticker
from trading_tools.quotes import MarketState

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def test_the_newest_counts() -> None:
    """A later ticker replaces the earlier one, and tells where it stands."""
    market = MarketState()
    market.note(ticker("1.5", "1.6"), 2, 7)
    market.note(ticker("1.7", "1.8"), 2, 8)
    quote = market.quotes["BTC-USD"]

    assert (17 * 10**17, 18 * 10**17, 2, 8) == (quote.bid, quote.ask, quote.partition, quote.offset)
    assert ("1.7", "1.8") == (quote.bid_text, quote.ask_text)


def test_age_counts_from_the_last_sign_of_life_and_is_never_negative() -> None:
    """A confirmation makes a quiet price young; a clock that is behind makes none negative."""
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
def test_what_cannot_be_expressed_is_malformed(message: Message) -> None:
    """It belongs in the dead letters, and changes no price."""
    market = MarketState()

    with pytest.raises(Malformed):
        market.note(message, 0, 0)
    assert MarketState() == market


def test_steps_are_carried_as_fine_as_prices_and_amounts_are() -> None:
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


def test_a_product_that_can_no_longer_be_carried_is_not_traded_by_its_old_steps() -> None:
    """Its new listing is a dead letter, and the product is unknown until it fits again."""
    market = MarketState()
    market.note(product(), 0, 0)

    with pytest.raises(Malformed, match="BTC-USD: its price step"):
        market.note(product().model_copy(update={"quote_increment": Decimal("1E-30")}), 0, 1)
    assert {} == market.listings


def test_only_what_the_venue_trades_and_accounts_can_settle_is_tradable() -> None:
    """Online, and quoted in US dollars."""
    market = MarketState()
    market.note(product("BTC-USD"), 0, 0)
    market.note(product("ETH-USD").model_copy(update={"status": "offline"}), 0, 1)
    market.note(product("BTC-EUR").model_copy(update={"quote_currency": "EUR"}), 0, 2)

    assert ["BTC-USD"] == market.tradable("USD")
