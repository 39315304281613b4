"""Turns records of all topics into one batch of rows. Pure."""

from collections.abc import Iterable

from arena.bus.base import Record
from arena.errors import Malformed
from arena.messages import Message
from ledger.batch import BookedOffset, RowBatch, TopicPartition
from ledger.non_account_offsets import offset_after
from ledger.non_account_rows import NonAccountRows, check_integers_fit, why_not_booked
from ledger.posting import EVENTS, Poster


class Projector:
    """Makes batches of rows; holds the state that each batch needs from the ones before it.

    Attributes:
        poster: Makes the rows of `account.events`.
        other_rows: Makes the rows of the other topics.
        booked_offsets: The booked offsets of the other topics.
        unbooked: Records that could not be booked, with the reason; the caller clears the list.
    """

    def __init__(self, poster: Poster, booked_offsets: dict[TopicPartition, BookedOffset]) -> None:
        """Continue from the booked offsets.

        Args:
            poster: Makes the rows of the account log.
            booked_offsets: The booked offsets of all topics.
        """
        self.poster = poster
        self.other_rows = NonAccountRows()
        self.booked_offsets = {
            part: booked for part, booked in booked_offsets.items() if part[0] != EVENTS
        }
        self.unbooked: list[tuple[Record, str]] = []

    def batch(self, records: Iterable[Record]) -> RowBatch:
        """Return the rows of some records, in the same order.

        Raises:
            BrokenLog: A record of the account log cannot be at its offset in a sound log.
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
            batch.advance(part, self.booked_offsets.get(part), after)
            self.booked_offsets[part] = after
        self.poster.finish(batch)
        return batch

    def _add(self, record: Record, message: Message, batch: RowBatch) -> None:
        """Add the rows of a message, or none of them if the books cannot hold one."""
        own = RowBatch()
        try:
            self.other_rows.add(record, message, self.poster.shards, own)
            check_integers_fit(own)
        except (ArithmeticError, ValueError) as error:
            self.unbooked.append(
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
            self.unbooked.append((record, why))
            return None
        return message
