"""Rows that belong in one transaction, and how far they bring the books. Pure."""

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
        next_offset: Of the record that comes next.
        head_offset: Of the last event that counted, in other topics of the last record; -1 if
            there is none, or if it is not known.
        head: The chain's digest there, in other topics the SHA-256 of the record; "" without one.
    """

    next_offset: int
    head_offset: int = -1
    head: str = ""


@dataclass(slots=True)
class RowBatch:
    """What one transaction adds.

    Attributes:
        rows: Per table, in the columns' order. An entry comes before its journal row.
        before: Where the partitions stand in the books now; None where they were never read.
        after: Where they will stand.
        folds: Packed shards to keep: (next offset, bytes) by shard.
        records: How many records it stands for.
    """

    rows: dict[Table, list[Row]] = field(
        default_factory=lambda: {table: [] for table in APPEND_ONLY}
    )
    before: dict[TopicPartition, BookedOffset | None] = field(default_factory=dict)
    after: dict[TopicPartition, BookedOffset] = field(default_factory=dict)
    folds: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    records: int = 0

    def move(self, part: TopicPartition, before: BookedOffset | None, after: BookedOffset) -> None:
        """Note that a partition was read on."""
        self.before.setdefault(part, before)
        self.after[part] = after
