"""Measures how long `arena halt` takes to be confirmed: `python -m tests.faults.measure_halt`.

Repeatedly halts and resumes all agents, as the command does, with one executor: first without
trading, then under traffic. The halts come at random times, so that they are not in step with the
heartbeats of the executor.
"""

import argparse
import asyncio
import os
import random
import statistics
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from arena import topics
from arena.bus.kafka import KafkaBus
from arena.halt_confirmation import append_and_confirm
from arena.messages import Halt, Resume
from arena.settings import Settings
from operations.localbroker.broker import LocalBroker
from tests.faults.harness import Executors, Traffic

WAIT_S = 10.0
SEED = 41
MORE_ORDERS = 1_000_000


async def confirm_times_s(bus: KafkaBus, count: int) -> list[float]:
    """Return the seconds that each of some halts took."""
    found = []
    for _ in range(count):
        await asyncio.sleep(random.uniform(0.1, 1.1))
        now = datetime.now(UTC)
        requested = await append_and_confirm(bus, Halt(by="measure", at=now), WAIT_S)
        if requested.unconfirmed:
            raise AssertionError(f"not confirmed: {requested.unconfirmed}")
        found.append(requested.seconds)
        await append_and_confirm(bus, Resume(by="measure", at=now), WAIT_S)
    return found


async def measure(settings: Settings, logs: Path, count: int, per_second: float) -> None:
    """Print the times without and with traffic."""
    bus = KafkaBus(settings, client_id="measure")
    await bus.start()
    executors = Executors(settings, logs)
    try:
        await bus.ensure_topics(topics.fixed_topics())
        traffic = Traffic(bus, SEED)
        await traffic.open_market()
        executors.start("one")
        await executors.wait_until_owned(0)
        show("idle", await confirm_times_s(bus, count))
        trading = [
            asyncio.create_task(traffic.run_market()),
            asyncio.create_task(traffic.run_agents(MORE_ORDERS, per_second)),
        ]
        show(f"{per_second:.0f} orders/s", await confirm_times_s(bus, count))
        for task in trading:
            task.cancel()
        await asyncio.gather(*trading, return_exceptions=True)
    finally:
        executors.stop()
        await bus.close()


def show(what: str, times_s: list[float]) -> None:
    """Print one line of results."""
    median_ms, most_ms = 1_000 * statistics.median(times_s), 1_000 * max(times_s)
    load = os.getloadavg()[0]
    print(
        f"{what:<14} {len(times_s)} halts  median {median_ms:.0f} ms  max {most_ms:.0f} ms"
        f"  load {load:.1f}",
        flush=True,
    )


def main() -> int:
    """Run with a new broker in a temporary folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--halts", type=int, default=10)
    parser.add_argument("--per-second", type=float, default=200.0, help="orders in the second part")
    requested = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="arena-halt-") as folder:
        home = Path(folder)
        with LocalBroker(home, port=0) as broker:
            handle = broker.start()
            settings = Settings(bootstrap_servers=handle.bootstrap)
            asyncio.run(measure(settings, home, requested.halts, requested.per_second))
    return 0


if __name__ == "__main__":
    sys.exit(main())
