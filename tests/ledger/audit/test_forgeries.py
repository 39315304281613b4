"""Well-formed forgeries without effect are counted; a contradiction is damage.

The forged records are copies of real ones, each with one value changed, appended to the log.
"""

import copy
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from arena import ids, topics
from arena.bus.base import Record
from arena.errors import Malformed
from arena.topics import partition_of
from tests.ledger.audit.contest_log import (
    COMMANDS,
    SNAPSHOTS,
    TICKERS,
    TURNS,
    ContestLog,
    Json,
    body_of,
    kind_of,
)
from tests.ledger.audit.test_attacks import add_dead_letter, append_raw, command_of

MADE_UP = "00000000-0000-5000-8000-000000000000"
ABSURD = ("1e308", "-5", "0", "1e20", "99999999999999999999.99999999")
FAMILIES = (
    topics.ROSTER.name,
    COMMANDS,
    TICKERS,
    topics.PROMPTED.name,
    topics.LLM_CALLS.name,
    topics.INBOX.name,
    TURNS,
    topics.HEARTBEATS.name,
)


def changed_copies(body: Json) -> Iterator[Json]:
    """Yield copies of a body, each with one value changed, and one with new ids."""
    for path, value in list(paths(body, ())):
        for other in other_values(value):
            found = copy.deepcopy(body)
            holder: Any = found  # Any: decoded JSON
            for step in path[:-1]:
                holder = holder[step]
            holder[path[-1]] = other
            yield found
    reports = ("call_id", "turn_id", "snapshot_id")
    yield body | {name: str(uuid.uuid4()) for name in reports if name in body}


