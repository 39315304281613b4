"""Records of `account.events` that an operator says to pass over: `PassOver` in `arena.control`.

Whoever folds the account log asks here first. A record is named by its place and the SHA-256 of its
value; the fold (`arena.accounts`) stops if what follows shows that it had counted.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from arena import topics
from arena.bus.base import Bus, Record
from arena.errors import Malformed
from arena.exports import read_manifest, read_records
from arena.messages import PassOver

EVENTS, CONTROL = topics.EVENTS.name, topics.CONTROL.name
READ_TIMEOUT_S = 1.0

PassedOver = Mapping[int, Mapping[int, str]]
"""Partition of `account.events` -> offset -> SHA-256 of the value, in hex."""


def pass_over_key(topic: str, partition: int, offset: int) -> str:
    """The key of a `PassOver` in `arena.control`."""
    return f"pass-over/{topic}/{partition}/{offset}"


def passed_over_of(records: Iterable[Record]) -> PassedOver:
    """What the records of `arena.control` say, oldest first; other records say nothing here."""
    found: dict[int, dict[int, str]] = {}
    for record in records:
        if not record.key_text.startswith("pass-over/"):
            continue
        try:
            message = record.message()
        except Malformed:
            continue
        if not isinstance(message, PassOver) or message.topic != EVENTS:
            continue
        if record.key_text == pass_over_key(EVENTS, message.partition, message.offset):
            found.setdefault(message.partition, {})[message.offset] = message.sha256
    return found


def passed_over_in(folder: Path) -> PassedOver:
    """What the exported records of a folder say; an export without `arena.control` says nothing."""
    if CONTROL not in read_manifest(folder).topics:
        return {}
    return passed_over_of(read_records(folder, [CONTROL]))


async def read_passed_over(bus: Bus) -> PassedOver:
    """What `arena.control` says now."""
    await bus.ensure_topics([topics.CONTROL])
    reader = await bus.log_reader(CONTROL)
    records: list[Record] = []
    try:
        while await reader.behind():
            records += await reader.read(timeout_s=READ_TIMEOUT_S)
    finally:
        await reader.close()
    return passed_over_of(records)
