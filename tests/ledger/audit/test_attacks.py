"""The audit tells attack from damage: what the arena rightly refused fails no invariant."""

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
from arena.exports import Span
from arena.pass_overs import pass_over_key
from ledger.audit.checker import InvariantStatus, Scope
from ledger.audit.decoding import DecodedRecord, in_order
from ledger.audit.outcome_checks import OrdersChecker
from ledger.audit.outcomes import CallOutcomes
from ledger.audit.turns import TurnIndex
from tests.ledger.audit.world import COMMANDS, CONTROL, EVENTS, Json, World, body_of, kind_of

LETTERS = topics.DEAD_LETTERS.name
YEAR_9999_MS = 253_402_300_799_000


def put(
    world: World,
    topic: str,
    value: bytes | None,
    kind: str = "",
    *,
    key: bytes | None = b"x",
    at_ms: int | None = None,
) -> Record:
    """Put raw bytes behind the last record of partition 0."""
    last = [r for r in world.records[topic] if r.partition == 0]
    offset = last[-1].offset + 1 if last else world.spans[topic][0].first
    newest_ms = last[-1].timestamp_ms if last else 0
    headers = {"type": kind.encode(), "schema": b"1"} if kind else {}
    record = Record(topic, 0, offset, newest_ms if at_ms is None else at_ms, key, value, headers)
    world.records[topic] = sorted([*world.records[topic], record], key=lambda r: r[1:3])
    span = world.spans[topic][0]
    changed = Span(first=span.first, end=offset + 1, count=span.count + 1)
    world.spans[topic] = {**world.spans[topic], 0: changed}
    return record


def bury(world: World, record: Record) -> None:
    """Write the dead letter of a record, as its reader does."""
    value = record.value
    letter = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp_ms": record.timestamp_ms,
        "value_base64": None if value is None else base64.b64encode(value).decode(),
        "error": "no message of the arena",
        "reader": "test",
        "at": "2026-11-21T09:12:03Z",
    }
    put(world, LETTERS, orjson.dumps(letter), "DeadLetter", key=record.topic.encode())


def add_event(world: World, body: Json, kind: str = "OrderDecided") -> int:
    """Put an event behind the log, its place in the chain made to fit; returns its index."""
    put(world, EVENTS, orjson.dumps(body), kind)
    world.chain_again()
    return len(world.records[EVENTS]) - 1


def last_order(world: World) -> Json:
    """The newest order event."""
    return next(body_of(r) for r in reversed(world.records[EVENTS]) if kind_of(r) == "OrderDecided")


def rejected(world: World, **values: object) -> Json:
    """A rejection of the agent whose order was decided last; it moves no money."""
    event = last_order(world)
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


def command_of(world: World) -> Json:
    """The newest order's command."""
    order_id = last_order(world)["order_id"]
    return body_of(
        world.records[COMMANDS][world.find(COMMANDS, lambda _, b: b.get("call_id") == order_id)]
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
    world: World, value: bytes | None, kind: str, at_ms: int | None
) -> None:
    """Records that readers buried or passed over are counted by topic, and every promise holds."""
    for topic in [t for t in in_order(world.records) if t not in (EVENTS, LETTERS)]:
        bury(world, put(world, topic, value, kind, at_ms=at_ms))
    put(world, LETTERS, value, kind, at_ms=at_ms)

    found = world.results()

    assert [] == [str(f) for v in found.values() for f in v.violations]
    assert any("not messages of their topic" in note for note in found[13].notes)


@pytest.mark.parametrize("kind", ["Halt", "Turn", "DeadLetter", "MarketSnapshot", "Ticker"])
def test_body_without_its_fields_fails_no_invariant(world: World, kind: str) -> None:
    """A record of a known type in its own topic, of which every field is missing."""
    for topic in [t for t in world.records if kind in topics.spec_of(t).messages]:
        bury(world, put(world, topic, b"{}", kind))

    assert {} == world.broken()


def test_buried_copy_does_not_take_an_order_over(world: World) -> None:
    """A garbled command with the id of a real order, before it in the log, is only buried."""
    order = command_of(world)
    record = put(
        world, COMMANDS, orjson.dumps({"call_id": order["call_id"], "agent": "x"}), "ToolCall"
    )
    bury(world, record)

    assert {} == world.broken()


