"""Exchange and connector as separate processes, over a real Kafka."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from arena.bus.kafka import KafkaBus
from arena.messages import Heartbeat, MarketSnapshot, Message, Product, Ticker
from arena.pricefiles.names import product_of
from arena.settings import Settings
from arena.trading_modes import ONLINE, UNLISTED
from tests.connectors.builders import load_price_path
from tests.connectors.venue import eventually

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 40.0
PRODUCTS = ("BTC-USD", "FARTCOIN-USD", "AERO-USD")


@contextmanager
def process(settings: Settings, log: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command of the arena and end it with SIGTERM."""
    environment = os.environ | {
        "KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "ARENA_PREFIX": settings.prefix,
    }
    with log.open("a") as err:
        child = subprocess.Popen(
            [sys.executable, "-m", "arena", *words],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=err,
            text=True,
        )
        try:
            yield child
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(timeout=15)


@contextmanager
def simulated_exchange(settings: Settings, log: Path, *words: str) -> Iterator[tuple[str, ...]]:
    """Run `arena exchange`; yields the flags that point a connector to it."""
    with process(settings, log, "exchange", "--port", "0", "--speed", "60", *words) as child:
        assert child.stdout is not None
        about = json.loads(child.stdout.readline())
        yield ("--ws-url", about["ws_url"], "--rest-url", about["rest_url"])


@asynccontextmanager
async def reading(bus: KafkaBus, *topics: str) -> AsyncIterator[list[Message]]:
    """A list to which the messages of topics are added as they arrive."""
    reader = await bus.log_reader(*topics)
    messages: list[Message] = []

    async def read_forever() -> None:
        while True:
            messages.extend(record.message() for record in await reader.read(timeout_s=0.2))

    task = asyncio.create_task(read_forever())
    try:
        yield messages
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await reader.close()


def snapshots_in(messages: list[Message]) -> list[MarketSnapshot]:
    """The snapshots among messages."""
    return [m for m in messages if isinstance(m, MarketSnapshot)]


async def test_tickers_and_snapshots_are_published(
    bus: KafkaBus, settings: Settings, tmp_path: Path
) -> None:
    """Snapshots are complete and fresh; products without a listing are unlisted."""
    log = tmp_path / "log"
    topics = ("market.tickers", "market.snapshots", "arena.heartbeats")
    with simulated_exchange(settings, log) as urls:
        words = ("connector", "coinbase", *urls, "--products", *PRODUCTS, "NOPE-USD")
        with process(settings, log, *words) as child:
            async with reading(bus, *topics) as messages:
                await eventually(
                    lambda: len(snapshots_in(messages)) >= 4, "snapshots", deadline_s=DEADLINE_S
                )
        assert 0 == child.returncode

    snapshots = snapshots_in(messages)
    for snapshot in snapshots:
        assert sorted(PRODUCTS) == [view.product_id for view in snapshot.products]
        assert not any(view.stale for view in snapshot.products)
        assert snapshot.simulated
    btc = snapshots[-1].view("BTC-USD")
    assert btc is not None
    assert all(window.candles and not window.gaps for window in btc.windows.values())
    tickers = [m for m in messages if isinstance(m, Ticker)]
    assert set(PRODUCTS) == {t.product_id for t in tickers}
    product_statuses = {m.product_id: m.status for m in messages if isinstance(m, Product)}
    assert {**dict.fromkeys(PRODUCTS, ONLINE), "NOPE-USD": UNLISTED} == product_statuses
    beats = [m for m in messages if isinstance(m, Heartbeat)]
    assert {"connector"} == {beat.kind for beat in beats}
    assert "Traceback" not in log.read_text()


