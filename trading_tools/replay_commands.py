"""The commands of a replay: each at the place its event names, or known to be lost.

Commands are decided in order, so events name them in rising order. After `account.commands` was
cut, or deleted and recreated, they name offsets that were named before: what was there then is
lost. An event whose command is not there is a difference, unless it was lost like this.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from arena import topics
from arena.bus.base import Record
from arena.exports import TopicFile, read_records

COMMANDS = topics.COMMANDS.name
REWINDS_MAX = 1_000
"""Times that the commands are read from their beginning: so often may they have been lost."""


class RecordedCommands:
    """Reads the commands of an export, in order, and from the beginning again after a loss."""

    def __init__(self, folder: Path, held: TopicFile | None) -> None:
        """Read nothing yet.

        Args:
            folder: The export.
            held: What it holds of the topic; None for nothing.
        """
        self._folder = folder
        self._spans = {} if held is None else held.partitions
        self._records: Iterator[Record] = iter(())
        self._current: Record | None = None
        self._rewinds = -1
        self._rewind()

    def at(self, partition: int, offset: int) -> Record | None:
        """The record at a place; None where the export has none."""
        wanted = (partition, offset)
        if not self.holds(partition, offset):
            return None
        if self._current is None or _place(self._current) > wanted:
            if self._rewinds >= REWINDS_MAX:
                return None
            self._rewind()
        while self._current is not None and _place(self._current) < wanted:
            self._current = next(self._records, None)
        found = self._current
        return found if found is not None and _place(found) == wanted else None

    def first(self, partition: int) -> int:
        """Offset of the oldest command that is kept."""
        span = self._spans.get(partition)
        return 0 if span is None else span.first

    def holds(self, partition: int, offset: int) -> bool:
        """True where a place is between the first record and the end of the export."""
        span = self._spans.get(partition)
        return span is not None and span.first <= offset < span.end

    def _rewind(self) -> None:
        self._rewinds += 1
        self._records = read_records(self._folder, [COMMANDS]) if self._spans else iter(())
        self._current = next(self._records, None)


def _place(record: Record) -> tuple[int, int]:
    return record.partition, record.offset


@dataclass(frozen=True, slots=True)
class MissingCommand:
    """An event whose command is not at the place it names.

    Attributes:
        source: That place's offset. place: of the event. subject: its order and agent.
    """

    source: int
    place: str
    subject: str


class MissingCommands:
    """Events of one shard whose commands are not there, until it is known whether they are lost.

    Attributes:
        lost: How many are.
    """

    def __init__(self, holds: Callable[[int], bool]) -> None:
        """Start with none.

        Args:
            holds: Tells of an offset whether the export has it.
        """
        self.lost = 0
        self._holds = holds
        self._open: list[MissingCommand] = []
        self._newest = -1
        self._newest_order = ""

    def note(self, missing: MissingCommand) -> None:
        """An event's command is not there."""
        if self._holds(missing.source):
            self._open.append(missing)
        else:
            self.lost += 1

    def decided(self, order_id: str, source: int) -> None:
        """An order has its event: earlier ones that name the same place or a later one are lost."""
        if source < self._newest or (source == self._newest and order_id != self._newest_order):
            still = [missing for missing in self._open if missing.source < source]
            self.lost += len(self._open) - len(still)
            self._open = still
        self._newest, self._newest_order = source, order_id

    def unexplained(self) -> list[MissingCommand]:
        """Those that nothing shows to be lost."""
        return self._open
