"""The audit distinguishes attacks from damage: records that the arena rejects fail no invariant."""

import base64
import uuid
from datetime import UTC, datetime
from hashlib import sha256

import orjson
import pytest

from arena import topics
from arena.accounts import Shard
from arena.bus.base import Record
from arena.checkpoint import FORMAT, pack_shard
from arena.exports import PartitionSpan
from arena.pass_overs import pass_over_key
from ledger.audit.checker import InvariantStatus, Scope
from ledger.audit.decoding import DecodedRecord, in_order
from ledger.audit.outcome_checks import OrdersChecker
from ledger.audit.outcomes import CallOutcomes
from ledger.audit.turns import TurnIndex
from tests.ledger.audit.contest_log import (
    COMMANDS,
    CONTROL,
    EVENTS,
    ContestLog,
    Json,
    body_of,
    kind_of,
)

LETTERS = topics.DEAD_LETTERS.name
YEAR_9999_MS = 253_402_300_799_000


def append_raw(
    log: ContestLog,
    topic: str,
    value: bytes | None,
    kind: str = "",
    *,
    key: bytes | None = b"x",
    at_ms: int | None = None,
) -> Record:
    """Append raw bytes to partition 0."""
    last = [r for r in log.records[topic] if r.partition == 0]
    offset = last[-1].offset + 1 if last else log.spans[topic][0].first
    newest_ms = last[-1].timestamp_ms if last else 0
    headers = {"type": kind.encode(), "schema": b"1"} if kind else {}
    record = Record(topic, 0, offset, newest_ms if at_ms is None else at_ms, key, value, headers)
    log.records[topic] = sorted([*log.records[topic], record], key=lambda r: r[1:3])
    span = log.spans[topic][0]
    changed = PartitionSpan(first=span.first, end=offset + 1, count=span.count + 1)
    log.spans[topic] = {**log.spans[topic], 0: changed}
    return record


def add_dead_letter(log: ContestLog, record: Record) -> None:
    """Append the dead letter of a record, as its reader does."""
    value = record.value
    letter = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp_ms": record.timestamp_ms,
        "value_base64": None if value is None else base64.b64encode(value).decode(),
        "error": "not a message of the arena",
        "reader": "test",
        "at": "2026-11-21T09:12:03Z",
    }
    append_raw(log, LETTERS, orjson.dumps(letter), "DeadLetter", key=record.topic.encode())


def add_event(log: ContestLog, body: Json, kind: str = "OrderDecided") -> int:
    """Append an event with a valid place in the chain; return its index."""
    append_raw(log, EVENTS, orjson.dumps(body), kind)
    log.rebuild_chain()
    return len(log.records[EVENTS]) - 1


def last_order(log: ContestLog) -> Json:
    """Return the newest event that decides the call of an order."""
    events = [body_of(r) for r in log.records[EVENTS] if kind_of(r) == "OrderDecided"]
    return next(e for e in reversed(events) if not e.get("step") and not e.get("cause"))


def rejected(log: ContestLog, **values: object) -> Json:
    """Return a rejection for the agent of the newest order; it moves no money."""
    event = last_order(log)
    nothing = ("price", "notional", "fee", "fee_bps", "slippage", "latency_cost", "realised")
    return {
        **event,
        **dict.fromkeys(nothing),
        "scraped": None,
        "outcome": "rejected",
        "reason": "no_price",
        "postings": [],
        **values,
    }


def command_of(log: ContestLog) -> Json:
    """Return the command of the newest order."""
    order_id = last_order(log)["order_id"]
    return body_of(
        log.records[COMMANDS][log.find(COMMANDS, lambda _, b: b.get("call_id") == order_id)]
    )


