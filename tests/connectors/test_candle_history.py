"""The candles before the first snapshot, from the simulated exchange."""

from arena.bus.memory import MemoryBus
from tests.connectors.venue import eventually, running_connector, running_exchange


async def test_long_history_is_loaded_in_several_requests(memory_bus: MemoryBus) -> None:
    """The first snapshot waits for all of its minutes, of which one request gives 300 at most."""
    async with (
        running_exchange(products=("BTC-USD",), history_minutes=700) as server,
        running_connector(
            server, memory_bus, products=("BTC-USD",), factor=1.0, history_minutes=650
        ) as watched,
    ):
        await eventually(lambda: bool(watched.snapshots), "a snapshot")
        book = watched.feed.refresher.books["BTC-USD"]

    assert 650 == len(book)
    assert watched.count("candle_polls") >= 3
