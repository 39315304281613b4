"""Reads the `PassOver` messages in `arena.control`: account events that an operator has skipped.

Every process that folds the account log reads them first. A record is named by its offset and the
SHA-256 of its value; the fold (`arena.accounts`) stops if a later event shows that it had counted.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from arena import topics
from arena.bus.base import Bus, Record
from arena.errors import Malformed
from arena.exports import read_manifest, read_records
from arena.messages import PassOver
from arena.read_topic import for_each_record

EVENTS, CONTROL = topics.EVENTS.name, topics.CONTROL.name

PassedOver = Mapping[int, Mapping[int, str]]
"""Partition of `account.events` -> offset -> SHA-256 of the value, in hex."""


def pass_over_key(topic: str, partition: int, offset: int) -> str:
    """The key of a `PassOver` in `arena.control`."""
    return f"pass-over/{topic}/{partition}/{offset}"


class PassOverFold:
    """Folds `arena.control` into the records to pass over.

    Attributes:
        found: Partition -> offset -> SHA-256 of the value, in hex.
    """

    def __init__(self) -> None:
        """Start before the first record."""
        self.found: dict[int, dict[int, str]] = {}

    def take(self, record: Record) -> None:
        """Fold a record of `arena.control`; the newest one for an offset counts."""
        if not record.key_text.startswith("pass-over/"):
            return
        try:
            message = record.message()
        except Malformed:
            return
        if not isinstance(message, PassOver) or message.topic != EVENTS:
            return
        if record.key_text == pass_over_key(EVENTS, message.partition, message.offset):
            self.found.setdefault(message.partition, {})[message.offset] = message.sha256


def passed_over_of(records: Iterable[Record]) -> PassedOver:
    """The records to pass over, from the records of `arena.control`, oldest first."""
    passed = PassOverFold()
    for record in records:
        passed.take(record)
    return passed.found


def passed_over_in(folder: Path) -> PassedOver:
    """The records to pass over by an export; none if it does not have `arena.control`."""
    if CONTROL not in read_manifest(folder).topics:
        return {}
    return passed_over_of(read_records(folder, [CONTROL]))


async def read_passed_over(bus: Bus) -> PassedOver:
    """The records to pass over, from the topic.

    Raises:
        BrokerUnavailable: The topic cannot be read to its end.
    """
    passed = PassOverFold()
    await for_each_record(bus, topics.CONTROL, passed.take)
    return passed.found