@pytest.mark.parametrize(
    ("value", "kind", "at_ms"),
    [
        (None, "", None),
        (None, "Turn", None),
        (b"", "Halt", None),
        (b"\xff\xfe", "ToolCall", None),
        (b"{}", "Nothing", None),
        (b"[" * 50_000, "Ticker", None),
        (b"{}", "", YEAR_9999_MS * 10_000),
        (b"{}", "Rules", -(2**62)),
        (b'{"call_id":7,"agent":[]}', "ToolCall", YEAR_9999_MS + 1),
        (b'{"topic":{},"partition":"x","offset":[]}', "DeadLetter", None),
        (b'{"snapshot_id":1,"ticker_offsets":{"x":"y"}}', "MarketSnapshot", None),
    ],
)
def test_garbage_in_every_topic_fails_no_invariant(
    log: ContestLog, value: bytes | None, kind: str, at_ms: int | None
) -> None:
    """Records that readers dead-letter or skip are counted by topic, and every invariant holds."""
    for topic in [t for t in in_order(log.records) if t not in (EVENTS, LETTERS)]:
        add_dead_letter(log, append_raw(log, topic, value, kind, at_ms=at_ms))
    append_raw(log, LETTERS, value, kind, at_ms=at_ms)

    found = log.results()

    assert [] == [str(f) for v in found.values() for f in v.violations]
    assert any("not messages of their topic" in note for note in found[13].notes)


@pytest.mark.parametrize("kind", ["Halt", "Turn", "DeadLetter", "MarketSnapshot", "Ticker"])
def test_body_without_its_fields_fails_no_invariant(log: ContestLog, kind: str) -> None:
    """A record of a known type in its own topic, with every field missing."""
    for topic in [t for t in log.records if kind in topics.spec_of(t).messages]:
        add_dead_letter(log, append_raw(log, topic, b"{}", kind))

    assert {} == log.failed()


def test_dead_lettered_copy_does_not_replace_an_order(log: ContestLog) -> None:
    """A malformed command with the id of a real order becomes a dead letter, nothing else."""
    order = command_of(log)
    record = append_raw(
        log, COMMANDS, orjson.dumps({"call_id": order["call_id"], "agent": "x"}), "ToolCall"
    )
    add_dead_letter(log, record)

    assert {} == log.failed()


def test_garbage_without_dead_letter_is_damage(log: ContestLog) -> None:
    """Invariant 13: garbage before a processed command, without a dead letter."""
    append_raw(log, COMMANDS, b"garbage", "ToolCall")
    append_raw(log, COMMANDS, orjson.dumps(command_of(log)), "ToolCall")
    add_dead_letter(log, append_raw(log, COMMANDS, b"garbage", "ToolCall"))

    assert {13} == log.failed().keys()


def test_zombies_and_duplicates_are_counted(log: ContestLog) -> None:
    """An event of an old owner, a losing claim, and an event and a command sent twice."""
    event = last_order(log)
    first = body_of(log.records[EVENTS][0])
    append_raw(log, EVENTS, orjson.dumps({**event, "owner": "zombie"}), "OrderDecided")
    append_raw(log, EVENTS, orjson.dumps({**event, "epoch": 0}), "OrderDecided")
    append_raw(log, EVENTS, orjson.dumps(event), "OrderDecided")
    append_raw(log, EVENTS, orjson.dumps(first), "Epoch")
    append_raw(log, COMMANDS, orjson.dumps(command_of(log)), "ToolCall")

    found = log.results()

    assert [] == [str(f) for v in found.values() for f in v.violations]
    assert 2 == found[6].counts["of an owner that was replaced (a zombie), or foreign"]
    assert 1 == found[6].counts["duplicates"]
    assert 1 == found[6].counts["claims that came second"]
    assert 1 == found[3].counts["orders sent twice"]


def test_foreign_order_is_reported_but_not_damage(log: ContestLog) -> None:
    """A manual command with made-up ids is decided like any other, and reported as foreign."""
    made_up = {"turn_id": str(uuid.uuid4()), "snapshot_id": "made-up", "round": 0, "index": 0}
    order_id = str(uuid.uuid4())
    call = {**command_of(log), **made_up, "call_id": order_id}
    record = append_raw(log, COMMANDS, orjson.dumps(call), "ToolCall")
    source = {"partition": 0, "offset": record.offset}
    index = add_event(log, rejected(log, **made_up, order_id=order_id, source=source))

    found = log.results()

    assert [] == [str(f) for v in found.values() for f in v.violations]
    assert 1 == found[9].counts["foreign orders"]
    assert any(f"{EVENTS}[0]@{index}" in note for note in found[9].notes)


