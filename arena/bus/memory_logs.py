"""Logs of the bus in memory whose older records are in a file: memory does not grow with a run.

A log is a sequence of records that changes only at its end; a plain list can be one, too.
"""

import errno
import marshal
import os
import tempfile
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, MutableSequence
from functools import partial
from pathlib import Path
from typing import Any, Final, overload

from arena.bus.base import Record
from arena.bus.memory_cursor import MARKER
from arena.messages import Message

DECODED_MAX: Final = 256
"""Newest decoded messages that a cluster keeps."""
KEPT_RECORDS_MAX: Final = 512
"""Most records of a partition in memory; the older half goes to the file."""
KEPT_BYTES_MAX: Final = 1_000_000
"""Most bytes of values of a partition in memory, not counting its newest record."""
READ_BYTES_MAX: Final = 1_000_000
"""Most bytes that are read at once, unless one record has more."""
ITERATED: Final = 256
"""Records that an iteration reads at a time."""
LENGTH_BITS: Final = 24
"""Bits of a record's length in its place; the other 40 are its position: 1 TB."""
LENGTH_MASK: Final = (1 << LENGTH_BITS) - 1
FORMAT: Final = 2
"""Version of `marshal` without references to equal objects."""


class MemoryRecord(Record):
    """A record whose message is decoded once for all readers, while it is among the newest.

    Attributes:
        kept: The records with a decoded message, oldest first; shared by a cluster. None for a
            changed copy, which is decoded each time.
    """

    kept: "deque[MemoryRecord] | None" = None
    _message: Message | None = None

    def message(self) -> Message:
        """The message; messages are frozen, so readers can share it.

        Raises:
            Malformed: The bytes are not an arena message.
        """
        message = self._message
        if message is None:
            message = super().message()
            self.keep(message)
        return message

    def keep(self, message: Message) -> None:
        """Keep the message that the bytes are decoded to."""
        if self.kept is not None:
            self._message = message
            self.kept.append(self)
            if len(self.kept) > DECODED_MAX:
                self.kept.popleft()._message = None


