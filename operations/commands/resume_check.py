"""Checks whether a stopped lock-step contest can continue. Reads `market.snapshots`."""

from pathlib import Path

from arena import topics
from arena.bus.base import Bus, LogReader
from arena.errors import UsageError
from arena.runs import MANIFEST

SNAPSHOTS = topics.SNAPSHOTS.name


async def deleted_snapshots(reader: LogReader) -> int:
    """Return how many snapshots retention has deleted.

    Args:
        reader: A reader of `market.snapshots`, and of other topics, that has not read yet.
    """
    ends = await reader.end_offsets()
    return sum(reader.position(*pair) for pair in ends if pair[0] == SNAPSHOTS)


async def require_snapshots(bus: Bus, directory: Path) -> None:
    """Check that retention has left a snapshot, after which a lock-step contest can continue.

    Args:
        bus: A bus of the contest.
        directory: Directory of the contest's run.

    Raises:
        UsageError: Snapshots were published, and all are deleted.
    """
    reader = await bus.log_reader(SNAPSHOTS)
    try:
        deleted = await deleted_snapshots(reader)
        left = await reader.lag()
    finally:
        await reader.close()
    if not deleted or left:
        return
    remedy = "start a new contest"
    if (directory / MANIFEST).is_file():
        remedy += f"; `arena compete report {directory.name}` reports what it has exported"
    raise UsageError(
        f"run {directory.name} cannot be continued: retention has deleted all its {deleted:,} "
        "snapshots",
        remedy=remedy,
    )