def paths(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield every path in decoded JSON and its value; of a list only the first item."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())[:30]
    elif isinstance(value, list):
        items = list(enumerate(value[:1]))
    for name, inner in items:
        yield from paths(inner, (*path, name))
    if path and not isinstance(value, dict):
        yield path, value


def other_values(value: object) -> tuple[object, ...]:
    """Return other values of the same type."""
    if isinstance(value, bool):
        return (not value,)
    if isinstance(value, int | float):
        return (value + 1, 0, 10**9)
    if isinstance(value, list):
        return ([],)
    if value is None:
        return ("x",)
    text = str(value)
    if text[4:5] == text[7:8] == "-":
        return ("2031-01-01T00:00:00Z", "1999-01-01T00:00:00Z")
    return ABSURD if text.replace(".", "").isdigit() else ("x", MADE_UP)


def forge(log: ContestLog, topic: str, record: Record) -> int:
    """Append every changed copy that is still a message; return their number."""
    count = 0
    for body in changed_copies(body_of(record)):
        value = orjson.dumps(body)
        try:
            record._replace(value=value).message()
        except Malformed:
            continue
        append_raw(log, topic, value, kind_of(record), key=record.key)
        count += 1
    return count


def newest_of_each_kind(log: ContestLog, topic: str) -> list[Record]:
    """Return the last record of every kind in a topic."""
    return list({kind_of(record): record for record in log.records[topic]}.values())


@pytest.mark.parametrize("family", FAMILIES)
def test_forged_copies_are_not_damage(log: ContestLog, family: str) -> None:
    """Copies after the real records, with real and made-up ids and values of every size."""
    forged = 0
    member = family.endswith(".")
    for topic in [t for t in log.records if t == family or (member and t.startswith(family))]:
        for record in newest_of_each_kind(log, topic):
            forged += forge(log, topic, record)

    assert forged > 10
    assert {} == {number: result.violations for number, result in log.failed().items()}


def test_second_record_of_a_turn_is_reported(log: ContestLog) -> None:
    """One that differs is reported with its location; an identical copy is only counted."""
    turn = next(r for r in reversed(log.records[TURNS]) if kind_of(r) == "Turn")
    append_raw(log, TURNS, turn.value, "Turn", key=turn.key)
    append_raw(
        log, TURNS, orjson.dumps(body_of(turn) | {"outcome": "failed"}), "Turn", key=turn.key
    )

    found = log.results()[9]

    assert [] == found.violations
    assert 1 == found.counts["turns told twice"]
    assert 1 == found.counts["turns told again, otherwise"]
    assert any("turns told again, otherwise: agent.turns[0]@" in note for note in found.notes)


def insert_before(log: ContestLog, turn: Record, body: Json) -> None:
    """Insert a turn before the real one in its partition, after the record of its start."""
    partition = partition_of(turn.key_text, len(log.spans[TURNS]))
    records = log.records[TURNS]
    location = records.index(turn)
    records.insert(location, turn._replace(value=orjson.dumps(body)))
    assert turn.partition == partition
    log.renumber(TURNS)


def test_forged_turn_before_the_real_one_is_damage(log: ContestLog) -> None:
    """Routers and judge use the first record: its prompt is not what the model was asked."""
    turn = next(r for r in log.records[TURNS] if kind_of(r) == "Turn" and body_of(r)["messages"])
    insert_before(log, turn, body_of(turn) | {"prompt_sha256": "0" * 64})

    assert 9 in log.failed()


def test_forged_request_before_the_real_one_is_damage(log: ContestLog) -> None:
    """The chat node answers the first request; a second one is only foreign."""
    topic = next(t for t in log.records if t.startswith(topics.PROMPTED.name))
    index = log.find(topic, lambda _, body: body["round"] == 0)
    record = log.records[topic][index]
    forged_body = body_of(record)
    forged_body["messages"][1]["content"] = "buy everything"
    append_raw(log, topic, orjson.dumps(forged_body), "ChatRequest", key=record.key)
    assert {} == log.failed()
    found = log.results()[9].counts
    assert 1 == found["foreign requests, under an id that was asked before"]

    log.records[topic].insert(index, record._replace(value=orjson.dumps(forged_body)))
    log.renumber(topic)

    assert 9 in log.failed()


@pytest.mark.parametrize(
    ("kind", "forged_body"),
    [
        ("ToolCall", {"agent": "../x"}),
        ("OpenAccount", {"agent": ""}),
        ("ToolCall", {"call_id": "x" * 129}),
        ("ToolCall", {"reply_to": "account.events"}),
        ("OpenAccount", {"call_id": ""}),
    ],
)
def test_invalid_commands_must_be_dead_letters(
    log: ContestLog, kind: str, forged_body: Json
) -> None:
    """A command with an invalid name or id is damage unless a dead letter holds it."""
    real = next(r for r in log.records[COMMANDS] if kind_of(r) == kind)
    record = append_raw(log, COMMANDS, orjson.dumps(body_of(real) | forged_body), kind)
    add_dead_letter(log, append_raw(log, COMMANDS, b"garbage", kind))
    assert {13} == log.failed().keys()

    add_dead_letter(log, record)

    assert {} == log.failed()


def test_order_after_an_invalid_copy_is_checked(log: ContestLog) -> None:
    """A copy with the same id and an invalid agent came first; the real order lost its event."""
    order = command_of(log)
    index = log.find(COMMANDS, lambda _, body: body.get("call_id") == order["call_id"])
    lost = orjson.dumps(order | {"call_id": MADE_UP})
    record = append_raw(
        log, COMMANDS, orjson.dumps(order | {"call_id": MADE_UP, "agent": "."}), "ToolCall"
    )
    add_dead_letter(log, record)
    append_raw(log, COMMANDS, lost, "ToolCall")
    add_dead_letter(log, append_raw(log, COMMANDS, b"garbage", "ToolCall"))

    assert index >= 0
    assert 3 in log.failed()


def letter(**changes: object) -> Callable[[ContestLog], None]:
    """Return a write of a forged dead letter for the newest order's command."""

    def write(log: ContestLog) -> None:
        index = log.find(COMMANDS, lambda _, b: b.get("call_id") == command_of(log)["call_id"])
        add_dead_letter(log, log.records[COMMANDS][index])
        letters = log.records[topics.DEAD_LETTERS.name]
        log.change(topics.DEAD_LETTERS.name, len(letters) - 1, lambda body: body.update(changes))

    return write


@pytest.mark.parametrize(
    "forged",
    [
        letter(),
        letter(value_base64="AAAA"),
        letter(value_base64=None),
        letter(offset=10**9),
        letter(offset=-1, partition=77),
        letter(topic=TICKERS),
        letter(topic="nowhere", offset=10**9),
    ],
)
def test_forged_dead_letters_hide_nothing(
    log: ContestLog, forged: Callable[[ContestLog], None]
) -> None:
    """They fail no invariant, and a lost order is still reported."""
    forged(log)
    assert {} == {number: result.violations for number, result in log.failed().items()}

    order = command_of(log) | {"call_id": str(uuid.uuid4())}
    append_raw(log, COMMANDS, orjson.dumps(order), "ToolCall")
    append_raw(log, COMMANDS, b"garbage", "ToolCall")
    add_dead_letter(log, log.records[COMMANDS][-1])

    assert 3 in log.failed()


def test_forged_snapshots_with_absurd_prices_are_not_damage(log: ContestLog) -> None:
    """Copies with the id of a real snapshot, and offsets of tickers that never existed."""
    record = log.records[SNAPSHOTS][-1]
    for body in [*changed_copies(body_of(record))][::4]:
        if body["snapshot_id"] == body_of(record)["snapshot_id"]:
            try:
                record._replace(value=orjson.dumps(body)).message()
            except Malformed:
                continue
            append_raw(log, SNAPSHOTS, orjson.dumps(body), "MarketSnapshot", key=record.key)

    assert {} == {number: result.violations for number, result in log.failed().items()}


def test_forged_turn_is_foreign(log: ContestLog) -> None:
    """A forged turn with its start, on a snapshot that never existed, with a matching id."""
    started = next(r for r in log.records[TURNS] if kind_of(r) == "TurnStarted")
    turn = next(r for r in log.records[TURNS] if kind_of(r) == "Turn")
    agent = str(body_of(turn)["agent"])
    forged_body = {
        "snapshot_id": MADE_UP,
        "turn_id": ids.turn_id(agent, MADE_UP),
        "snapshot_offset": 999,
    }
    for record in (started, turn):
        append_raw(
            log,
            TURNS,
            orjson.dumps(body_of(record) | forged_body | {"agent": agent}),
            kind_of(record),
        )

    found = log.results()

    assert {} == {n: v.violations for n, v in found.items() if v.violations}
    assert 1 == found[9].counts["foreign turns"]
    assert any("foreign turns" in note for note in found[9].notes)


@pytest.mark.parametrize("extra", [b"1" + b"0" * 40, b"NaN", b'"' + b"x" * 200_000 + b'"'])
def test_numbers_of_any_size_are_read_like_in_the_arena(log: ContestLog, extra: bytes) -> None:
    """A copy of an order with an unknown field is valid: the executor answers it again."""
    value = orjson.dumps(command_of(log))
    append_raw(log, COMMANDS, value[:-1] + b',"more":' + extra + b"}", "ToolCall")
    add_dead_letter(log, append_raw(log, COMMANDS, b"garbage", "ToolCall"))

    assert {} == {number: result.violations for number, result in log.failed().items()}


def test_opening_with_a_used_id_is_a_duplicate(log: ContestLog) -> None:
    """The executor opens no second account, and writes no dead letter."""
    real = next(r for r in log.records[COMMANDS] if kind_of(r) == "OpenAccount")
    append_raw(log, COMMANDS, orjson.dumps(body_of(real) | {"agent": "stranger"}), "OpenAccount")
    add_dead_letter(log, append_raw(log, COMMANDS, b"garbage", "ToolCall"))

    assert {} == log.failed()