class SpillFile:
    """A temporary file without a name: it is gone when its process ends, however that happens.

    Args:
        folder: The folder on whose disk it is; it is created if it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        """Take the folder; the first write opens the file."""
        self._folder = folder
        self._end = 0
        # Any: a file without a name is another class on each system.
        self._file: Any = None

    def write(self, data: bytes) -> int:
        """Append bytes and return their position.

        Raises:
            OSError: The disk is full, or the folder cannot be written; the error names it.
        """
        try:
            if self._file is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._file = tempfile.TemporaryFile(  # noqa: SIM115
                    buffering=0, dir=self._folder
                )
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            number = error.errno or errno.EIO
            where = f"the records of this run, in {self._folder}"
            raise OSError(number, os.strerror(number), where) from None
        position = self._end
        self._end += len(data)
        return position

    def read(self, position: int, length: int) -> bytes:
        """The bytes at a position; the next write appends again."""
        data = bytearray()
        self._file.seek(position)
        while len(data) < length:
            part = self._file.read(length - len(data))
            if not part:
                raise OSError(errno.EIO, os.strerror(errno.EIO), str(self._folder))
            data += part
        self._file.seek(self._end)
        return bytes(data)

    def close(self) -> None:
        """Remove the file."""
        if self._file is not None:
            self._file.close()


class SpilledLog(MutableSequence[Record]):
    """The log of a partition: its newest records are in memory, older ones in a file.

    A record in the file costs 8 bytes of memory. Only the end can change: records are appended,
    and the newest ones can be deleted.

    Args:
        topic: The topic.
        partition: The partition.
        file: The file, shared by the logs of a cluster.
        decoded: The records with a decoded message, shared by the cluster.
    """

    def __init__(
        self, topic: str, partition: int, file: SpillFile, decoded: "deque[MemoryRecord]"
    ) -> None:
        """Create an empty log."""
        self._record = partial(MemoryRecord, topic, partition)
        self._file = file
        self._decoded = decoded
        self._places = array("Q")
        self._kept: list[Record] = []
        self._kept_bytes = 0
        self._count = 0

    def __len__(self) -> int:
        """Number of records, with markers."""
        return self._count

    @overload
    def __getitem__(self, index: int) -> Record: ...

    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...

    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        """A record or the records of a slice."""
        stored = len(self._places)
        if isinstance(index, slice):
            start, stop = index.start, index.stop
            if start is not None and start >= stored and stop and stop > start and not index.step:
                return self._kept[start - stored : stop - stored]  # as most readers ask
            first, end, step = index.indices(len(self))
            found = self._between(first, end if step > 0 else first)
            return found[::step] if step > 0 else [self[i] for i in range(first, end, step)]
        at = index if index >= 0 else index + len(self)
        if at >= stored:
            return self._kept[at - stored]
        if at < 0:
            raise IndexError(index)
        return self._between(at, at + 1)[0]

    def __iter__(self) -> Iterator[Record]:
        """The records, oldest first; few of them are in memory at a time."""
        at = 0
        while found := self[at : at + ITERATED]:
            yield from found
            at += len(found)

    def append(self, value: Record) -> None:
        """Append a record; if too many are in memory, write the older half to the file.

        Raises:
            OSError: The disk is full.
        """
        self._kept.append(value)
        self._count += 1
        self._kept_bytes += len(value.value or b"")
        if len(self._kept) > KEPT_RECORDS_MAX or self._kept_bytes > KEPT_BYTES_MAX:
            self._spill(len(self._kept) // 2)

    def insert(self, index: int, value: Record) -> None:
        """Append a record.

        Raises:
            TypeError: The index is not the end.
        """
        if index != len(self):
            raise TypeError("a record can only be appended to a log")
        self.append(value)

    def __setitem__(self, index: Any, value: Any) -> None:
        """Refuse.

        Raises:
            TypeError: Always.
        """
        raise TypeError("records of a log do not change")

    def __delitem__(self, index: int | slice) -> None:
        """Delete the newest records.

        Raises:
            TypeError: Other records would remain after them.
        """
        count = len(self)
        gone = range(count)[index]
        gone = gone if isinstance(gone, range) else range(gone, gone + 1)
        if gone and (gone.step != 1 or gone.stop != count):
            raise TypeError("only the newest records of a log can be deleted")
        if not gone:
            return
        stored = len(self._places)
        del self._kept[max(0, gone.start - stored) :]
        del self._places[gone.start :]
        self._count = gone.start
        self._kept_bytes = sum(len(record.value or b"") for record in self._kept)

    def _spill(self, count: int) -> None:
        """Write the oldest records that are in memory to the file."""
        spilled = self._kept[:count]
        parts = [_bytes_of(record) for record in spilled]
        position = self._file.write(b"".join(parts))
        for part in parts:
            self._places.append(position << LENGTH_BITS | len(part))
            position += len(part)
        del self._kept[:count]
        self._kept_bytes -= sum(len(record.value or b"") for record in spilled)

    def _between(self, first: int, end: int) -> list[Record]:
        """The records from an index to another one."""
        stored = len(self._places)
        found: list[Record] = []
        while first < min(end, stored):
            last, data = self._read(first, min(end, stored))
            found += self._parsed(first, last, data)
            first = last
        return found + self._kept[max(0, first - stored) : max(0, end - stored)]

    def _read(self, first: int, end: int) -> tuple[int, memoryview]:
        """Read records that are side by side in the file: the index after the last, and bytes."""
        begin = at = self._places[first] >> LENGTH_BITS
        last = first
        for index in range(first, end):
            place = self._places[index]
            length = place & LENGTH_MASK
            if place >> LENGTH_BITS != at or (
                last > first and at + length - begin > READ_BYTES_MAX
            ):
                break
            at, last = at + length, index + 1
        return last, memoryview(self._file.read(begin, at - begin))

    def _parsed(self, first: int, last: int, data: memoryview) -> Iterable[Record]:
        at = 0
        for index in range(first, last):
            length = self._places[index] & LENGTH_MASK
            fields, at = data[at : at + length], at + length
            if not length:
                yield MARKER
                continue
            record = self._record(index, *marshal.loads(fields))
            record.kept = self._decoded
            yield record


def _bytes_of(record: Record) -> bytes:
    """A record without topic, partition and offset; b"" for a marker."""
    if record is MARKER:
        return b""
    fields = (record.timestamp_ms, record.key, record.value, dict(record.headers))
    return marshal.dumps(fields, FORMAT)
