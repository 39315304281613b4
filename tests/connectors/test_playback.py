"""Playback of recordings: tickers, snapshots, pace and printing."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from arena.bus.memory import MemoryBus
from arena.clock import ManualClock
from arena.errors import UsageError
from arena.messages import MarketSnapshot, Ticker
from arena.node import Node
from arena.settings import Settings
from connectors.market.playback import Playback, print_frames
from connectors.venues.coinbase.venue import VENUE as COINBASE
from tests.connectors.builders import FIXTURES, T0

RECORDING = FIXTURES / "frames.jsonl"


async def play(
    bus: MemoryBus, path: Path = RECORDING, **options: float | tuple[str, ...] | None
) -> tuple[Node, list[Ticker], list[MarketSnapshot]]:
    """Play a recording; return its process and everything it wrote."""
    node = Node("connector", "replay", Settings(), bus, ManualClock(T0))
    settings = {"interval_s": 60.0, "speed": None, **options}
    playback = Playback(node, COINBASE, path, **settings)  # type: ignore[arg-type]  # as given
    await playback.serve()
    reader = await bus.log_reader("market.tickers", "market.snapshots")
    messages = [record.message() for record in await reader.read(timeout_s=0)]
    tickers = [m for m in messages if isinstance(m, Ticker)]
    return node, tickers, [m for m in messages if isinstance(m, MarketSnapshot)]


async def test_publishes_valid_frames(memory_bus: MemoryBus) -> None:
    """Out-of-order, bad and malformed frames are counted, the others published."""
    node, tickers, snapshots = await play(memory_bus)

    assert ["10.00", "0.20", "10.10", "10.20", "10.30"] == [str(t.price) for t in tickers]
    assert {"dropped_out_of_order": 1, "dropped_bad_print": 1, "malformed": 1, "frames": 11} == {
        name: node.counters[name]
        for name in ("dropped_out_of_order", "dropped_bad_print", "malformed", "frames")
    }
    assert 2 == len(snapshots)
    assert all(snapshot.simulated and snapshot.recorded for snapshot in snapshots)
    assert tickers[-1] == snapshots[-1].view("AAA-USD").ticker  # type: ignore[union-attr]


async def test_recording_without_the_products_is_refused(memory_bus: MemoryBus) -> None:
    """The error names them, because other products may be in it."""
    with pytest.raises(UsageError, match="has no ticker of YYY-USD, ZZZ-USD that can be published"):
        await play(memory_bus, products=("ZZZ-USD", "YYY-USD"))


async def test_makes_candles_from_trades(memory_bus: MemoryBus) -> None:
    """The minute of the second snapshot holds the trades before it, each once."""
    _, _, snapshots = await play(memory_bus)
    view = snapshots[-1].view("AAA-USD")
    assert view is not None
    bars = {c.start.minute: c for c in view.windows["1m"].candles}

    assert [26, 27, 28] == sorted(bars)
    assert Decimal("10.20") == bars[28].close
    assert Decimal(2) == bars[28].volume


async def test_keeps_the_pace_of_the_recording(memory_bus: MemoryBus) -> None:
    """At double speed it takes half the time; long pauses are cut."""
    node, *_ = await play(memory_bus, speed=2.0)

    elapsed_s = (node.clock.now() - T0).total_seconds()
    assert 17.45 == pytest.approx(elapsed_s)


async def test_publishes_only_the_selected_products(memory_bus: MemoryBus) -> None:
    """Other products are neither published nor in a snapshot."""
    _, tickers, snapshots = await play(memory_bus, products=("BBB-USD",))

    assert ["BBB-USD"] == [ticker.product_id for ticker in tickers]
    assert ["BBB-USD"] == [view.product_id for view in snapshots[-1].products]
    with pytest.raises(UsageError, match="no ticker"):
        await play(MemoryBus(memory_bus.cluster), products=("CCC-USD",))


async def test_plays_a_real_recording(memory_bus: MemoryBus, shared_recordings: Path) -> None:
    """30 seconds of ten products give every ticker and one snapshot."""
    path = shared_recordings / "ws" / "cryptofeed_v2" / "COINBASE.ws.28.0.zst"
    _, tickers, snapshots = await play(memory_bus, path)

    assert 107 == len(tickers)
    assert 10 == len(snapshots[-1].products)


def test_prints_every_event(capfd: pytest.CaptureFixture[str]) -> None:
    """Each frame is a JSON line with decimals as text; counts go to stderr."""
    print_frames(COINBASE, RECORDING)
    out, err = capfd.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]

    assert 11 == len(lines)
    assert ("TickerSeen", "9.99", 1) == (
        lines[1]["event"],
        lines[1]["best_bid"],
        lines[1]["conn"],
    )
    assert ["ticker_1000", "BBB-USD"] == lines[0]["subscribed"][-1]
    assert 7 == json.loads(err)["TickerSeen"]