def test_garbage_that_was_not_buried_is_damage(world: World) -> None:
    """Invariant 13: bytes among the commands that a later one passed, without a dead letter."""
    put(world, COMMANDS, b"garbage", "ToolCall")
    put(world, COMMANDS, orjson.dumps(command_of(world)), "ToolCall")
    bury(world, put(world, COMMANDS, b"garbage", "ToolCall"))

    assert {13} == world.broken().keys()


def test_zombies_and_duplicates_are_counted_and_named(world: World) -> None:
    """An old owner's event, a claim that came second, an event and a command sent twice."""
    event = last_order(world)
    first = body_of(world.records[EVENTS][0])
    put(world, EVENTS, orjson.dumps({**event, "owner": "zombie"}), "OrderDecided")
    put(world, EVENTS, orjson.dumps({**event, "epoch": 0}), "OrderDecided")
    put(world, EVENTS, orjson.dumps(event), "OrderDecided")
    put(world, EVENTS, orjson.dumps(first), "Epoch")
    put(world, COMMANDS, orjson.dumps(command_of(world)), "ToolCall")

    found = world.results()

    assert [] == [str(f) for v in found.values() for f in v.violations]
    assert 2 == found[6].counts["of an owner that was replaced (a zombie), or foreign"]
    assert 1 == found[6].counts["duplicates"]
    assert 1 == found[6].counts["claims that came second"]
    assert 1 == found[3].counts["orders sent twice"]


def test_foreign_order_is_named_and_no_damage(world: World) -> None:
    """A command by hand under made-up ids: decided like any other, and named as foreign."""
    made_up = {"turn_id": str(uuid.uuid4()), "snapshot_id": "made-up", "round": 0, "index": 0}
    order_id = str(uuid.uuid4())
    call = {**command_of(world), **made_up, "call_id": order_id}
    record = put(world, COMMANDS, orjson.dumps(call), "ToolCall")
    source = {"partition": 0, "offset": record.offset}
    index = add_event(world, rejected(world, **made_up, order_id=order_id, source=source))

    found = world.results()

    assert [] == [str(f) for v in found.values() for f in v.violations]
    assert 1 == found[9].counts["foreign orders"]
    assert any(f"{EVENTS}[0]@{index}" in note for note in found[9].notes)


def test_order_whose_ids_do_not_fit_its_turn_is_damage(world: World) -> None:
    """Invariant 9: the event of an order that its turn tells of names another round."""
    index = world.find(EVENTS, lambda r, body: kind_of(r) == "OrderDecided" and body["round"] == 0)
    world.change(EVENTS, index, lambda body: body.update(round=5))
    world.chain_again()

    assert 9 in world.broken()


def test_event_without_its_command_is_damage(world: World) -> None:
    """Invariant 3: the command that an event decides is other bytes, and was buried."""
    order_id = last_order(world)["order_id"]
    index = world.find(COMMANDS, lambda _, body: body.get("call_id") == order_id)
    record = world.records[COMMANDS][index]._replace(value=b"garbage")
    world.records[COMMANDS][index] = record
    bury(world, record)

    broken = world.broken()

    assert 3 in broken
    assert any("no such command" in violation.found for violation in broken[3].violations)


def test_commands_that_were_cut_are_said_to_be_lost(world: World) -> None:
    """After a power loss an order is decided at an offset before the newest decided one."""
    orders = [body_of(r) for r in world.records[EVENTS] if kind_of(r) == "OrderDecided"]
    early = orders[-2]["source"]["offset"]
    made_up = {"turn_id": str(uuid.uuid4()), "snapshot_id": "made-up", "round": 0, "index": 0}
    order_id = str(uuid.uuid4())
    index = world.find(COMMANDS, lambda _, body: body.get("call_id") == orders[-2]["order_id"])
    world.change(COMMANDS, index, lambda body: body.update(call_id=order_id, **made_up))
    source = {"partition": 0, "offset": early}
    add_event(world, rejected(world, **made_up, order_id=order_id, source=source))

    found = world.results()

    assert InvariantStatus.FAIL not in {found[n].status for n in (1, 2, 3, 4, 5, 6)}
    assert 1 <= found[3].counts["commands that were lost after they were decided"]
    assert any(f"cut at {COMMANDS}[0]@{early}" in note for note in found[3].notes)


