"""A simulated market never begins before the newest snapshot of its topics."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from arena.messages import MarketSnapshot
from connectors.exchange.run import ExchangeOptions, open_market
from connectors.exchange.simulator_state import read_state
from operations.commands.market_time import newest_market_time, restored_state

NOW = datetime(2026, 11, 29, 16, 0, 30, tzinfo=UTC)
LATER, EARLIER = NOW + timedelta(minutes=47), NOW - timedelta(days=3)
KEPT: dict[str, object] = {
    "tape": "seed 7",
    "began_s": int((NOW - timedelta(hours=1)).timestamp()),
    "venue_s": NOW.timestamp(),
}


@pytest.mark.parametrize(
    ("kept", "newest", "files", "writes"),
    [
        ({}, None, (), False),
        ({}, LATER, (), True),
        ({}, EARLIER, (), False),
        ({}, EARLIER, ("a.csv", "b.csv"), True),
        (KEPT, EARLIER, (), False),
        (KEPT, NOW, (), False),
        (KEPT, LATER, (), True),
        ({"venue_s": "soon"}, LATER, (), True),
        (KEPT, None, (), False),
    ],
)
def test_the_file_is_written_only_if_time_would_go_back(
    kept: dict[str, object], newest: datetime | None, files: tuple[str, ...], writes: bool
) -> None:
    """A file that is ahead of the topics stays; a seed's market without one begins now."""
    assert writes == (restored_state(kept, newest, NOW, files) is not None)


@pytest.mark.parametrize("kept", [{}, KEPT], ids=["no file", "an older file"])
def test_the_market_begins_where_the_topics_end(tmp_path: Path, kept: dict[str, object]) -> None:
    """What is written is what the exchange reads, and its market begins no earlier."""
    path = tmp_path / "default.json"
    path.write_text(restored_state(kept, LATER, NOW, ()) or "")
    options = ExchangeOptions(products=("BTC-USD",), state=path)
    opening = open_market(options, NOW, read_state(path))

    assert LATER.timestamp() == opening.venue_s
    assert (opening.began_s == KEPT["began_s"]) == bool(kept)


async def test_the_newest_snapshot_is_found(memory_bus: MemoryBus) -> None:
    """Records that are not snapshots do not hide it, and a topic without any has none."""
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
