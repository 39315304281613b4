"""What a process found to be lost of the topics, kept for its heartbeats.

Readers say so when a place is not in its log any more. A writer sees it by the place of its next
record. Reads and writes no topic.
"""

import logging

LOST_MAX = 32
"""Losses that a process tells of."""
WRITER = "its writer"
"""Who lost records that it wrote, in place of a reader's name."""

log = logging.getLogger(__name__)


class Losses:
    """The losses of one process.

    Attributes:
        lost: (topic, partition and reader) -> what was found to be lost, in words; the newest
            `LOST_MAX`.
    """

    def __init__(self) -> None:
        """Nothing is lost."""
        self.lost: dict[tuple[str, str], str] = {}
        self._acked: dict[tuple[str, int], int] = {}

    def note_lost(self, topic: str, partition: int, reader: str, words: str) -> None:
        """Keep what is lost of a partition.

        Args:
            topic: Without prefix.
            partition: Of the topic.
            reader: Whose place it was: the name of a group, an agent or a node.
            words: What is lost, and what became of it.
        """
        place = (topic, f"{partition}, {reader}")
        self.lost.pop(place, None)
        self.lost[place] = words
        if len(self.lost) > LOST_MAX:
            del self.lost[next(iter(self.lost))]

    def note_acked(self, topic: str, partition: int, offset: int) -> None:
        """See by the place of an own record that was acked whether the log lost its end.

        Args:
            topic: Without prefix.
            partition: Of the topic.
            offset: Of the record; -1 if the broker acked a repetition, and no longer knows where.
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
