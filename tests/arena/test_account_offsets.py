"""Offsets of the account log: one may have no record, and none may come twice."""

import pytest

from arena.errors import BrokenLog
from tests.arena.test_accounts import Log


@pytest.fixture
def log() -> Log:
    """A log with an owner and an account."""
    made = Log()
    made.claim("one")
    made.open()
    return made


def test_offset_that_was_folded_stops(log: Log) -> None:
    """A record before the fold's offset means another log, or an error of the reader."""
    kind, value = log.records[-1]
    with pytest.raises(BrokenLog, match="offset 1 was folded already; the next one is 2"):
        log.shard.apply(kind, value, 1)


def test_offset_without_a_record_changes_nothing(log: Log) -> None:
    """The end of a transaction takes an offset; the chain shows that no event is missing."""
    kind, value = log.records[-1]
    before = log.shard.head
    assert log.shard.apply(kind, value, 7) is None

    assert (8, before) == (log.shard.next_offset, log.shard.head)
