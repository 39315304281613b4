"""Records of all topics as one batch of rows. Pure."""

from collections.abc import Iterable

from arena.bus.base import Record
from arena.errors import Malformed
from arena.messages import Message
from ledger.batch import BookedOffset, RowBatch, TopicPartition
from ledger.non_account_offsets import offset_after
from ledger.non_account_rows import NonAccountRows, check_fit, why_not_booked
from ledger.posting import EVENTS, Poster


class Projector:
    """The books in memory: what the next batch needs to know of those before it.

    Attributes:
        poster: Of `account.events`.
        side: Of the other topics. places: how far those are.
        unread: Records that were no message; whoever asks takes them out.
    """

    def __init__(self, poster: Poster, booked_offsets: dict[TopicPartition, BookedOffset]) -> None:
        """Go on from where the books stand."""
        self.poster = poster
        self.side = NonAccountRows()
        self.booked_offsets = {
            part: booked for part, booked in booked_offsets.items() if part[0] != EVENTS
        }
        self.unread: list[tuple[Record, str]] = []

    def batch(self, records: Iterable[Record]) -> RowBatch:
        """The rows of records, in their order.

        Raises:
            BrokenLog: A record cannot stand in a sound account log at its place.
        """
        batch = RowBatch()
        for record in records:
            batch.records += 1
            if record.topic == EVENTS:
                self.poster.post(record, batch)
                continue
            part = record.topic, record.partition
            message = self._message(record)
            if message is not None:
                self._add(record, message, batch)
            after = offset_after(record)
            batch.move(part, self.booked_offsets.get(part), after)
            self.booked_offsets[part] = after
        self.poster.finish(batch)
        return batch

    def _add(self, record: Record, message: Message, batch: RowBatch) -> None:
        """Add a message's rows, or none of them where the books cannot hold one."""
        own = RowBatch()
        try:
            self.side.add(record, message, self.poster.shards, own)
            check_fit(own)
        except (ArithmeticError, ValueError) as error:
            self.unread.append(
                (record, f"{message.type_name()}: the books cannot hold it: {error}")
            )
            return
        for table, rows in own.rows.items():
            batch.rows[table] += rows

    def _message(self, record: Record) -> Message | None:
        try:
            message = record.message()
            why = why_not_booked(message)
        except Malformed as error:
            message, why = None, str(error)
        if why:
            self.unread.append((record, why))
            return None
        return message
