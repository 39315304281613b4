"""The account fold: state digests, forgotten orders, and records to pass over."""

from copy import deepcopy
from datetime import timedelta
from hashlib import sha256

import orjson
import pytest

from arena import accounts
from arena.account_state import GENESIS
from arena.errors import BrokenLog
from tests.arena.test_accounts import NOW, Log


@pytest.fixture
def log() -> Log:
    """A log with an owner and an open account."""
    opened = Log()
    opened.claim("one")
    opened.open()
    return opened


def test_state_digest_counts_and_uses_no_sequence_number(log: Log) -> None:
    """It enters the chain, so it cannot be removed, and the next order counts as before."""
    before = (log.shard.seq, log.shard.digest())
    head = log.shard.head

    assert log.attest() is not None

    assert before == (log.shard.seq, log.shard.digest())
    assert head != log.shard.head
    log.append(log.fill("1", "buy", "0.5"))
    assert log.attest(owner="zombie") is None
    assert log.attest(seq=0) is None
    with pytest.raises(BrokenLog, match="does not match"):
        log.attest(prev=GENESIS)


def test_forgotten_order_is_detected_by_issue_time(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of it is not remembered, but its issue time proves that it may have been decided."""
    monkeypatch.setattr(accounts, "ORDERS_REMEMBERED", 2)
    moments = [NOW + timedelta(microseconds=n) for n in (5, 3, 9, 11)]
    for n, issued_at in enumerate(moments):
        assert not log.shard.may_be_forgotten("a", issued_at)
        log.append(log.reject(str(n), issued_at=issued_at))

    assert [True, True, False, False] == [log.shard.may_be_forgotten("a", m) for m in moments]
    assert not log.shard.may_be_forgotten("b", moments[0])
    assert ("3", log.shard.source_offset) == log.shard.last_order()


@pytest.mark.parametrize("issued_at", ["soon", "2026-11-21T09:30:00", "9" * 5_000])
def test_order_with_a_bad_issue_time_stops_the_fold_at_once(log: Log, issued_at: str) -> None:
    """Not tens of thousands of orders later, when its id is forgotten."""
    before = log.shard.digest()
    body = orjson.loads(log.reject("1").model_dump_json())
    with pytest.raises(BrokenLog, match="arena repair"):
        log.append_bytes("OrderDecided", orjson.dumps(body | {"issued_at": issued_at}))

    assert before == log.shard.digest()


def test_named_record_is_passed_over(log: Log) -> None:
    """Other bytes at that offset still stop the fold."""
    garbage, offset = b"\xff", log.shard.next_offset
    for value in (garbage, None):
        with pytest.raises(BrokenLog, match="arena repair"):
            log.shard.apply("", value, offset)

    log.shard.passed_over = {offset: sha256(garbage).hexdigest()}
    with pytest.raises(BrokenLog):
        log.shard.apply("", b"\xfe", offset)
    assert log.shard.apply("", garbage, offset) is None
    assert (offset + 1, 1) == (log.shard.next_offset, log.shard.ignored)


@pytest.mark.parametrize("follower", ["order", "epoch", "digest"])
def test_event_that_counted_cannot_be_passed_over(log: Log, follower: str) -> None:
    """The next event has a sequence number after the missing one."""
    offset = log.shard.next_offset
    damaged = Log()
    damaged.shard = deepcopy(log.shard)
    damaged.shard.passed_over = {offset: sha256(b"rot").hexdigest()}
    log.append(log.fill("1", "buy", "0.5"))
    if follower == "order":
        log.append(log.fill("2", "buy", "0.5"))
    else:
        log.claim("two") if follower == "epoch" else log.attest()

    assert damaged.shard.apply("OrderDecided", b"rot", offset) is None
    with pytest.raises(BrokenLog, match="it had counted"):
        damaged.shard.apply(*log.records[-1], offset + 1)
