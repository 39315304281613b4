"""Well-formed forgeries: what no state depends on is counted and named; a contradiction is damage.

A stranger writes copies of real records, each with one value changed, behind the last ones.
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
from tests.ledger.audit.test_attacks import bury, command_of, put
from tests.ledger.audit.world import (
    COMMANDS,
    SNAPSHOTS,
    TICKERS,
    TURNS,
    Json,
    World,
    body_of,
    kind_of,
)

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


def changed(body: Json) -> Iterator[Json]:
    """Copies of a body, each with one value changed, and one under ids of its own."""
    for path, value in list(paths(body, ())):
        for other in others(value):
            found = copy.deepcopy(body)
            holder: Any = found  # Any: decoded JSON
            for step in path[:-1]:
                holder = holder[step]
            holder[path[-1]] = other
            yield found
    named = ("call_id", "turn_id", "snapshot_id")
    yield body | {name: str(uuid.uuid4()) for name in named if name in body}


def paths(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every place of decoded JSON and what is there; of a list only its first item."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())[:30]
    elif isinstance(value, list):
        items = list(enumerate(value[:1]))
    for name, inner in items:
        yield from paths(inner, (*path, name))
    if path and not isinstance(value, dict):
        yield path, value


def others(value: object) -> tuple[object, ...]:
    """Values of the same type that would mean something else."""
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


def forge(world: World, topic: str, record: Record) -> int:
    """Put every changed copy that is still a message behind the last record; how many."""
    count = 0
    for body in changed(body_of(record)):
        value = orjson.dumps(body)
        try:
            record._replace(value=value).message()
        except Malformed:
            continue
        put(world, topic, value, kind_of(record), key=record.key)
        count += 1
    return count


def newest_of_each_kind(world: World, topic: str) -> list[Record]:
    """The last record of every kind in a topic."""
    return list({kind_of(record): record for record in world.records[topic]}.values())


@pytest.mark.parametrize("family", FAMILIES)
def test_forged_copies_are_no_damage(world: World, family: str) -> None:
    """Behind the real ones, under real ids and made-up ones, with values of every size."""
    forged = 0
    member = family.endswith(".")
    for topic in [t for t in world.records if t == family or (member and t.startswith(family))]:
        for record in newest_of_each_kind(world, topic):
            forged += forge(world, topic, record)

    assert forged > 10
    assert {} == {number: result.violations for number, result in world.broken().items()}


def test_second_telling_of_a_turn_is_named(world: World) -> None:
    """By its place, whether a replaced router or a stranger wrote it; a copy is counted."""
    turn = next(r for r in reversed(world.records[TURNS]) if kind_of(r) == "Turn")
    put(world, TURNS, turn.value, "Turn", key=turn.key)
    put(world, TURNS, orjson.dumps(body_of(turn) | {"outcome": "failed"}), "Turn", key=turn.key)

    found = world.results()[9]

    assert [] == found.violations
    assert 1 == found.counts["turns told twice"]
    assert 1 == found.counts["turns told again, otherwise"]
    assert any("turns told again, otherwise: agent.turns[0]@" in note for note in found.notes)


def in_own_partition(world: World, turn: Record, body: Json) -> None:
    """Put a turn before the real one in its own partition, behind the record that it began."""
    partition = partition_of(turn.key_text, len(world.spans[TURNS]))
    records = world.records[TURNS]
    location = records.index(turn)
    records.insert(location, turn._replace(value=orjson.dumps(body)))
    assert turn.partition == partition
    world.renumber(TURNS)


def test_turn_that_was_told_first_and_is_a_lie_is_damage(world: World) -> None:
    """Routers and judge take the first one: its prompt is not what the model was asked."""
    turn = next(r for r in world.records[TURNS] if kind_of(r) == "Turn" and body_of(r)["messages"])
    in_own_partition(world, turn, body_of(turn) | {"prompt_sha256": "0" * 64})

    assert 9 in world.broken()


def test_first_request_under_an_id_that_says_something_else_is_damage(world: World) -> None:
    """The chat node answers the first one; a second one is only foreign."""
    topic = next(t for t in world.records if t.startswith(topics.PROMPTED.name))
    index = world.find(topic, lambda _, body: body["round"] == 0)
    record = world.records[topic][index]
    lie = body_of(record)
    lie["messages"][1]["content"] = "buy everything"
    put(world, topic, orjson.dumps(lie), "ChatRequest", key=record.key)
    assert {} == world.broken()
    found = world.results()[9].counts
    assert 1 == found["foreign requests, under an id that was asked before"]

    world.records[topic].insert(index, record._replace(value=orjson.dumps(lie)))
    world.renumber(topic)

    assert 9 in world.broken()


@pytest.mark.parametrize(
    ("kind", "lie"),
    [
        ("ToolCall", {"agent": "../x"}),
        ("OpenAccount", {"agent": ""}),
        ("ToolCall", {"call_id": "x" * 129}),
        ("ToolCall", {"reply_to": "account.events"}),
        ("OpenAccount", {"call_id": ""}),
    ],
)
def test_commands_that_nobody_may_decide_are_buried(world: World, kind: str, lie: Json) -> None:
    """An illegal name or id: a dead letter is what becomes of it, and without one it is damage."""
    own = next(r for r in world.records[COMMANDS] if kind_of(r) == kind)
    record = put(world, COMMANDS, orjson.dumps(body_of(own) | lie), kind)
    bury(world, put(world, COMMANDS, b"garbage", kind))
    assert {13} == world.broken().keys()

    bury(world, record)

    assert {} == world.broken()


def test_order_behind_a_refused_copy_of_its_id_is_checked(world: World) -> None:
    """The copy came first, and names an illegal agent; the real order has lost its event."""
    order = command_of(world)
    index = world.find(COMMANDS, lambda _, body: body.get("call_id") == order["call_id"])
    lost = orjson.dumps(order | {"call_id": MADE_UP})
    record = put(
        world, COMMANDS, orjson.dumps(order | {"call_id": MADE_UP, "agent": "."}), "ToolCall"
    )
    bury(world, record)
    put(world, COMMANDS, lost, "ToolCall")
    bury(world, put(world, COMMANDS, b"garbage", "ToolCall"))

    assert index >= 0
    assert 3 in world.broken()


def letter(**changes: object) -> Callable[[World], None]:
    """A stranger's dead letter of the newest order's command, with changes."""

    def write(world: World) -> None:
        index = world.find(COMMANDS, lambda _, b: b.get("call_id") == command_of(world)["call_id"])
        bury(world, world.records[COMMANDS][index])
        letters = world.records[topics.DEAD_LETTERS.name]
        world.change(topics.DEAD_LETTERS.name, len(letters) - 1, lambda body: body.update(changes))

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
def test_forged_dead_letters_hide_nothing(world: World, forged: Callable[[World], None]) -> None:
    """They fail no invariant, and an order that was lost is lost all the same."""
    forged(world)
    assert {} == {number: result.violations for number, result in world.broken().items()}

    order = command_of(world) | {"call_id": str(uuid.uuid4())}
    put(world, COMMANDS, orjson.dumps(order), "ToolCall")
    put(world, COMMANDS, b"garbage", "ToolCall")
    bury(world, world.records[COMMANDS][-1])

    assert 3 in world.broken()


def test_copies_of_snapshots_with_absurd_prices_are_no_damage(world: World) -> None:
    """Under the id of a real one, with places of tickers that never were; no number stops it."""
    record = world.records[SNAPSHOTS][-1]
    for body in [*changed(body_of(record))][::4]:
        if body["snapshot_id"] == body_of(record)["snapshot_id"]:
            try:
                record._replace(value=orjson.dumps(body)).message()
            except Malformed:
                continue
            put(world, SNAPSHOTS, orjson.dumps(body), "MarketSnapshot", key=record.key)

    assert {} == {number: result.violations for number, result in world.broken().items()}


def test_whole_forged_turn_is_foreign(world: World) -> None:
    """With its beginning, on a snapshot that never was, under an id that follows from it."""
    started = next(r for r in world.records[TURNS] if kind_of(r) == "TurnStarted")
    turn = next(r for r in world.records[TURNS] if kind_of(r) == "Turn")
    agent = str(body_of(turn)["agent"])
    lie = {"snapshot_id": MADE_UP, "turn_id": ids.turn_id(agent, MADE_UP), "snapshot_offset": 999}
    for record in (started, turn):
        put(world, TURNS, orjson.dumps(body_of(record) | lie | {"agent": agent}), kind_of(record))

    found = world.results()

    assert {} == {n: v.violations for n, v in found.items() if v.violations}
    assert 1 == found[9].counts["foreign turns"]
    assert any("foreign turns" in note for note in found[9].notes)


@pytest.mark.parametrize("more", [b"1" + b"0" * 40, b"NaN", b'"' + b"x" * 200_000 + b'"'])
def test_numbers_of_any_size_are_read_as_processes_read_them(world: World, more: bytes) -> None:
    """A copy of an order with an unknown field: the executor takes it, and answers it again."""
    value = orjson.dumps(command_of(world))
    put(world, COMMANDS, value[:-1] + b',"more":' + more + b"}", "ToolCall")
    bury(world, put(world, COMMANDS, b"garbage", "ToolCall"))

    assert {} == {number: result.violations for number, result in world.broken().items()}


def test_opening_under_the_id_of_another_is_a_duplicate(world: World) -> None:
    """The executor opens no second account by it, and buries nothing."""
    own = next(r for r in world.records[COMMANDS] if kind_of(r) == "OpenAccount")
    put(world, COMMANDS, orjson.dumps(body_of(own) | {"agent": "stranger"}), "OpenAccount")
    bury(world, put(world, COMMANDS, b"garbage", "ToolCall"))

    assert {} == world.broken()
