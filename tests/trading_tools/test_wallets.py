"""Accounts that hold several currencies: each order is settled in its product's own."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from arena.accounts import Shard
from arena.errors import UsageError
from arena.messages import OrderDecided, Portfolio, Rules, ToolResult
from arena.money import to_units
from arena.wire import encode
from tests.trading_tools.helpers import product, ticker, tool_call
from trading_tools.command_handler import CommandHandler
from trading_tools.events import epoch_of
from trading_tools.executor import check_currency
from trading_tools.handled_command import HandledCommand
from trading_tools.quotes import MarketState
from trading_tools.registry import load_catalogue
from trading_tools.rules import TradingRules

NOW = datetime(2026, 11, 21, 9, 12, 3, tzinfo=UTC)
TETHERS = "binance:BTCUSDT"
RULES = TradingRules.from_flags(starting_cash="70000", wallets=["USDT=30000"])


@pytest.fixture
def handler() -> CommandHandler:
    """The handler of a market with BTC-USD and Binance's BTCUSDT."""
    market = MarketState()
    for place, (name, quote) in enumerate((("BTC-USD", "USD"), (TETHERS, "USDT"))):
        market.note(product(name).model_copy(update={"quote_currency": quote}), 0, 2 * place)
        seen = ticker("60000", "60010", name).model_copy(update={"received_at": NOW})
        market.note(seen, 0, 2 * place + 1)
    shard = Shard()
    shard.apply("Epoch", encode(epoch_of(shard, "me", NOW)).value, 0)
    tools = {n: t for n, t in load_catalogue().items() if t.touches_account}
    return CommandHandler(0, 1, shard, market, RULES, tools)


def order(handler: CommandHandler, index: int, product_id: str, quantity: str) -> HandledCommand:
    """Buy a product."""
    text = f'{{"product_id": "{product_id}", "quantity": "{quantity}", "action": "buy"}}'
    times = {"issued_at": NOW, "deadline_at": NOW + timedelta(seconds=30)}
    call = tool_call("momentum", "execute_trade", text, index=index, **times)
    return handler.handle(call, index, NOW)


def reply_of(handled: HandledCommand) -> ToolResult:
    """The reply of a command."""
    assert handled.reply is not None
    return handled.reply


def test_each_order_is_settled_in_its_products_currency(handler: CommandHandler) -> None:
    """Cash of one currency pays for nothing in the other, and texts name the right one."""
    dollars = reply_of(order(handler, 0, "BTC-USD", "0.5"))
    tethers = reply_of(order(handler, 1, TETHERS, "0.25"))
    refused = order(handler, 2, TETHERS, "0.5")
    main, wallet = handler.shard.accounts["momentum"], handler.shard.wallets["momentum"]["USDT"]
    event = OrderDecided.model_validate_json(refused.appends[-1].value)

    assert ({"BTC-USD"}, {TETHERS}) == (set(main.positions), set(wallet.positions))
    assert (to_units(Decimal(70_000)), to_units(Decimal(30_000))) == (main.opening, wallet.opening)
    assert (True, False) == (" USD" in dollars.text, "USDT plus" in dollars.text)
    assert "USDT plus" in tethers.text
    assert ("rejected", "insufficient_cash") == (refused.kind, event.reason)
    assert "has 14," in event.detail
    assert "USDT" == event.currency
    assert (0, 1) == (main.rejections, wallet.rejections)


def test_portfolio_has_every_currency(handler: CommandHandler) -> None:
    """The model reads a paragraph per currency, programs a list of wallets."""
    order(handler, 0, TETHERS, "0.25")
    times = {"issued_at": NOW, "deadline_at": NOW + timedelta(seconds=30)}
    call = tool_call("momentum", "get_portfolio", "{}", index=1, **times)
    found = reply_of(handler.handle(call, 1, NOW))

    assert "Cash 70000.00 USD, equity 70000.00 USD. No positions." in found.text
    assert "USDT, equity " in found.text
    assert f"{TETHERS} | 0.25" in found.text
    known = Portfolio.model_validate(found.value)
    assert ["USDT"] == [wallet.currency for wallet in known.wallets]
    assert [TETHERS] == [held.product_id for held in known.wallets[0].positions]


