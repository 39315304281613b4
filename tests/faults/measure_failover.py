"""Measures the effect of losing a broker: `python -m tests.faults.measure_failover --kills 20`.

Repeatedly kills the leader of `account.events` with SIGKILL under traffic, and prints for each kill
the seconds until the next order was acked and until the next one was decided. Then the independent
checker reads everything that was written. With `--nodes 1` the only broker is killed and restarted
at once; an executor that gives up in the meantime is restarted, too.
"""

import argparse
import asyncio
import logging
import os
import statistics
import sys
import tempfile
from pathlib import Path

from arena.settings import Settings
from operations.localbroker.broker import LocalBroker
from operations.localbroker.cluster import NODES, LocalCluster
from operations.storm.checker_records import Findings
from tests.faults.cluster import (
    PER_SECOND,
    DecisionWatch,
    Failover,
    kill_leader,
    kill_only,
    rolling_restart,
    trade_during,
)
from tests.faults.harness import Executors, Traffic

PAUSE_S = 1.5
SEED = 31
COUNTED = ("orders", "ignored", "written_twice", "replies", "checks", "executors_ended")


async def measure(
    broker: LocalBroker | LocalCluster, settings: Settings, logs: Path, kills: int, rolls: int
) -> Findings:
    """Kill brokers, print the times, and check the topics."""
    seen: list[Failover] = []

    async def disturb(traffic: Traffic, watch: DecisionWatch) -> None:
        for number in range(1, kills + 1):
            await asyncio.sleep(PAUSE_S)
            if isinstance(broker, LocalCluster):
                found = await kill_leader(broker, settings, traffic, watch)
            else:
                found = await kill_only(broker, traffic, watch)
            seen.append(found)
            print(
                f"{number:>4}  {found.node_id:>6}  {found.acked_s:>8.2f}  {found.decided_s:>10.2f}"
                f"  {found.restored_s:>11.2f}  {os.getloadavg()[0]:>5.1f}",
                flush=True,
            )
        if isinstance(broker, LocalCluster):
            for _ in range(rolls):
                await rolling_restart(broker, settings)

    executors = Executors(settings, logs)
    executors.start("one")
    print(f"{'kill':>4}  broker  acked, s  decided, s  restored, s   load", flush=True)
    try:
        findings = await trade_during(
            settings, executors, SEED, disturb, may_restart=isinstance(broker, LocalBroker)
        )
    finally:
        executors.stop()
    for name in ("acked_s", "decided_s", "restored_s") if seen else ():
        values = [getattr(failover, name) for failover in seen]
        print(f"{name:<10}  median {statistics.median(values):.2f}  max {max(values):.2f}")
    return findings


def main() -> int:
    """Run with new brokers in a temporary folder; return 1 if the checker finds a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, choices=(1, NODES), default=NODES)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--rolls", type=int, default=1, help="rolling restarts after the kills")
    requested = parser.parse_args()
    # It logs each attempt to reach the killed broker, about twenty times a second.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    kind = LocalCluster if requested.nodes == NODES else LocalBroker
    with tempfile.TemporaryDirectory(prefix="arena-failover-") as folder:
        home = Path(folder)
        with kind(home, port=0) as broker:
            handle = broker.start()
            print(f"{requested.nodes} broker(s) of Kafka {handle.version}, {os.cpu_count()} cores")
            print(f"{PER_SECOND:.0f} orders/s, one executor; seconds count from the kill")
            settings = Settings(bootstrap_servers=handle.bootstrap, heartbeat_interval_s=0.5)
            findings = asyncio.run(
                measure(broker, settings, home, requested.kills, requested.rolls)
            )
    print("  ".join(f"{name} {findings.counts[name]:,}" for name in COUNTED))
    print("nothing lost, nothing doubled" if not findings.wrong else findings.summary())
    return 1 if findings.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
