"""Measures `arena web` beside a running demo: latency, REST, memory, many viewers.

    .venv/bin/python -m tests.dashboard.measure_web [--viewers 500] [--seconds 15]

It starts a demo of its own in a temporary home. Latencies are from the broker's time of a record to
the arrival at the viewer; both are on this machine.
"""

import argparse
import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil

from arena import topics
from arena.bus.base import LATEST
from arena.bus.kafka import KafkaBus
from arena.runs import runs_newest_first
from arena.settings import Settings

ADDRESS = re.compile(r"Page: http://([\d.]+):(\d+)/")
START_S = 120.0
WARM_S = 30.0
"""Seconds of the demo before the first measurement: agents trade, and curves have points."""
REQUESTS_PER_S = 200
CONNECTIONS = 16
PATHS = (
    "/api/v1/leaderboard",
    "/api/v1/verdict",
    "/api/v1/positions",
    "/api/v1/trades?limit=50",
    "/api/v1/agents/momentum/turns?limit=20",
    "/api/v1/prices",
    "/api/v1/equity",
    "/api/v1/costs",
    "/api/v1/health",
    "/portfolio?agent=scalper",
)


def main() -> None:
    """Start a demo, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=15.0, help="Length of a measurement.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        length_s = WARM_S + 6 * options.seconds + 60
        demo = subprocess.Popen(
            [sys.executable, "-u", "-m", "arena", "demo", "--seconds", f"{length_s:g}"],
            env=os.environ | {"ARENA_HOME": str(home)},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            host, port = _address(demo)
            time.sleep(WARM_S)
            asyncio.run(_measure(home, host, port, options.viewers, options.seconds))
        finally:
            demo.send_signal(signal.SIGTERM)
            demo.wait()


def _address(demo: "subprocess.Popen[str]") -> tuple[str, int]:
    assert demo.stdout is not None
    for line in demo.stdout:
        if found := ADDRESS.search(line):
            return found[1], int(found[2])
    raise SystemExit("the demo printed no address")


async def _measure(home: Path, host: str, port: int, viewers: int, seconds: float) -> None:
    (_, run), *_ = runs_newest_first(home)
    pid = next(p.pid for p in run.processes if p.name == "web")
    process = psutil.Process(pid)
    settings = Settings(bootstrap_servers=run.bootstrap, prefix=run.prefix, home=home)
    bus = KafkaBus(settings, client_id="measure-web")
    await bus.start()
    try:
        share = await _cpu(process, asyncio.sleep(seconds))
        print(f"no viewer: {share:.1%} of a core, {_rss(process):.0f} MB")
        arrivals: list[Arrival] = []
        share = await _cpu(process, _view(host, port, seconds, arrivals))
        print(f"1 viewer: {share:.1%} of a core; {await _latencies(bus, arrivals)}")
        times: list[float] = []
        share = await _cpu(process, _load(host, port, seconds, times))
        print(
            f"REST at {REQUESTS_PER_S}/s: {share:.1%} of a core, p50 {_ms(times, 0.5)}, p99"
            f" {_ms(times, 0.99)}, {len(times)} answers"
        )
        arrivals = []
        tasks = [_view(host, port, seconds + 5, arrivals if n % 50 == 0 else None) for n in
                 range(viewers)]  # fmt: skip
        share = await _cpu(process, asyncio.gather(*tasks))
        print(
            f"{viewers} viewers: {share:.1%} of a core, {_rss(process):.0f} MB;"
            f" {await _latencies(bus, arrivals)}"
        )
    finally:
        await bus.close()


Arrival = tuple[str, int, int, float]
"""Topic, partition, offset, Unix seconds of the arrival."""


# Any awaitable.
async def _cpu(process: psutil.Process, work: "asyncio.Future[object] | object") -> float:
    before, began_s = sum(process.cpu_times()[:2]), time.monotonic()
    await work  # type: ignore[misc]
    return (sum(process.cpu_times()[:2]) - before) / (time.monotonic() - began_s)


def _rss(process: psutil.Process) -> float:
    return process.memory_info().rss / 1e6


async def _view(host: str, port: int, seconds: float, arrivals: list[Arrival] | None) -> None:
    """Follow the events; note when turns and snapshots arrive."""
    shown = 0
    try:
        async with asyncio.timeout(seconds):
            async for name, data in _events(host, port):
                if arrivals is None:
                    continue
                now_s, body = time.time(), json.loads(data)
                if name == "turn":
                    partition, offset = body["place"]
                    arrivals.append((topics.TURNS.name, partition, offset, now_s))
                elif name == "leaderboard":
                    snapshots = body["market"]["snapshots"]
                    if shown and snapshots > shown:
                        arrivals.append((topics.SNAPSHOTS.name, 0, snapshots - 1, now_s))
                    shown = max(shown, snapshots)
    except TimeoutError:
        pass


async def _events(host: str, port: int) -> AsyncIterator[tuple[str, bytes]]:
    reader, writer = await asyncio.open_connection(host, port, limit=1 << 20)
    try:
        writer.write(f"GET /api/v1/events HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        await writer.drain()
        name = ""
        while line := await reader.readline():
            if line.startswith(b"event: "):
                name = line[7:].strip().decode()
            elif line.startswith(b"data: "):
                yield name, line[6:]
    finally:
        writer.close()


async def _load(host: str, port: int, seconds: float, times: list[float]) -> None:
    """Ask at a fixed rate over open connections; a late answer delays no other request."""
    queue: asyncio.Queue[tuple[float, str] | None] = asyncio.Queue()
    workers = [asyncio.create_task(_ask(host, port, queue, times)) for _ in range(CONNECTIONS)]
    began_s = time.monotonic()
    for number in range(int(seconds * REQUESTS_PER_S)):
        due_s = began_s + number / REQUESTS_PER_S
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        queue.put_nowait((due_s, PATHS[number % len(PATHS)]))
    for _ in workers:
        queue.put_nowait(None)
    await asyncio.gather(*workers)


async def _ask(
    host: str, port: int, queue: "asyncio.Queue[tuple[float, str] | None]", times: list[float]
) -> None:
    reader, writer = await asyncio.open_connection(host, port, limit=1 << 22)
    while (one := await queue.get()) is not None:
        due_s, path = one
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = re.search(rb"content-length: (\d+)", head.lower())
        assert length is not None, head
        await reader.readexactly(int(length[1]))
        times.append(time.monotonic() - due_s)
    writer.close()


async def _latencies(bus: KafkaBus, arrivals: list[Arrival]) -> str:
    """Percentiles of the time from the broker to the viewer, per topic."""
    found = []
    for topic, what in ((topics.TURNS.name, "turn"), (topics.SNAPSHOTS.name, "leaderboard")):
        places = {(one[1], one[2]) for one in arrivals if one[0] == topic}
        sent = {}
        for partition, offset in places:
            reader = await bus.partition_reader(topic, partition, LATEST)
            record = await reader.record_at(topic, partition, offset, timeout_s=10)
            await reader.close()
            assert record is not None
            sent[partition, offset] = record.timestamp_ms / 1000
        # The first events of a stream are older turns.
        times = [at - sent[p, o] for t, p, o, at in arrivals if t == topic and at - sent[p, o] < 5]
        found.append(f"{what} p50 {_ms(times, 0.5)}, p99 {_ms(times, 0.99)} (n {len(times)})")
    return "; ".join(found)


def _ms(times: list[float], share: float) -> str:
    if not times:
        return "-"
    return f"{sorted(times)[min(len(times) - 1, int(len(times) * share))] * 1000:.0f} ms"


if __name__ == "__main__":
    main()