def test_duplicate_of_an_order_has_the_same_reply(handler: CommandHandler) -> None:
    """The event names the currency, so its text can be written again."""
    first = reply_of(order(handler, 0, TETHERS, "9"))
    again = reply_of(order(handler, 0, TETHERS, "9"))

    assert first.text == again.text
    assert "Cash 30000.00 USDT" in again.text


def test_account_without_a_wallet_cannot_buy_in_its_currency(handler: CommandHandler) -> None:
    """An account that was opened before the rules had the wallet holds one currency."""
    handler.rules = TradingRules()
    order(handler, 0, "BTC-USD", "0.1")
    handler.rules = RULES
    refused = order(handler, 1, TETHERS, "0.1")
    event = OrderDecided.model_validate_json(refused.appends[-1].value)

    assert "unknown_product" == event.reason
    text = "binance:BTCUSDT is quoted in USDT, accounts hold USD; traded are BTC-USD"
    assert text == event.detail
    assert {} == handler.shard.wallets


def test_refusal_names_the_products_that_the_agent_can_trade(handler: CommandHandler) -> None:
    """Those of all its currencies, whichever account the order would be settled in."""
    handler.market.note(product("ETH-EUR").model_copy(update={"quote_currency": "EUR"}), 0, 8)
    refused = [order(handler, 0, "DOGE-USD", "1"), order(handler, 1, "ETH-EUR", "1")]
    details = [OrderDecided.model_validate_json(r.appends[-1].value).detail for r in refused]

    assert ["BTC-USD, binance:BTCUSDT"] * 2 == [d.split("; traded are ")[1] for d in details]
    assert "ETH-EUR is quoted in EUR, accounts hold USD and USDT" in details[1]


def test_rules_with_wallets_are_read_back() -> None:
    """From their message, which has no field for wallets if there is none."""
    assert RULES == TradingRules.of(RULES.message(NOW))
    assert RULES.message(NOW) == Rules.model_validate_json(RULES.message(NOW).model_dump_json())
    assert "wallets" not in TradingRules().message(NOW).model_dump()
    assert (("USD", to_units(Decimal(70_000))), ("USDT", to_units(Decimal(30_000)))) == (
        RULES.starting_amounts
    )
    check_currency(RULES, ["USD", "USDT"])


def test_main_currency_of_an_arena_cannot_change() -> None:
    """An account of dollars would be charged in tethers; a wallet cannot be left out either."""
    swapped = TradingRules(currency="USDT", wallets={"USD": to_units(Decimal(5))})
    check_currency(RULES, ["USD", "USDT"], "USD")

    with pytest.raises(UsageError, match="opened in USD; start with --currency USD"):
        check_currency(swapped, ["USD", "USDT"], "USD")
    with pytest.raises(UsageError, match="opened in USDT; start with --wallet USDT=CASH"):
        check_currency(TradingRules(), ["USD", "USDT"], "USD")


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        (["USDT"], "write each currency once"),
        (["USDT=1", "USDT=2"], "write each currency once"),
        (["USDT=x"], "--wallet"),
        (["USDT=0"], "starting cash of 0 USDT"),
        (["USDT=0.0000001"], "whole steps"),
        (["usdt=5"], "write a code in capitals"),
        (["USD=5"], "of the main account and of a wallet"),
    ],
)
def test_wrong_wallets_are_refused(flags: list[str], error: str) -> None:
    """With the value and the remedy."""
    with pytest.raises(UsageError) as caught:
        TradingRules.from_flags(wallets=flags)

    assert error in f"{caught.value} {caught.value.remedy}"