def test_record_passed_over_by_an_operator_is_counted(world: World) -> None:
    """Bytes in the account log stop the fold, and 6 fails, until an operator names them."""
    record = put(world, EVENTS, b"\x00garbage", "OrderDecided")

    assert {6} == world.broken().keys()

    words: Json = {
        "topic": EVENTS,
        "partition": 0,
        "offset": record.offset,
        "sha256": sha256(record.value or b"").hexdigest(),
        "error": "cannot be read",
        "by": "cli/test",
        "at": "2026-11-21T09:12:03Z",
    }
    key = pass_over_key(EVENTS, 0, record.offset).encode()
    put(world, CONTROL, orjson.dumps(words), "PassOver", key=key)
    found = world.results()

    assert [] == [str(f) for v in found.values() for f in v.violations]
    assert 1 == found[6].counts["passed over by an operator"]


@pytest.mark.parametrize("true", [True, False])
def test_state_digest_is_computed_again(world: World, true: bool) -> None:
    """Invariant 2: the owner's digest of its state is what the fold of the log gives, or fails."""
    shard = Shard()
    for record in world.records[EVENTS]:
        shard.apply(kind_of(record), record.value, record.offset)
    digest = sha256(pack_shard(shard)).hexdigest() if true else "0" * 64
    body: Json = {"epoch": shard.epoch, "owner": shard.owner, "seq": shard.seq, "prev": shard.head}
    body |= {"format": FORMAT, "sha256": digest, "at": "2026-11-21T09:12:03Z"}
    put(world, EVENTS, orjson.dumps(body), "StateDigest")

    found = world.results()

    assert (set() if true else {2}) == set(world.broken())
    assert 1 == found[2].counts["state digests"]


def test_order_too_old_to_be_decided_is_counted(world: World) -> None:
    """Invariant 3: an order of before all that is remembered was answered, and has no event."""
    call = {**command_of(world), "call_id": "old", "issued_at": "2020-01-01T00:00:00Z"}
    record = put(world, COMMANDS, orjson.dumps(call), "ToolCall")
    scope = Scope(world.spans)
    outcomes = CallOutcomes(TurnIndex(scope))
    checker = OrdersChecker(scope, outcomes, lambda _, at: at < datetime(2021, 1, 1, tzinfo=UTC))
    outcomes.take(DecodedRecord(record))
    outcomes.calls["old"].answers = 1
    outcomes.newest_done[COMMANDS, 0] = record.offset

    checker.finish()

    assert [] == checker.violations
    assert 1 == checker.counts["orders too old to be decided, refused without an event"]


def test_foreign_answer_is_named_and_a_lost_request_is_damage(world: World) -> None:
    """Invariant 10: an answer to a call that no turn knows is foreign; else its call was lost."""
    topic = next(t for t in world.records if t.startswith("agent.inbox."))
    reply = next(r for r in world.records[topic] if kind_of(r) == "ChatReply")
    body = body_of(reply)
    put(world, topic, orjson.dumps({**body, "call_id": str(uuid.uuid4())}), "ChatReply")

    found = world.results()

    assert [] == [str(f) for v in found.values() for f in v.violations]
    assert 1 == found[10].counts["foreign answers, to a call that was never made"]

    asked = next(
        (t, i)
        for t in world.records
        if t.startswith("ai_prompted.")
        for i, r in enumerate(world.records[t])
        if body_of(r).get("call_id") == body["call_id"]
    )
    world.drop(*asked)

    assert 10 in world.broken()


def test_a_marker_is_not_a_lost_record(world: World) -> None:
    """Invariant 7: an offset that holds the end of a transaction is counted; a hole fails."""
    topic = topics.LLM_CALLS.name
    last = [r for r in world.records[topic] if r.partition == 0][-1]
    world.records[topic][world.records[topic].index(last)] = last._replace(offset=last.offset + 1)
    span = world.spans[topic][0]
    holed = span.model_copy(update={"end": span.end + 1})
    world.spans[topic] = {**world.spans[topic], 0: holed}
    assert 7 in world.broken()
    marked = holed.model_copy(update={"markers": (last.offset,)})
    world.spans[topic] = {**world.spans[topic], 0: marked}

    assert 7 not in world.broken()
    assert 1 == world.results()[7].counts["markers of transactions"]
