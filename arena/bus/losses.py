"""Keeps the lost records that a process has detected, for its heartbeats.

Readers report an offset that is no longer in its log. A writer detects a loss by the offset of its
next record. Reads and writes no topic.
"""

import logging

LOST_MAX = 32
"""Limit of the losses that a process reports."""
WRITER = "its writer"
"""Used instead of a reader's name for lost records of this process's own appends."""

log = logging.getLogger(__name__)


class Losses:
    """The losses of one process.

    Attributes:
        lost: (topic, partition and reader) -> description of the loss; the newest `LOST_MAX`.
    """

    def __init__(self) -> None:
        """Start without losses."""
        self.lost: dict[tuple[str, str], str] = {}
        self._acked: dict[tuple[str, int], int] = {}

    def note_lost(self, topic: str, partition: int, reader: str, words: str) -> None:
        """Note a loss in a partition.

        Args:
            topic: Name without prefix.
            partition: Number of the partition.
            reader: Name of the group, agent or node whose offset it was.
            words: Description of the loss and of its effect.
        """
        key = (topic, f"{partition}, {reader}")
        self.lost.pop(key, None)
        self.lost[key] = words
        if len(self.lost) > LOST_MAX:
            del self.lost[next(iter(self.lost))]

    def note_acked(self, topic: str, partition: int, offset: int) -> None:
        """Check by the offset of an own append whether the log lost its end.

        Args:
            topic: Name without prefix.
            partition: Number of the partition.
            offset: Offset of the record; -1 if the broker acked a duplicate of unknown offset.
        """
        if offset < 0:
            return
        newest = self._acked.get((topic, partition), -1)
        if offset <= newest:
            words = (
                f"a record was appended at offset {offset}, and one at offset {newest} had been"
                " acked: the log was cut, or created again"
            )
            log.warning("%s[%d]: %s", topic, partition, words)
            self.note_lost(topic, partition, WRITER, words)
        self._acked[topic, partition] = offset
