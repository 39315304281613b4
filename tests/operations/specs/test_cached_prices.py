"""`prices = "cache:VENUE"`, `start` and `end` in an ARENA.toml, and the flags they become."""

import re
from pathlib import Path

import pytest

from arena.errors import UsageError
from operations.commands.messages_text import prices_text
from operations.specs.arena_spec import ArenaSpec, parse_spec
from operations.supervisor.plan import LaunchContext, exchange_command, replay_command

CONTEXT = LaunchContext(launcher=("arena",), environ={}, directory=Path("/spec"), exchange_port=5)

CONTEST = """\
[arena]
products = ["BTC-USD", "ETH-USD"]
interval_s = 3600
[market]
source = "replay"
prices = "cache:coinbase"
start = 2026-01-01
end = 2026-01-03T12:00:00Z
[[chat_nodes]]
name = "rules"
model_id = "scripted"
[competition]
strategies = ["momentum"]
models = ["rules"]
"""
ARENA = CONTEST.partition("[competition]")[0].replace('"replay"', '"exchange"') + (
    '[[agents]]\nname = "mo"\nstrategy = "momentum"\nchat_node = "rules"\n'
)


def parse(text: str) -> ArenaSpec:
    """The specification in a text."""
    return parse_spec(text, path="ARENA.toml")


@pytest.mark.parametrize("prices", ['"cache:coinbase"', '["cache:coinbase"]'])
def test_cache_is_one_price_per_product(prices: str) -> None:
    """The connector gets the venue for each product, and the range."""
    spec = parse(CONTEST.replace('"cache:coinbase"', prices))
    words = " ".join(replay_command(spec, Path("/arena")))

    assert ("cache:coinbase", "cache:coinbase") == spec.market.prices
    assert "--prices cache:coinbase --prices cache:coinbase" in words
    assert "--start 2026-01-01T00:00:00 --end 2026-01-03T12:00:00" in words
    assert "2 products from the cache, 2026-01-01 00:00 to 2026-01-03 12:00 UTC" in prices_text(
        spec
    )


@pytest.mark.parametrize(
    ("old", "new", "count"),
    [
        ("", "", 60),
        ("[competition]", "[features]\nhistory_minutes = 180\n[competition]", 58),
        ("[competition]", "[features]\nhistory_minutes = 2400\n[competition]", 31),
        ("[competition]\n", "[competition]\nsnapshots = 7\n", 7),
        ('"cache:coinbase"', '["a.csv", "b.csv"]', 61),
        ("start =", 'granularity = "1h"\nstart =', 31),
        ("2026-01-01\n", "2026-01-01T00:00:30Z\n", 59),
    ],
)
def test_range_gives_the_length_of_a_contest(old: str, new: str, count: int) -> None:
    """Sixty candles are history, or what the specification asks for; at most half of the range."""
    contest = parse(CONTEST.replace(old, new, 1)).competition

    assert contest is not None
    assert count == contest.snapshot_count(3600)


def test_simulated_exchange_plays_the_cache() -> None:
    """It gets the range, too."""
    words = " ".join(exchange_command(parse(ARENA), CONTEXT))

    assert "--prices cache:coinbase --prices cache:coinbase" in words
    assert "--start 2026-01-01T00:00:00 --end 2026-01-03T12:00:00" in words


def test_venues_have_their_own_part_of_the_cache() -> None:
    """Each of [[markets]] names its own."""
    markets = "".join(
        f'[[markets]]\nvenue = "{venue}"\nproducts = ["{product}"]\nprices = "cache:{venue}"\n'
        for venue, product in (("coinbase", "BTC-USD"), ("binance", "BTCUSDT"))
    )
    text = CONTEST.replace('products = ["BTC-USD", "ETH-USD"]\n', "")
    text = text.replace('prices = "cache:coinbase"\n', "") + markets
    spec = parse(text + "[rules]\nwallets = { USDT = 1000 }\n")

    assert ("cache:coinbase", "cache:binance") == spec.market.prices


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("start = 2026-01-01\n", "", "prices from the cache need start, such as start ="),
        ("end = 2026-01-03T12:00:00Z\n", "", "prices from the cache need end, such as end ="),
        ("end = 2026-01-03", "end = 2025-01-03", "is not after start; choose a later end"),
        ('"cache:coinbase"', '"cache:"', "names no venue"),
        ('"cache:coinbase"', '["cache:coinbase", "b.csv"]', "prices name files and the cache"),
        ('prices = "cache:coinbase"\n', "", "end needs recorded prices"),
        ('"replay"', '"coinbase"', 'end needs source = "exchange" or "replay"'),
        ("2026-01-01\n", "2026-01-01T00:00:00\n", "timezone"),
    ],
)
def test_unusable_ranges_are_refused(old: str, new: str, error: str) -> None:
    """The error names the key, the value and the remedy."""
    with pytest.raises(UsageError, match=re.escape(error)):
        parse(CONTEST.replace(old, new))
