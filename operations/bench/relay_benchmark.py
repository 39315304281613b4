"""Measures the lower limit: as many raw hops over the same broker in the same run.

A hop is a process of `operations.bench.kafka_relay`. Sizes are those of the arena's own records.
"""

import asyncio
import time
from dataclasses import dataclass

from operations.bench.meter import percentile
from operations.bench.processes import BenchProcesses

HOP_BYTES = (9_000, 9_000, 700, 600)
"""Sizes of the records before a fill: snapshot, request, reply, tool call."""
WARM_UP = 20
READY_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class RelayFigures:
    """Milliseconds from the first append to the last hop's record."""

    hops: int
    p50_ms: float
    p99_ms: float


async def measure_relay(processes: BenchProcesses, count: int, interval_s: float) -> RelayFigures:
    """Send records through a chain of hops, one at a time, and time each.

    The last hop's topic is read here, as the executor reads the last topic of a turn.
    """
    from operations.bench import kafka_relay

    servers = processes.settings.bootstrap_servers
    names = [f"{processes.settings.prefix}relay{n}" for n in range(len(HOP_BYTES))]
    await kafka_relay.create_topics(servers, names)
    for n, size in enumerate(HOP_BYTES[1:]):
        hop = (servers, names[n], names[n + 1], str(size))
        processes.start(f"hop{n}", *hop, module="operations.bench.kafka_relay")
    await _wait_until_ready(processes)
    times = await kafka_relay.time_records(
        servers,
        names[0],
        names[-1],
        size=HOP_BYTES[0],
        count=count + WARM_UP,
        interval_s=interval_s,
    )
    measured = times[WARM_UP:]
    return RelayFigures(len(HOP_BYTES), percentile(measured, 0.5), percentile(measured, 0.99))


async def _wait_until_ready(processes: BenchProcesses) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    logs = [
        processes.logs / f"{processes.settings.prefix}hop{n}.log" for n in range(len(HOP_BYTES) - 1)
    ]
    while not all(log.exists() and b"ready" in log.read_bytes() for log in logs):
        processes.check()
        if time.monotonic() > deadline:
            raise TimeoutError("the relay did not become ready")
        await asyncio.sleep(0.05)
