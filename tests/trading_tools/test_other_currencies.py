"""Accounts in another currency than USD: orders, postings, texts, and checks at a start."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from arena import topics
from arena.account_state import Account
from arena.accounts import Shard
from arena.bus.memory import MemoryBus
from arena.errors import BrokenLog, UsageError
from arena.messages import Epoch, Product, RejectReason
from arena.money import to_units
from tests.trading_tools.helpers import product, serving, ticker, tool_call, until_ended
from trading_tools.context import Order
from trading_tools.decide import Decision, Fill, Rejection, decide
from trading_tools.events import account_opened, epoch_of
from trading_tools.executor import check_currency, check_products, has_decided
from trading_tools.portfolio import cash_text, portfolio_of
from trading_tools.quotes import MarketState
from trading_tools.rules import TradingRules

NOW = datetime(2026, 11, 21, 9, 12, 3, tzinfo=UTC)
BTC_RULES = replace(TradingRules.from_flags(starting_cash="2", currency="BTC"))


def quoted(product_id: str) -> Product:
    """A listing whose quote currency is the one in its name."""
    quote = product_id.partition("-")[2]
    terms = {"quote_currency": quote, "quote_increment": Decimal("0.000001")}
    funds = {"min_market_funds": Decimal("0.00001")}
    return product(product_id).model_copy(update=terms | funds)


def market_of(product_id: str, bid: str, ask: str) -> MarketState:
    """A market with one product whose price was confirmed now."""
    found = MarketState()
    found.note(quoted(product_id), 0, 0)
    found.note(ticker(bid, ask, product_id).model_copy(update={"received_at": NOW}), 0, 1)
    return found


def decided(rules: TradingRules, product_id: str, quantity: str, cash: str) -> Decision:
    """A buy of an account with this much cash."""
    account = Account(cash=to_units(Decimal(cash)))
    asked = Order(product_id, Decimal(quantity), "buy")
    call = tool_call("momentum", "execute_trade", "{}", deadline_at=NOW, issued_at=NOW)
    return decide(account, call, asked, market_of(product_id, "0.0478", "0.0479"), rules, NOW)


def test_bitcoin_accounts_pay_to_the_last_satoshi() -> None:
    """The fee of a small order is not rounded up to a millionth of a bitcoin; legs are in BTC."""
    fill = decided(BTC_RULES, "ETH-BTC", "0.0123", "2").outcome

    assert isinstance(fill, Fill)
    assert 58_929 == fill.notional  # 0.0123 at 0.04791 is 0.000589293
    assert 354 == fill.fee  # 60 bps of it, rounded up
    assert {"BTC", "ETH"} == {unit for _, unit, _ in fill.postings}
    assert all(
        0 == sum(amount for _, unit, amount in fill.postings if unit == one)
        for one in ("BTC", "ETH")
    )


@pytest.mark.parametrize(
    ("rules", "product_id", "quantity", "cash", "expected_text"),
    [
        (BTC_RULES, "ETH-BTC", "100", "2", "has 2.00000000"),
        (BTC_RULES, "ETH-BTC", "0.0001", "2", "worth 0.00000479 BTC, the smallest order is 0.0000"),
        (TradingRules(currency="USDT"), "X-USDT", "0.0001", "9", "0.000005 USDT"),
        (TradingRules(), "BTC-USDT", "1", "9", "is quoted in USDT, accounts hold USD"),
        (TradingRules(currency="USDT"), "BTC-USD", "1", "9", "quoted in USD, accounts hold USDT"),
    ],
)
def test_rejections_name_the_currency(
    rules: TradingRules, product_id: str, quantity: str, cash: str, expected_text: str
) -> None:
    """Amounts are in the account's currency; a product in another one is not tradable."""
    refused = decided(rules, product_id, quantity, cash).outcome

    assert isinstance(refused, Rejection)
    assert expected_text in refused.detail
    assert ("accounts hold" in expected_text) == (refused.reason == RejectReason.UNKNOWN_PRODUCT)


@pytest.mark.parametrize(
    ("currency", "text"), [("USDT", "Cash 2.00 USDT, equity"), ("BTC", "Cash 2.00000000 BTC, equi")]
)
def test_portfolio_names_its_currency(currency: str, text: str) -> None:
    """In the text and in the value; a USD portfolio is unchanged."""
    account = Account(cash=to_units(Decimal(2)))
    found = portfolio_of(account, {}, currency)
    value, usual = found.value(), portfolio_of(account, {}).value()

    assert found.text().startswith(text)
    assert isinstance(value, dict)
    assert isinstance(usual, dict)
    assert currency == value["currency"]
    assert "currency" not in usual