def test_order_whose_ids_do_not_fit_its_turn_is_damage(log: ContestLog) -> None:
    """Invariant 9: the event of an order names another round than its turn."""
    index = log.find(EVENTS, lambda r, body: kind_of(r) == "OrderDecided" and body["round"] == 0)
    log.change(EVENTS, index, lambda body: body.update(round=5))
    log.rebuild_chain()

    assert 9 in log.failed()


def test_event_without_its_command_is_damage(log: ContestLog) -> None:
    """Invariant 3: the command that an event decides is garbage with a dead letter."""
    order_id = last_order(log)["order_id"]
    index = log.find(COMMANDS, lambda _, body: body.get("call_id") == order_id)
    record = log.records[COMMANDS][index]._replace(value=b"garbage")
    log.records[COMMANDS][index] = record
    add_dead_letter(log, record)

    failed = log.failed()

    assert 3 in failed
    assert any("no such command" in violation.found for violation in failed[3].violations)


def test_truncated_commands_are_reported_as_lost(log: ContestLog) -> None:
    """After a power loss an order is decided at an offset before the newest decided one."""
    orders = [body_of(r) for r in log.records[EVENTS] if kind_of(r) == "OrderDecided"]
    orders = [e for e in orders if not e.get("step") and not e.get("cause")]
    early = orders[-2]["source"]["offset"]
    made_up = {"turn_id": str(uuid.uuid4()), "snapshot_id": "made-up", "round": 0, "index": 0}
    order_id = str(uuid.uuid4())
    index = log.find(COMMANDS, lambda _, body: body.get("call_id") == orders[-2]["order_id"])
    log.change(COMMANDS, index, lambda body: body.update(call_id=order_id, **made_up))
    source = {"partition": 0, "offset": early}
    add_event(log, rejected(log, **made_up, order_id=order_id, source=source))

    found = log.results()

    assert InvariantStatus.FAIL not in {found[n].status for n in (1, 2, 3, 4, 5, 6)}
    assert 1 <= found[3].counts["commands that were lost after they were decided"]
    assert any(f"cut at {COMMANDS}[0]@{early}" in note for note in found[3].notes)


def test_record_skipped_by_an_operator_is_counted(log: ContestLog) -> None:
    """Garbage in the account log stops the fold and fails 6, until an operator names it."""
    record = append_raw(log, EVENTS, b"\x00garbage", "OrderDecided")

    assert {6} == log.failed().keys()

    entry: Json = {
        "topic": EVENTS,
        "partition": 0,
        "offset": record.offset,
        "sha256": sha256(record.value or b"").hexdigest(),
        "error": "cannot be read",
        "by": "cli/test",
        "at": "2026-11-21T09:12:03Z",
    }
    key = pass_over_key(EVENTS, 0, record.offset).encode()
    append_raw(log, CONTROL, orjson.dumps(entry), "PassOver", key=key)
    found = log.results()

    assert [] == [str(f) for v in found.values() for f in v.violations]
    assert 1 == found[6].counts["passed over by an operator"]


@pytest.mark.parametrize("matches", [True, False])
def test_state_digest_is_recomputed(log: ContestLog, matches: bool) -> None:
    """Invariant 2 fails if the digest of the owner differs from that of the fold."""
    shard = Shard()
    for record in log.records[EVENTS]:
        shard.apply(kind_of(record), record.value, record.offset)
    digest = sha256(pack_shard(shard)).hexdigest() if matches else "0" * 64
    body: Json = {"epoch": shard.epoch, "owner": shard.owner, "seq": shard.seq, "prev": shard.head}
    body |= {"format": FORMAT, "sha256": digest, "at": "2026-11-21T09:12:03Z"}
    append_raw(log, EVENTS, orjson.dumps(body), "StateDigest")

    found = log.results()

    assert (set() if matches else {2}) == set(log.failed())
    assert 1 == found[2].counts["state digests"]