async def test_second_venue_is_published_and_played_back(
    bus: KafkaBus, settings: Settings, tmp_path: Path
) -> None:
    """`arena connector binance` to the simulated Binance, then its own recording of that."""
    log, recording = tmp_path / "log", tmp_path / "frames.jsonl.zst"
    products = ("binance:BTCUSDT", "binance:SOLUSDT")
    topics = ("market.tickers", "market.snapshots", "arena.heartbeats")
    async with reading(bus, *topics) as messages:
        with simulated_exchange(settings, log, "--venue", "binance", "BTCUSDT", "sol-usdt") as urls:
            words = ("connector", "binance", *urls, "--record", str(recording))
            named = ("--products", "BTCUSDT", "SOL/USDT", "binance:nopeusdt")
            with process(settings, log, *words, *named) as child:
                await eventually(
                    lambda: len(snapshots_in(messages)) >= 3, "snapshots", deadline_s=DEADLINE_S
                )
        assert 0 == child.returncode
        live = list(messages)
        with process(settings, log, "connector", "binance", "--frames", str(recording)) as played:
            assert 0 == await asyncio.to_thread(played.wait, DEADLINE_S)
        await eventually(
            lambda: any(s.recorded for s in snapshots_in(messages)), "snapshots of the recording"
        )

    for snapshot in snapshots_in(live):
        assert ("binance", True) == (snapshot.venue, snapshot.simulated)
        assert sorted(products) == [view.product_id for view in snapshot.products]
        assert not any(view.stale for view in snapshot.products)
        assert all(v.windows["1m"].candles for v in snapshot.products)
    assert set(products) == {m.product_id for m in live if isinstance(m, Ticker)}
    product_statuses = {m.product_id: m.status for m in live if isinstance(m, Product)}
    listed = dict.fromkeys(products, ONLINE)
    assert {**listed, "binance:NOPEUSDT": UNLISTED} == product_statuses
    assert {"binance"} == {s.venue for s in snapshots_in(messages)}
    assert "Traceback" not in log.read_text()


async def test_recorded_days_are_published(
    bus: KafkaBus, settings: Settings, tmp_path: Path, shared_recordings: Path
) -> None:
    """The snapshots of two real days of three products show the candles of the files."""
    log = tmp_path / "log"
    files = sorted((shared_recordings / "candles" / "normalized").glob("*.csv.gz"))
    products = tuple(product_of(path) for path in files)
    price_paths = {
        product: load_price_path(path, product)
        for path, product in zip(files, products, strict=True)
    }
    with simulated_exchange(settings, log, "--prices", *map(str, files)) as urls:
        words = ("connector", "coinbase", *urls, "--products", *products)
        with process(settings, log, *words):
            async with reading(bus, "market.snapshots") as messages:
                await eventually(
                    lambda: len(snapshots_in(messages)) >= 5, "snapshots", deadline_s=DEADLINE_S
                )

    assert {2018} == {snapshot.as_of.year for snapshot in snapshots_in(messages)}
    for snapshot in snapshots_in(messages):
        for view in snapshot.products:
            rows = price_paths[view.product_id].rows
            for candle in view.windows["1m"].candles:
                row = rows[int(candle.start.timestamp())].trades
                assert (candle.open, candle.high, candle.low, candle.close, candle.volume) == row


async def test_standby_replaces_a_killed_connector(
    bus: KafkaBus, settings: Settings, tmp_path: Path
) -> None:
    """Of two connectors one publishes; after a SIGKILL of it the other continues."""
    log = tmp_path / "log"
    with simulated_exchange(settings, log) as urls:
        words = ("connector", "coinbase", *urls, "--products", "BTC-USD")
        async with reading(bus, "market.snapshots", "arena.heartbeats") as messages:
            with process(settings, log, *words) as first:
                await eventually(
                    lambda: bool(snapshots_in(messages)), "a snapshot", deadline_s=DEADLINE_S
                )
                with process(settings, log, *words) as second:
                    await eventually(
                        lambda: {"running", "standby"} <= statuses(messages),
                        "one running, one standing by",
                        deadline_s=DEADLINE_S,
                    )
                    leader = next(
                        beat.pid
                        for beat in reversed(messages)
                        if isinstance(beat, Heartbeat) and beat.status == "running"
                    )
                    os.kill(leader, signal.SIGKILL)
                    killed, other = (first, second) if leader == first.pid else (second, first)
                    killed.wait(timeout=5)
                    before = len(snapshots_in(messages))
                    await eventually(
                        lambda: len(snapshots_in(messages)) > before + 1,
                        "snapshots of the standby",
                        deadline_s=DEADLINE_S,
                    )
                    assert other.poll() is None


def statuses(messages: list[Message]) -> set[str]:
    """The newest status of each process."""
    last = {m.node: m.status for m in messages if isinstance(m, Heartbeat)}
    return set(last.values())
