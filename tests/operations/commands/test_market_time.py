"""A simulated market never starts before the newest snapshot of its topics."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.messages import MarketSnapshot
from connectors.simulator.run import ExchangeOptions, open_market, options_by_venue
from connectors.simulator.simulator_state import read_state
from operations.commands.market_time import (
    market_files,
    newest_market_time,
    restored_state,
    stored_state,
)
from operations.specs.arena_spec import parse_spec

NOW = datetime(2026, 11, 29, 16, 0, 30, tzinfo=UTC)
LATER, EARLIER = NOW + timedelta(minutes=47), NOW - timedelta(days=3)
STORED: dict[str, object] = {
    "tape": "seed 7",
    "began_s": int((NOW - timedelta(hours=1)).timestamp()),
    "venue_s": NOW.timestamp(),
}


TWO_VENUES = """
[market]
source = "exchange"

[[markets]]
venue = "coinbase"
products = ["BTC-USD"]
prices = ["a.csv"]

[[markets]]
venue = "binance"
products = ["BTCUSDT"]
prices = ["b.csv"]

[rules]
wallets = { USDT = 30000 }

[[chat_nodes]]
name = "rules"
model_id = "scripted"

[[agents]]
name = "mo"
strategy = "momentum"
chat_node = "rules"
"""


@pytest.mark.parametrize(
    ("stored", "newest", "source", "writes"),
    [
        ({}, None, "", False),
        ({}, LATER, "", True),
        ({}, EARLIER, "", False),
        ({}, EARLIER, "a.csv b.csv", True),
        (STORED, EARLIER, "", False),
        (STORED, NOW, "", False),
        (STORED, LATER, "", True),
        ({"venue_s": "soon"}, LATER, "", True),
        (STORED, None, "", False),
    ],
)
def test_file_is_written_only_if_time_would_go_back(
    stored: dict[str, object], newest: datetime | None, source: str, writes: bool
) -> None:
    """A file ahead of the topics is kept; a market from a seed without a file starts now."""
    assert writes == (restored_state(stored, newest, NOW, source) is not None)


@pytest.mark.parametrize("stored", [{}, STORED], ids=["no file", "an older file"])
def test_market_starts_at_the_end_of_the_topics(tmp_path: Path, stored: dict[str, object]) -> None:
    """The exchange reads the written file, and its market starts no earlier."""
    path = tmp_path / "default.json"
    path.write_text(restored_state(stored, LATER, NOW, "") or "")
    options = ExchangeOptions(products=("BTC-USD",), state=path)
    opening = open_market(options, NOW, read_state(path))

    assert LATER.timestamp() == opening.venue_s
    assert (opening.began_s == STORED["began_s"]) == bool(stored)


@pytest.mark.parametrize("files", [True, False])
def test_each_of_two_venues_has_its_file(tmp_path: Path, files: bool) -> None:
    """Both have the name and the prices that the exchange looks for."""
    text = TWO_VENUES if files else TWO_VENUES.replace("prices", "# prices")
    path = tmp_path / "default.json"
    found = market_files(parse_spec(text, path="ARENA.toml"), path)
    parts = options_by_venue(
        ExchangeOptions(
            ("BTC-USD", "binance:BTCUSDT"),
            prices=(Path("a.csv"), Path("b.csv")) if files else (),
            state=path,
        )
    )

    sources = [part.price_source if files else "" for part in parts]
    assert list(zip([part.state for part in parts], sources, strict=True)) == sorted(found)


def test_prices_of_another_venue_continue(tmp_path: Path) -> None:
    """A market of one venue has the plain file, with the venue in its price source."""
    coinbase, binance = TWO_VENUES.index("[[markets]]"), TWO_VENUES.rindex("[[markets]]")
    one = TWO_VENUES[:coinbase] + TWO_VENUES[binance:]
    one = one.replace("wallets = { USDT = 30000 }", 'currency = "USDT"')
    path = tmp_path / "default.json"

    assert [(path, "b.csv on binance")] == market_files(parse_spec(one, path="ARENA.toml"), path)


@pytest.mark.parametrize(
    "text",
    ['{"venue_s": 1.0}', '{"tape": "seed 7", "began_s": 0, "venue_s": 1e300}', "[1]", "{"],
)
def test_file_that_the_exchange_cannot_read_is_replaced(tmp_path: Path, text: str) -> None:
    """Otherwise the market would start now, before the newest snapshot."""
    path = tmp_path / "default.json"
    path.write_text(text)
    path.write_text(restored_state(stored_state(path), LATER, NOW, "") or "")
    state = read_state(path)

    assert state is not None
    assert LATER.timestamp() == state.venue_s


async def test_newest_snapshot_is_found(memory_bus: MemoryBus) -> None:
    """Records that are not snapshots do not hide it; an empty topic has none."""
    assert await newest_market_time(memory_bus) is None
    for minutes in (1, 3, 2):
        at = NOW + timedelta(minutes=minutes)
        snapshot = MarketSnapshot.model_validate(
            {"snapshot_id": str(minutes), "venue": "coinbase", "as_of": at, "published_at": at}
            | {"interval_s": 60, "products": []}
        )
        await memory_bus.append(topics.SNAPSHOTS.name, snapshot, key="coinbase")
    await memory_bus.send_bytes(topics.SNAPSHOTS.name, b"{", key=None, partition=0, headers=())

    assert NOW + timedelta(minutes=3) == await newest_market_time(memory_bus)
    assert orjson.loads(restored_state({}, LATER, NOW, "") or "")["tape"] == ""
