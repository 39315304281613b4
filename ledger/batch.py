"""The rows of one transaction, and the offsets that the books have reached after it. Pure."""

from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Table

from ledger.schema import APPEND_ONLY

Value = int | str | bytes | None
Row = tuple[Value, ...]
TopicPartition = tuple[str, int]
"""A topic and one of its partitions."""


class BookedOffset(NamedTuple):
    """How far one partition is in the books: a row of `progress`.

    Attributes:
        next_offset: The offset of the next record to read.
        head_offset: The offset of the last event that counted (in other topics: of the last
            record); -1 if there is none, or if it is not known.
        head: The digest of the chain at that event (in other topics: the SHA-256 of that record);
            "" if there is none.
    """

    next_offset: int
    head_offset: int = -1
    head: str = ""


@dataclass(slots=True)
class RowBatch:
    """What one transaction writes.

    Attributes:
        rows: Rows per table, in the order of its columns. Entries come before their journal row.
        before: The booked offset of each partition before this batch; None if it was never read.
        after: The booked offset of each partition after this batch.
        folds: Packed shards to store: (next offset, bytes) by shard.
        records: The number of records that the rows come from.
    """

    rows: dict[Table, list[Row]] = field(
        default_factory=lambda: {table: [] for table in APPEND_ONLY}
    )
    before: dict[TopicPartition, BookedOffset | None] = field(default_factory=dict)
    after: dict[TopicPartition, BookedOffset] = field(default_factory=dict)
    folds: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    records: int = 0

    def advance(
        self, part: TopicPartition, before: BookedOffset | None, after: BookedOffset
    ) -> None:
        """Note that a partition was read further."""
        self.before.setdefault(part, before)
        self.after[part] = after
