"""A simulated market that is restarted continues where it stopped."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from arena.clock import SystemClock
from connectors.simulator.run import PLAYED_MAX_S, ExchangeOptions, open_market, run_exchange
from connectors.simulator.simulated_market import SimulatedMarket
from connectors.simulator.simulator_state import SimulatorState, StateFile, read_state
from tests.connectors.builders import FIXTURES, T0
from tests.connectors.venue import eventually

PRODUCTS = ("BTC-USD", "SOL-USD")
SEED = ExchangeOptions(PRODUCTS, speed=60.0)
FILES = ExchangeOptions((), prices=(FIXTURES / "AAA-USD_1m.csv",))
T0_S = int(T0.timestamp())
WORDS = ("exchange", "--port", "0", "--speed", "60", "--products", ",".join(PRODUCTS))
ROOT = Path(__file__).resolve().parents[2]


def public_state(market: SimulatedMarket) -> list[object]:
    """Quotes, trade ids, sequences and candles of every product."""
    return [
        (
            state.tick,
            state.trade_id,
            state.sequence,
            state.volume_24h,
            market.candles(name, 60, 0, 1),
        )
        for name, state in market.products.items()
    ]


def test_restarted_market_equals_one_that_never_stopped() -> None:
    """Prices, trade ids and sequence numbers are the same."""
    never = open_market(SEED, T0)
    never.market.advance(T0_S + 5_000)
    saved = SimulatorState("seed 7", never.began_s, T0_S + 5_000.5)
    again = open_market(SEED, T0 + timedelta(days=30), saved)

    assert (T0_S + 5_000.5, T0_S) == (again.venue_s, again.began_s)
    assert public_state(never.market) == public_state(again.market)


def test_prices_of_a_long_market_start_again() -> None:
    """A market too long to play again keeps its venue time only."""
    long_s = PLAYED_MAX_S // len(PRODUCTS)
    started = open_market(SEED, T0, SimulatorState("seed 7", T0_S, T0_S + long_s + 61.0))

    assert T0_S + long_s + 61.0 == started.venue_s
    assert started.began_s == started.venue_s - started.venue_s % 60


@pytest.mark.parametrize(("left_s", "venue_s"), [(900.5, 900.5), (-900.5, 0.0)])
def test_other_prices_start_again_and_time_never_goes_back(left_s: float, venue_s: float) -> None:
    """Another seed starts at the present, or at the time of the last market if that is later."""
    started = open_market(SEED, T0, SimulatorState("seed 8", T0_S - 5_000, T0_S + left_s))

    assert T0_S + venue_s == started.venue_s
    assert started.began_s == started.venue_s // 60 * 60


def test_files_continue_until_their_end() -> None:
    """A market of a file continues where it stopped; after its end it starts again."""
    first = open_market(FILES, T0)
    end_s = first.market.end_s
    assert end_s is not None
    inside = SimulatorState("AAA-USD_1m.csv", first.began_s, first.venue_s + 65.0)
    ended = SimulatorState("AAA-USD_1m.csv", first.began_s, float(end_s))
    other = SimulatorState("BBB-USD_1m.csv", first.began_s, first.venue_s + 65.0)

    assert first.venue_s + 65.0 == open_market(FILES, T0, inside).venue_s
    assert first.venue_s == open_market(FILES, T0, ended).venue_s
    assert first.venue_s == open_market(FILES, T0, other).venue_s


def test_written_state_is_read_back(tmp_path: Path) -> None:
    """Every digit is kept; the folder is created, and no draft file remains."""
    file = tmp_path / "markets" / "a.json"
    state = SimulatorState("seed 7", T0_S, T0_S + 0.123456)
    StateFile(file).write(state)

    assert state == read_state(file)
    assert [file] == list(file.parent.iterdir())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"tape": 1, "began_s": "x", "venue_s": 0}',
        '{"tape": "seed 7", "began_s": 0, "venue_s": 1e300}',
        '{"tape": "seed 7", "began_s": 1e300, "venue_s": 0}',
        '{"tape": "seed 7", "began_s": -60, "venue_s": 0}',
        '{"tape": "seed 7", "began_s": 1796002380, "venue_s": 1796002379}',
        '{"tape": "seed 7", "began_s": 0, "venue_s": "nan"}',
    ],
)
def test_invalid_file_is_logged(tmp_path: Path, text: str) -> None:
    """The market starts again, and the log names the file."""
    file = tmp_path / "a.json"
    file.write_text(text)

    with capture_logs() as entries:
        assert read_state(file) is None
    assert [str(file)] == [line["file"] for line in entries]


def test_failed_write_is_logged_once(tmp_path: Path) -> None:
    """The file is written as soon as it is possible again."""
    taken = tmp_path / "taken"
    taken.write_text("")
    state_file, state = StateFile(taken / "a.json"), SimulatorState("seed 7", 0, 0.0)

    with capture_logs() as entries:
        state_file.write(state)
        state_file.write(state)
    assert ["venue time not saved"] == [line["event"] for line in entries]
    taken.unlink()
    state_file.write(state)
    assert state == read_state(taken / "a.json")


@contextmanager
def exchange(state: Path) -> Iterator[tuple["subprocess.Popen[str]", dict[str, Any]]]:
    """Run `arena exchange` at sixty times real time; yields the process and its first line."""
    child = subprocess.Popen(
        [sys.executable, "-m", "arena", *WORDS, "--state", str(state)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert child.stdout is not None
        yield child, json.loads(child.stdout.readline())
    finally:
        child.kill()
        child.wait(timeout=10)


@pytest.mark.parametrize(
    ("price_source", "event"),
    [
        ("seed 7", "the market continues where it stopped"),
        ("seed 8", "the prices start again"),
    ],
)
async def test_log_shows_whether_prices_continue(
    tmp_path: Path, price_source: str, event: str
) -> None:
    """The log gives the reason for a jump of prices."""
    state = tmp_path / "market.json"
    StateFile(state).write(SimulatorState(price_source, T0_S, T0_S + 600.0))
    options = ExchangeOptions(PRODUCTS, state=state)

    with capture_logs() as lines:
        running = asyncio.create_task(run_exchange(options, SystemClock()))
        await eventually(lambda: bool(lines), "the log's first line")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    assert event == lines[0]["event"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_restarted_process_continues(tmp_path: Path, number: int) -> None:
    """Killed or stopped, it continues no earlier than any time a client saw, and not much later."""
    state = tmp_path / "market.json"
    with exchange(state) as (child, about):
        seen = _time(httpx.get(f"{about['rest_url']}/time", trust_env=False).json())
        os.kill(child.pid, number)
        assert child.wait(timeout=10) in (0, -number)
    saved = read_state(state)
    with exchange(state) as (_, about):
        again = datetime.fromisoformat(about["venue_time"])

    assert saved is not None
    assert seen <= datetime.fromtimestamp(saved.venue_s, UTC) <= again
    assert again - seen < timedelta(minutes=5)


def _time(body: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(body["iso"])
