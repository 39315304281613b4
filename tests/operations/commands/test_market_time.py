"""A simulated market never starts before the newest snapshot of its topics."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.messages import MarketSnapshot
from connectors.simulator.run import ExchangeOptions, open_market
from connectors.simulator.simulator_state import read_state
from operations.commands.market_time import newest_market_time, restored_state

NOW = datetime(2026, 11, 29, 16, 0, 30, tzinfo=UTC)
LATER, EARLIER = NOW + timedelta(minutes=47), NOW - timedelta(days=3)
STORED: dict[str, object] = {
    "tape": "seed 7",
    "began_s": int((NOW - timedelta(hours=1)).timestamp()),
    "venue_s": NOW.timestamp(),
}


@pytest.mark.parametrize(
    ("stored", "newest", "files", "writes"),
    [
        ({}, None, (), False),
        ({}, LATER, (), True),
        ({}, EARLIER, (), False),
        ({}, EARLIER, ("a.csv", "b.csv"), True),
        (STORED, EARLIER, (), False),
        (STORED, NOW, (), False),
        (STORED, LATER, (), True),
        ({"venue_s": "soon"}, LATER, (), True),
        (STORED, None, (), False),
    ],
)
def test_file_is_written_only_if_time_would_go_back(
    stored: dict[str, object], newest: datetime | None, files: tuple[str, ...], writes: bool
) -> None:
    """A file ahead of the topics is kept; a market from a seed without a file starts now."""
    assert writes == (restored_state(stored, newest, NOW, files) is not None)


@pytest.mark.parametrize("stored", [{}, STORED], ids=["no file", "an older file"])
def test_market_starts_at_the_end_of_the_topics(tmp_path: Path, stored: dict[str, object]) -> None:
    """The exchange reads the written file, and its market starts no earlier."""
    path = tmp_path / "default.json"
    path.write_text(restored_state(stored, LATER, NOW, ()) or "")
    options = ExchangeOptions(products=("BTC-USD",), state=path)
    opening = open_market(options, NOW, read_state(path))

    assert LATER.timestamp() == opening.venue_s
    assert (opening.began_s == STORED["began_s"]) == bool(stored)


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
    assert orjson.loads(restored_state({}, LATER, NOW, ()) or "")["tape"] == ""