def test_amounts_of_bitcoin_keep_their_digits() -> None:
    """Signs and separators are kept."""
    assert "1,234.00000001" == cash_text(123_400_000_001, "BTC", grouped=True)
    assert "-0.00000001" == cash_text(-1, "BTC")
    assert "+0.50000000" == cash_text(50_000_000, "BTC", signed=True)


def shard_opened_in(rules: TradingRules) -> Shard:
    """A shard with one account."""
    shard = Shard()
    claim = epoch_of(shard, "owner", NOW, rules.message(NOW))
    shard.apply("Epoch", claim.model_dump_json().encode(), 0)
    opened = account_opened(shard, (0, 0), "order", "momentum", rules, NOW)
    shard.apply("AccountOpened", opened.value, 1)
    return shard


def test_arena_keeps_its_currency() -> None:
    """Accounts that were opened in one currency are not served in another."""
    shard = shard_opened_in(TradingRules(currency="USDT"))
    check_currency(TradingRules(currency="USDT"), shard.currencies())
    check_currency(TradingRules(), Shard().currencies())

    assert {"USDT"} == shard.currencies()
    with pytest.raises(UsageError, match=r"opened in USDT; start with --currency USDT"):
        check_currency(TradingRules(), shard.currencies())


def test_postings_balance_in_every_currency() -> None:
    """An event whose cash legs are in two currencies stops the fold."""
    shard = Shard()
    claim = epoch_of(shard, "owner", NOW)
    shard.apply("Epoch", claim.model_dump_json().encode(), 0)
    opened = account_opened(shard, (0, 0), "order", "momentum", BTC_RULES, NOW)
    mixed = opened.value.replace(b'"unit":"BTC"', b'"unit":"ETH"', 1)

    with pytest.raises(BrokenLog, match="do not sum to zero"):
        shard.apply("AccountOpened", mixed, 1)


def test_usd_rules_are_unchanged() -> None:
    """The currency is in a record only if it is another one, and is read back."""
    usual, other = TradingRules().message(NOW), BTC_RULES.message(NOW)

    assert "currency" not in usual.model_dump_json()
    assert '"currency":"BTC"' in other.model_dump_json()
    assert BTC_RULES == TradingRules.of(type(other).model_validate_json(other.model_dump_json()))
    assert (
        b"currency"
        not in Epoch(epoch=1, owner="o", seq=0, prev="", rules=usual, at=NOW)
        .model_dump_json()
        .encode()
    )


def market_with(*listed: str) -> MarketState:
    """A market with live prices of these products."""
    market = MarketState()
    for name in listed:
        one = market_of(name, "0.0478", "0.0479")
        market.listings |= one.listings
        market.quotes |= one.quotes
    return market


@pytest.mark.parametrize("listed", [["BTC-USDT"], ["BTC-USD", "ETH-BTC"]])
def test_products_in_another_currency_are_refused(listed: list[str]) -> None:
    """The remedy is a flag; for a mixed list it is fewer products."""
    with pytest.raises(UsageError, match=r"--currency USDT|keep the products of one"):
        check_products(TradingRules(), market_with(*listed), NOW)


def test_listings_of_an_earlier_connector_are_ignored() -> None:
    """A listing without live prices is outdated; in lock-step every listing counts."""
    market, later = market_with("BTC-USDT"), NOW + timedelta(minutes=2)
    check_products(TradingRules(), market, later)

    with pytest.raises(UsageError, match="--currency USDT"):
        check_products(TradingRules(pacing="lock-step"), market, later)


async def test_executor_ends_if_the_market_has_another_currency(memory_bus: MemoryBus) -> None:
    """It reads the listings, and the error has the flag to give."""
    name, prices = "BTC-USDT", ticker("67000", "67001", "BTC-USDT")
    await memory_bus.send(topics.TICKERS.name, quoted(name), key=name)
    await memory_bus.send(topics.TICKERS.name, prices, key=name)

    with pytest.raises(UsageError, match=r"BTC-USDT is quoted in USDT.*start with --currency USDT"):
        async with serving(memory_bus):
            await until_ended()


@pytest.mark.parametrize(("fills", "rejections"), [(1, 0), (0, 1)])
def test_orders_of_earlier_processes_count_as_decided(fills: int, rejections: int) -> None:
    """The log counts: a process that restarts warns like one that kept running."""
    empty, opened = Shard(), Shard(accounts={"a": Account()})
    traded = Shard(accounts={"a": Account(), "b": Account(fills=fills, rejections=rejections)})

    assert not has_decided([empty, opened])
    assert has_decided([empty, traded])
