"""Plays the same bars through the arena, nautilus_trader and backtrader, in the same run.

`python -m operations.bench.peers [--python PYTHON] [--bars N]` prints one line each: bars per
second of CPU. PYTHON is an interpreter of an environment that has the other two; without it this
one is asked. What is not installed there is named and left out. Needs no broker.

The strategies differ in what a decision is: theirs is a function that is called with a bar, the
arena's is a whole turn of an agent, with prompt, tool calls, risk and records.
"""

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from arena import logs, topics
from arena.plural import counted
from arena.settings import Settings
from operations.backtest.counts import records_of
from operations.backtest.prepare import prepare, setup_of
from operations.commands.compete_start import new_contest

ROOM: Final = "connectors.market.lockstep.benchmark_replay"
BARS: Final = 20_000
DECIDED: Final = 500
"""Most bars on which an agent of the arena decides."""
PRODUCT: Final = "BTC-USD"
PEERS: Final = {"backtrader": "peer_backtrader.py", "nautilus_trader": "peer_nautilus.py"}
"""Library -> its script, beside this file."""
DEADLINE_S: Final = 1_800
ERROR_CHARS_MAX: Final = 300
PUBLISHED_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
HEADER: Final = "ts,open,high,low,close,volume,bid,ask"
SPEC: Final = """\
[arena]
name = "peers"
products = ["BTC-USD"]
interval_s = 60

[market]
source = "replay"
prices = ["BTC-USD.csv"]

[[chat_nodes]]
name = "rules"
model_id = "scripted"

[competition]
snapshots = {snapshots}
strategies = ["scalper"]
models = ["rules"]
baselines = []
"""


def main(words: Sequence[str] | None = None) -> None:
    """Measure, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--bars", type=int, default=BARS)
    given = parser.parse_args(words)
    for line in measured(given.python, given.bars):
        print(line, flush=True)


def measured(python: str, bars: int) -> Iterator[str]:
    """One line for each player, as it is measured.

    Args:
        python: The interpreter that runs the other libraries.
        bars: Number of minutes.
    """
    room = importlib.import_module(ROOM)
    with tempfile.TemporaryDirectory(prefix="arena-peers-") as name:
        folder = Path(name)
        path = folder / f"{PRODUCT}.csv"
        lines = room.benchmark_lines(PRODUCT, bars)
        path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
        yield f"{bars:,} minutes of {PRODUCT}; bars per second of CPU, one process each"
        for every in (60, 1):
            per_s = _replayed(room.benchmark_replay(1, bars, every))
            yield _line(
                "arena, replay", per_s, f"no agent due, a snapshot every {counted(every, 'bar')}"
            )
        yield _line("arena, backtest", *_decided(folder, min(bars // 2, DECIDED)))
        for library, script in PEERS.items():
            yield _peer_line(library, python, Path(__file__).with_name(script), path)


def _line(name: str, per_s: float, what: str) -> str:
    return f"  {name:<24} {per_s:>9,.0f}  {what}"


def _replayed(replay: Any) -> float:  # Any: another room's `SnapshotReplay`
    played = 0
    replay.take_candles()
    began_s = time.process_time()
    while replay.index + 1 < replay.total:
        replay.step()
        played += len(replay.take_candles())
        replay.snapshot({}, PUBLISHED_AT)
    return played / (time.process_time() - began_s)


def _decided(folder: Path, snapshots: int) -> tuple[float, str]:
    """Turns per second of CPU of one agent, and what they are."""
    path = folder / "peers.toml"
    path.write_text(SPEC.format(snapshots=snapshots), encoding="utf-8")
    settings = Settings().override(home=folder, log_level="ERROR")
    contest = new_contest(path, prices=(), snapshots=None, settings=settings, edit=str)
    with closing(prepare(contest, setup_of(contest, settings))) as test:
        logs.configure(settings, node="bench")
        began_s = time.process_time()
        test.play()
        cpu_s = time.process_time() - began_s
        turns = sum(r.kind == "Turn" for r in records_of(test.cluster, topics.TURNS.name))
    return turns / cpu_s, f"{turns:,} whole turns of a scripted model: prompt, tools, risk, records"


def _peer_line(library: str, python: str, script: Path, prices: Path) -> str:
    """Run another library in a process of its own; one line, also if it is not installed."""
    found = subprocess.run(
        [python, "-c", f"import {library}"], capture_output=True, check=False, timeout=DEADLINE_S
    )
    if found.returncode:
        return f"  {library:<24} not installed for {python}"
    ended = subprocess.run(
        [python, str(script), str(prices)],
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )
    if ended.returncode:
        return f"  {library:<24} failed: {ended.stderr.strip()[-ERROR_CHARS_MAX:]}"
    figures = json.loads(ended.stdout.splitlines()[-1])
    what = f"a Python strategy, {figures['orders']:,} orders, version {figures['version']}"
    return _line(library, figures["bars"] / figures["cpu_s"], what)


if __name__ == "__main__":
    main()
