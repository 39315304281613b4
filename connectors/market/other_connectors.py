"""Notices another connector that publishes snapshots of another venue in the same arena.

Then agents get snapshots of each venue in turn, and never both as of one time. The offsets of a
connector's own snapshots follow each other, so a gap between two of them shows another writer.
It is reported in the log and in the heartbeats, until it has published nothing for a while.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from arena import topics
from arena.bus.base import EARLIEST, AppendAck, Record
from arena.errors import Malformed
from arena.liveness import OTHER_CONNECTORS
from arena.messages import MarketSnapshot
from arena.node import Node

RECORDS_MAX: Final = 16
"""Most records of a gap that are read, the newest ones."""
READ_TIMEOUT_S: Final = 1.0
CHECK_EVERY_S: Final = 60.0
GONE_INTERVALS: Final = 3
"""Without a snapshot for so many of its intervals, or so many checks, a connector is gone."""
VENUE_CHARS_MAX: Final = 40
VENUES_MAX: Final = 8


@dataclass(slots=True)
class Other:
    """Another connector.

    Attributes:
        seen_s: Monotonic seconds at which a snapshot of it was read.
        every_s: Wall seconds from snapshot to snapshot; 0 if unknown.
    """

    seen_s: float
    every_s: float

    def is_gone(self, now_s: float) -> bool:
        """True if it has published nothing for long."""
        return now_s - self.seen_s > GONE_INTERVALS * max(self.every_s, CHECK_EVERY_S)


class OtherConnectors:
    """Reports other connectors: once per venue in the log, and in the process's details.

    Args:
        node: The process; its bus is read.
        venue: The venue of its own snapshots.
    """

    def __init__(self, node: Node, venue: str) -> None:
        """Create the check; call `note` with every snapshot's ack."""
        self._node = node
        self._venue = venue
        self._next: int | None = None
        self._unread: int | None = None
        self._checked_s: float | None = None
        self._known: dict[str, Other] = {}

    def forget(self) -> None:
        """Forget the others, because this process begins or ends to publish."""
        self._next = self._unread = self._checked_s = None
        self._known.clear()
        self._node.details.pop(OTHER_CONNECTORS, None)

    async def note(self, ack: AppendAck) -> None:
        """Look at the records between the last snapshot of this process and this one."""
        expected, self._next = self._next, ack.offset + 1
        now_s = self._node.clock.monotonic()
        if self._unread is None and expected is not None and ack.offset != expected:
            self._unread = expected
        early = self._checked_s is not None and now_s - self._checked_s < CHECK_EVERY_S
        if self._unread is not None:
            if early:
                return
            first, self._unread, self._checked_s = self._unread, None, now_s
            for record in await self._records(ack, first):
                self._take(record, now_s)
        self._report(now_s)

    def _take(self, record: Record, now_s: float) -> None:
        venue = (record.key or b"").decode(errors="replace")[:VENUE_CHARS_MAX]
        if venue in ("", self._venue):
            return
        if venue not in self._known:
            if len(self._known) >= VENUES_MAX:
                return
            self._node.log.warning(
                "another connector publishes snapshots: agents get those of each in turn",
                venue=venue,
                remedy=self._remedy({venue}),
            )
        self._known[venue] = Other(now_s, _wall_interval_s(record))

    def _report(self, now_s: float) -> None:
        for venue in [venue for venue, other in self._known.items() if other.is_gone(now_s)]:
            del self._known[venue]
            self._node.log.info("the other connector publishes nothing any more", venue=venue)
        self._node.details.pop(OTHER_CONNECTORS, None)
        if self._known:
            venues = ", ".join(sorted(self._known))
            self._node.details[OTHER_CONNECTORS] = (
                f"another connector publishes snapshots of {venues}: agents get those of each in"
                f" turn; {self._remedy(self._known.keys())}"
            )

    def _remedy(self, others: Iterable[str]) -> str:
        names = sorted({name for venue in (*others, self._venue) for name in venue.split("+")})
        flags = " ".join(f"--market {name}=PRODUCT,..." for name in names)
        return f"run one connector instead of both: arena connector markets {flags}"

    async def _records(self, ack: AppendAck, first: int) -> list[Record]:
        """The newest records from an offset to this process's newest snapshot."""
        pair = topics.SNAPSHOTS.name, ack.partition
        reader = await self._node.bus.partition_reader(*pair, EARLIEST)
        try:
            reader.seek(*pair, max(first, ack.offset - RECORDS_MAX, reader.position(*pair)))
            wanted = ack.offset - reader.position(*pair)
            records = await reader.read(timeout_s=READ_TIMEOUT_S, max_records=max(1, wanted))
        finally:
            await reader.close()
        return [record for record in records if record.offset < ack.offset]


def _wall_interval_s(record: Record) -> float:
    """Wall seconds between the snapshots of the connector of a record; 0 if it is not readable."""
    try:
        message = record.message()
    except Malformed:
        return 0.0
    if not isinstance(message, MarketSnapshot) or message.speed <= 0:
        return 0.0
    return message.interval_s / message.speed
