"""Notices another connector that publishes snapshots of another venue in the same arena.

Then agents get snapshots of each venue in turn, and never both as of one time. The offsets of a
connector's own snapshots follow each other, so a gap between two of them shows another writer.
"""

from typing import Final

from arena import topics
from arena.bus.base import EARLIEST, AppendAck
from arena.node import Node

RECORDS_MAX: Final = 16
"""Most records of a gap that are read, the newest ones."""
READ_TIMEOUT_S: Final = 1.0
CHECK_EVERY_S: Final = 60.0
VENUE_CHARS_MAX: Final = 40


class OtherConnectors:
    """Warns of other connectors, once per venue.

    Args:
        node: The process; its bus is read.
        venue: The venue of its own snapshots.
    """

    def __init__(self, node: Node, venue: str) -> None:
        """Create the check; call `note` with every snapshot's ack."""
        self._node = node
        self._venue = venue
        self._last: int | None = None
        self._checked_s: float | None = None
        self._known: set[str] = set()

    async def note(self, ack: AppendAck) -> None:
        """Look at the records between the last snapshot of this process and this one."""
        last, self._last = self._last, ack.offset
        if last is None or ack.offset == last + 1:
            return
        now_s = self._node.clock.monotonic()
        if self._checked_s is not None and now_s - self._checked_s < CHECK_EVERY_S:
            return
        self._checked_s = now_s
        for venue in sorted(await self._venues(ack, last + 1) - self._known - {self._venue}):
            self._known.add(venue)
            names = sorted({*venue.split("+"), *self._venue.split("+")})
            flags = " ".join(f"--market {name}=PRODUCT,..." for name in names)
            self._node.log.warning(
                "another connector publishes snapshots: agents get those of each in turn",
                venue=venue,
                remedy=f"run one connector instead of both: arena connector markets {flags}",
            )

    async def _venues(self, ack: AppendAck, first: int) -> set[str]:
        """The keys of the records from an offset to this process's newest snapshot."""
        pair = topics.SNAPSHOTS.name, ack.partition
        reader = await self._node.bus.partition_reader(*pair, EARLIEST)
        try:
            reader.seek(*pair, max(first, ack.offset - RECORDS_MAX, reader.position(*pair)))
            wanted = ack.offset - reader.position(*pair)
            records = await reader.read(timeout_s=READ_TIMEOUT_S, max_records=max(1, wanted))
        finally:
            await reader.close()
        keys = (record.key or b"" for record in records if record.offset < ack.offset)
        return {key.decode(errors="replace")[:VENUE_CHARS_MAX] for key in keys if key}
