"""Venues of an ARENA.toml: product ids, commands, and what is refused."""

from pathlib import Path

import pytest

from arena.errors import UsageError
from operations.commands.messages_text import prices_text
from operations.specs.arena_spec import ArenaSpec, parse_spec
from operations.supervisor.plan import (
    LaunchContext,
    connector_command,
    exchange_command,
    tools_command,
)

REST = """
[[chat_nodes]]
name = "rules"
model_id = "scripted"
[[agents]]
name = "mo"
strategy = "momentum"
chat_node = "rules"
"""
TWO = """
[market]
source = "live"
[[markets]]
venue = "coinbase"
products = ["BTC-USD"]
[[markets]]
venue = "binance"
products = ["BTCUSDT", "ETHUSDT"]
[rules]
wallets = { USDT = 30000 }
"""
BINANCE = """
[arena]
products = ["BTCUSDT"]
[market]
venue = "binance"
[rules]
currency = "USDT"
"""
CONTEXT = LaunchContext(launcher=("arena",), environ={}, directory=Path("/spec"), exchange_port=5)


def spec_of(text: str) -> ArenaSpec:
    """Parse an arena with one agent."""
    return parse_spec(text + REST, path="a.toml")


def test_products_of_a_venue_get_its_name() -> None:
    """The user writes the venue's own ids; the commands are those a user would type."""
    spec = spec_of(BINANCE)

    assert ("binance:BTCUSDT",) == spec.arena.products
    assert "Prices: simulated Binance, seed 7, real time. Accounts hold USDT." == prices_text(spec)
    exchange = exchange_command(spec, CONTEXT)
    assert ["--venue", "binance"] == exchange[-2:]
    connector = connector_command(spec, CONTEXT)
    assert ["connector", "binance"] == connector[:2]
    assert "binance:BTCUSDT" in connector


@pytest.mark.parametrize("text", ["BTC-USDT", "binance:BTCUSDT", "binance:BTC-USDT"])
def test_product_has_one_id_however_it_is_written(text: str) -> None:
    """The id in the specification is the one in messages, books and prompts."""
    assert ("binance:BTCUSDT",) == spec_of(BINANCE.replace("BTCUSDT", text)).arena.products
    coinbase = '[arena]\nproducts = ["coinbase:BTC-USD"]'
    assert ("BTC-USD",) == spec_of(coinbase).arena.products


def test_venue_has_products_of_its_own_by_default() -> None:
    """Those of its connector."""
    spec = spec_of(BINANCE.replace('[arena]\nproducts = ["BTCUSDT"]', ""))

    assert ("binance:BTCUSDT", "binance:ETHUSDT", "binance:SOLUSDT") == spec.arena.products


def test_two_venues_share_a_connector() -> None:
    """Accounts hold both currencies."""
    spec = spec_of(TWO)

    assert ("BTC-USD", "binance:BTCUSDT", "binance:ETHUSDT") == spec.arena.products
    words = connector_command(spec, CONTEXT)
    assert ["connector", "markets"] == words[:2]
    assert "coinbase=BTC-USD" in words
    assert "binance=binance:BTCUSDT,binance:ETHUSDT" in words
    assert "--wallet=USDT=30000" in tools_command(spec)
    assert "Prices: Coinbase and Binance, live. Accounts hold USD and USDT." == prices_text(spec)


def test_simulated_venues_have_following_ports() -> None:
    """One exchange serves both, so they have one venue time."""
    spec = spec_of(TWO.replace('"live"', '"exchange"'))
    exchange, connector = exchange_command(spec, CONTEXT), connector_command(spec, CONTEXT)

    assert "BTC-USD,binance:BTCUSDT,binance:ETHUSDT" in exchange
    assert "--venue" not in exchange
    assert "binance=ws://127.0.0.1:5,http://127.0.0.1:5" in connector
    assert "coinbase=ws://127.0.0.1:6,http://127.0.0.1:6" in connector


def test_arena_of_one_venue_is_unchanged() -> None:
    """A Coinbase user types and reads what they did before."""
    spec = spec_of('[market]\nsource = "coinbase"\n')

    assert ("BTC-USD", "ETH-USD", "SOL-USD") == spec.arena.products
    assert ["connector", "coinbase"] == connector_command(spec, CONTEXT)[:2]
    assert "Prices: Coinbase, live." == prices_text(spec)
    assert "--venue" not in exchange_command(spec_of(""), CONTEXT)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('[market]\nvenue = "mtgox"', "line 2: [market] venue: unknown venue 'mtgox'"),
        ('[arena]\nproducts = ["BTCUSD"]', "'BTCUSD' is not a product of Coinbase"),
        ('[arena]\nproducts = ["mtgox:BTCUSD"]', "unknown venue 'mtgox'"),
        (
            '[market]\nsource = "coinbase"\nvenue = "binance"\n[arena]\nproducts = ["BTCUSDT"]',
            'write source = "live" for binance',
        ),
        (BINANCE.replace('currency = "USDT"', ""), "is quoted in USDT, but the accounts hold USD"),
        (TWO.replace("wallets = { USDT = 30000 }", ""), "quoted in 2 currencies"),
        (TWO + '[arena]\nproducts = ["BTC-USD"]', "products is in [[markets]] already"),
        (TWO.replace("ETHUSDT", "BTC-USDT"), "'binance:BTCUSDT' is already named"),
        (TWO.replace("ETHUSDT", "ETHXYZ"), "does not end with a quote currency"),
        (TWO.replace("BTC-USD", "binance:ETHUSDT"), "is not a product of coinbase"),
        (TWO.replace("USDT = 30000", "usdt = 5"), "'usdt' is not a currency"),
        (TWO.replace("USDT = 30000", "USDT = 5, USD = 5"), "the currency of the main accounts"),
        (TWO.replace('"binance"', '"coinbase"').replace("BTCUSDT", "A-USDT"), "already used"),
        (TWO.replace('"ETHUSDT"]', '"ETHUSDT"]\nprices = ["a.csv"]'), "1 files for 2 products"),
        (
            TWO.replace('"ETHUSDT"]', '"ETHUSDT"]\nprices = ["a.csv", "b.csv"]'),
            'prices need source = "replay"',
        ),
        (
            TWO.replace('"ETHUSDT"]', '"ETHUSDT"]\nprices = ["a.csv", "b.csv"]').replace(
                '"live"', '"replay"'
            ),
            "give price files for every venue or for none",
        ),
    ],
)
def test_wrong_venues_are_refused(text: str, error: str) -> None:
    """With the line, the value and the remedy."""
    with pytest.raises(UsageError) as caught:
        spec_of(text)

    assert error in f"{caught.value} {caught.value.remedy}"
