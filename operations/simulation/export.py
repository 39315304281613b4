"""Exports the records of a simulation, for the commands that read exports."""

import asyncio
from pathlib import Path

from arena.exports import export_topics
from operations.simulation.cluster import SimulatedCluster
from operations.simulation.readings import memory_of


def export_logs(cluster: SimulatedCluster, folder: Path) -> None:
    """Write the committed records of all topics to a folder of Parquet files.

    Args:
        cluster: The brokers, at rest.
        folder: The folder, which does not exist yet.
    """
    asyncio.run(_export(cluster, folder))


async def _export(cluster: SimulatedCluster, folder: Path) -> None:
    bus = memory_of(cluster)
    await bus.start()
    try:
        await export_topics(bus, folder, sorted(cluster.counts), prefix="")
    finally:
        await bus.close()
