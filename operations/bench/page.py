"""Measures the page of `arena web` beside a running demo: latency, REST, memory, CPU, viewers.

A latency is from the time of a record in its topic to its arrival at a viewer on this machine.
"""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from arena import topics
from arena.bus.base import LATEST, LogReader
from arena.bus.kafka import KafkaBus
from arena.errors import DependencyMissing
from arena.runs import runs_newest_first
from arena.settings import Settings
from operations.bench import meter
from operations.bench.page_clients import REQUESTS_PER_S, Arrival, PageAddress, ask, view

ADDRESS = re.compile(r"^ *Page: http://([\d.]+):(\d+)/", re.MULTILINE)
START_S = 120.0
STOP_S = 60.0
POLL_S = 0.1
WARM_UP = 3
"""Lengths of a measurement before the first one: agents trade, and curves have points."""
VIEW = 3
"""Lengths of a measurement with one viewer: a demo has about six turns a second."""
LOOKED_AT = 10
"""Of many viewers, so many are looked at; the others only read."""
LATE_S = 5.0
"""Viewers connect one after the other for about so long."""
READ_S = 20.0
MB = 1_000_000

# Any: figures of mixed types, made for JSON.
Figures = dict[str, Any]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class RunningPage:
    """A page to measure.

    Attributes:
        address: Where it listens.
        pid: Its process.
        settings: The broker and the prefix of its arena.
    """

    address: PageAddress
    pid: int
    settings: Settings

    @property
    def memory_mb(self) -> float:
        """Resident memory in MB."""
        return meter.memory(self.pid).rss_mib * meter.MIB / MB


def measure_page(settings: Settings, folder: Path, *, seconds: float, viewers: int) -> Figures:
    """Start a demo, measure its page, and stop it.

    Args:
        settings: The broker.
        folder: Folder for the demo's home and log.
        seconds: Length of a measurement.
        viewers: Number of viewers at once.

    Raises:
        DependencyMissing: The demo did not start.
    """
    length_s = (WARM_UP + VIEW + 3) * seconds + LATE_S + START_S
    with running_demo(settings, folder, length_s) as page:
        time.sleep(WARM_UP * seconds)
        return asyncio.run(page_figures(page, seconds=seconds, viewers=viewers))


@contextmanager
def running_demo(settings: Settings, folder: Path, seconds: float) -> Iterator[RunningPage]:
    """A demo until the block ends.

    Raises:
        DependencyMissing: It did not start.
    """
    home, log = folder / "page", folder / "page.log"
    environ = {"ARENA_HOME": str(home), "KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers}
    with log.open("wb") as out:
        demo = subprocess.Popen(
            [sys.executable, "-u", "-m", "arena", "demo", "--seconds", f"{seconds:g}"],
            env=os.environ | environ,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _wait_for_page(demo, log, settings.override(home=home))
    finally:
        demo.send_signal(signal.SIGTERM)
        try:
            demo.wait(STOP_S)
        except subprocess.TimeoutExpired:
            demo.kill()
            demo.wait()


def _wait_for_page(demo: "subprocess.Popen[bytes]", log: Path, settings: Settings) -> RunningPage:
    until_s = time.monotonic() + START_S
    while True:
        text = log.read_text(errors="replace")
        if (address := ADDRESS.search(text)) and _answers(address[1], int(address[2])):
            (_, run), *_ = runs_newest_first(settings.home)
            pid = next(one.pid for one in run.processes if one.name == "web")
            assert pid is not None, "a process that answers has a pid"
            own = settings.override(bootstrap_servers=run.bootstrap, prefix=run.prefix)
            return RunningPage(PageAddress(address[1], int(address[2])), pid, own)
        if demo.poll() is not None or time.monotonic() > until_s:
            raise DependencyMissing(f"the demo has no page that answers: {text[-500:]}")
        time.sleep(POLL_S)


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), POLL_S):
            return True
    except OSError:
        return False


async def page_figures(page: RunningPage, *, seconds: float, viewers: int) -> Figures:
    """Measure a running page.

    Args:
        page: The page; its arena must be running.
        seconds: Length of a measurement.
        viewers: Number of viewers at once.
    """
    bus = KafkaBus(page.settings, client_id="arena-bench-page")
    await bus.start()
    reader = await bus.log_reader(topics.TURNS.name, topics.SNAPSHOTS.name, start=LATEST)
    try:
        figures: Figures = {"viewers": viewers, "rest_per_s": REQUESTS_PER_S}
        figures["idle_cpu"], _ = await _with_cpu(page, asyncio.sleep(seconds))
        figures["memory_mb"] = page.memory_mb

        one: list[Arrival] = []
        figures["viewer_cpu"], _ = await _with_cpu(page, view(page.address, VIEW * seconds, one))
        figures["rest_cpu"], times = await _with_cpu(page, ask(page.address, seconds))
        figures |= _percentiles("rest", times)

        many: list[Arrival] = []
        every = max(1, viewers // LOOKED_AT)
        views = [
            view(page.address, seconds + LATE_S, None if number % every else many)
            for number in range(viewers)
        ]
        figures["viewers_cpu"], _ = await _with_cpu(page, asyncio.gather(*views))
        figures["viewers_memory_mb"] = page.memory_mb

        sent = await _times_of(reader, [*one, *many])
        figures |= _latencies("", one, sent) | _latencies("viewers_", many, sent)
        return figures
    finally:
        await reader.close()
        await bus.close()


async def _with_cpu(page: RunningPage, work: Awaitable[Result]) -> tuple[float, Result]:
    """The share of a core that a page used during some work, and the result of the work."""
    before, began_s = meter.cpu_seconds([page.pid]), time.monotonic()
    result = await work
    used = meter.cpu_seconds([page.pid]) - before
    return used / (time.monotonic() - began_s), result


Place = tuple[str, int, int]


async def _times_of(reader: LogReader, arrivals: Sequence[Arrival]) -> dict[Place, float]:
    """Unix seconds of the records that arrived, by place; what came before the reader is not in it.

    Args:
        reader: Reads the topics from before the first measurement on.
        arrivals: The records.
    """
    ends = await reader.end_offsets()
    wanted = {one.place for one in arrivals}
    found: dict[Place, float] = {}
    async with asyncio.timeout(READ_S):
        while any(reader.position(*pair) < end for pair, end in ends.items()):
            for record in await reader.read(timeout_s=POLL_S):
                place = (record.topic, record.partition, record.offset)
                if place in wanted:
                    found[place] = record.timestamp_ms / 1_000
    return found


def _latencies(prefix: str, arrivals: Sequence[Arrival], sent: dict[Place, float]) -> Figures:
    figures: Figures = {}
    for topic, what in ((topics.TURNS.name, "turn"), (topics.SNAPSHOTS.name, "leaderboard")):
        times = [
            (one.at_s - sent[one.place]) * 1_000
            for one in arrivals
            if one.topic == topic and sent.get(one.place, 0.0) >= one.since_s
        ]
        figures |= _percentiles(f"{prefix}{what}", times)
    return figures


def _percentiles(name: str, times_ms: list[float]) -> Figures:
    if not times_ms:
        return {f"{name}_count": 0}
    return {
        f"{name}_p50_ms": meter.percentile(times_ms, 0.5),
        f"{name}_p99_ms": meter.percentile(times_ms, 0.99),
        f"{name}_count": len(times_ms),
    }