def test_state_digest_of_an_owner_that_was_being_replaced_is_not_compared(log: ContestLog) -> None:
    """A former owner's record came before the digest: its owner could not know it."""
    shard = Shard()
    for record in log.records[EVENTS]:
        shard.apply(kind_of(record), record.value, record.offset)
    digest = sha256(pack_shard(shard)).hexdigest()
    newest = next(r for r in reversed(log.records[EVENTS]) if kind_of(r) == "OrderDecided")
    stale = {**body_of(newest), "owner": "tools/former/host/1/0"}
    append_raw(log, EVENTS, orjson.dumps(stale), "OrderDecided")
    body: Json = {"epoch": shard.epoch, "owner": shard.owner, "seq": shard.seq, "prev": shard.head}
    body |= {"format": FORMAT, "sha256": digest, "at": "2026-11-21T09:12:03Z"}
    append_raw(log, EVENTS, orjson.dumps(body), "StateDigest")

    found = log.results()

    assert set() == set(log.failed())
    assert 1 == found[2].counts["state digests of an owner that was being replaced"]


def test_order_too_old_to_be_decided_is_counted(log: ContestLog) -> None:
    """Invariant 3: an order older than the executor's memory was answered, and has no event."""
    call = {**command_of(log), "call_id": "old", "issued_at": "2020-01-01T00:00:00Z"}
    record = append_raw(log, COMMANDS, orjson.dumps(call), "ToolCall")
    scope = Scope(log.spans)
    outcomes = CallOutcomes(TurnIndex(scope))
    checker = OrdersChecker(scope, outcomes, lambda _, at: at < datetime(2021, 1, 1, tzinfo=UTC))
    outcomes.take(DecodedRecord(record))
    outcomes.calls["old"].answers = 1
    outcomes.newest_done[COMMANDS, 0] = record.offset

    checker.finish()

    assert [] == checker.violations
    assert 1 == checker.counts["orders too old to be decided, refused without an event"]


def test_foreign_answer_is_counted_and_lost_request_is_damage(log: ContestLog) -> None:
    """Invariant 10: an answer to an unknown call is foreign, unless a turn names the call."""
    topic = next(t for t in log.records if t.startswith("agent.inbox."))
    reply = next(r for r in log.records[topic] if kind_of(r) == "ChatReply")
    body = body_of(reply)
    append_raw(log, topic, orjson.dumps({**body, "call_id": str(uuid.uuid4())}), "ChatReply")

    found = log.results()

    assert [] == [str(f) for v in found.values() for f in v.violations]
    assert 1 == found[10].counts["foreign answers, to a call that was never made"]

    asked = next(
        (t, i)
        for t in log.records
        if t.startswith("ai_prompted.")
        for i, r in enumerate(log.records[t])
        if body_of(r).get("call_id") == body["call_id"]
    )
    log.drop(*asked)

    assert 10 in log.failed()


def test_transaction_marker_is_not_a_lost_record(log: ContestLog) -> None:
    """Invariant 7: an offset with a transaction marker is counted; a missing offset fails."""
    topic = topics.LLM_CALLS.name
    last = [r for r in log.records[topic] if r.partition == 0][-1]
    log.records[topic][log.records[topic].index(last)] = last._replace(offset=last.offset + 1)
    span = log.spans[topic][0]
    with_gap = span.model_copy(update={"end": span.end + 1})
    log.spans[topic] = {**log.spans[topic], 0: with_gap}
    assert 7 in log.failed()
    with_marker = with_gap.model_copy(update={"markers": (last.offset,)})
    log.spans[topic] = {**log.spans[topic], 0: with_marker}

    assert 7 not in log.failed()
    assert 1 == log.results()[7].counts["markers of transactions"]
