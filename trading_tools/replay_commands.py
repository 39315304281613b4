"""The commands of a replay: each at the offset that its event names, or known to be lost.

Commands are decided in order, so events name them in rising order. After `account.commands` was
cut, or deleted and created again, events name offsets that were named before: the commands that
were there are lost. An event without its command is a difference, unless it was lost like this.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from arena import topics
from arena.bus.base import Record
from arena.exports import TopicFile, read_records

COMMANDS = topics.COMMANDS.name
REWINDS_MAX = 1_000
"""How often the commands are read from their beginning again, once per loss."""


class RecordedCommands:
    """Reads the commands of an export, in order, and from the beginning again after a loss."""

    def __init__(self, folder: Path, held: TopicFile | None) -> None:
        """Start at the first command.

        Args:
            folder: The folder of the export.
            held: The topic's part in the export, or None if it has none.
        """
        self._folder = folder
        self._spans = {} if held is None else held.partitions
        self._records: Iterator[Record] = iter(())
        self._current: Record | None = None
        self._rewinds = -1
        self._rewind()

    def at(self, partition: int, offset: int) -> Record | None:
        """The record at an offset, or None if the export does not have it."""
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
        """Offset of the oldest command in the export."""
        span = self._spans.get(partition)
        return 0 if span is None else span.first

    def holds(self, partition: int, offset: int) -> bool:
        """True if an offset is between the first record and the end of the export."""
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
    """An event whose command is not at the offset that it names.

    Attributes:
        source: That offset.
        place: Topic, partition and offset of the event.
        subject: Order and agent of the event.
    """

    source: int
    place: str
    subject: str


class MissingCommands:
    """Events of one shard without their commands, until it is known whether those are lost.

    Attributes:
        lost: How many commands are known to be lost.
    """

    def __init__(self, holds: Callable[[int], bool]) -> None:
        """Start without events.

        Args:
            holds: True if the export has this offset.
        """
        self.lost = 0
        self._holds = holds
        self._waiting: list[MissingCommand] = []
        self._newest = -1
        self._newest_order = ""

    def note(self, missing: MissingCommand) -> None:
        """Note an event without its command."""
        if self._holds(missing.source):
            self._waiting.append(missing)
        else:
            self.lost += 1

    def note_decided(self, order_id: str, source: int) -> None:
        """Note a decided order: commands of earlier events at this or a later offset are lost."""
        if source < self._newest or (source == self._newest and order_id != self._newest_order):
            remaining = [missing for missing in self._waiting if missing.source < source]
            self.lost += len(self._waiting) - len(remaining)
            self._waiting = remaining
        self._newest, self._newest_order = source, order_id

    def unexplained(self) -> list[MissingCommand]:
        """The events whose commands are missing without being known to be lost."""
        return self._waiting
