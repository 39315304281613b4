"""What can be checked in the records of an order. Pure.

The same comparisons as those of `arena audit trace` that need nothing but the records.
"""

import base64
import hashlib
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from arena import ids, topics
from arena.bus.base import Record
from arena.messages.orders import EXIT_TYPES
from dashboard.model.results.trace import Algorithm, Trace, TraceCheck, TracePart, TraceStep

BEFORE, ORDER, COMMAND, TURN = "previous event", "order", "command", "turn"
REPLY, CALL, REQUEST, SNAPSHOT = "model reply", "model call", "request", "snapshot"
USED = "ticker used"
STEPS = (BEFORE, ORDER, COMMAND, TURN, REPLY, CALL, REQUEST, SNAPSHOT, USED)
WITH_PROMPTS = frozenset({TURN, REPLY, CALL, REQUEST})
"""Steps whose records contain prompts or the words of models."""
ID_SEPARATOR = "\x1f"
PROMPT_SEPARATOR = "\x00"
NO_EVENT = "0" * 64
"""The digest of an empty log."""

# Any: JSON of any shape.
Json = Any
Bodies = Mapping[str, Json]


def make_trace(order_id: str, records: Mapping[str, Record], *, hide_prompts: bool) -> Trace:
    """A trace with all comparisons that its records allow.

    Args:
        order_id: Id of the order.
        records: Name of a step -> its record; `ORDER` is one of them.
        hide_prompts: Leave out records that contain prompts, and what is compared with them.
    """
    shown = {
        name: record
        for name, record in records.items()
        if not (hide_prompts and name in WITH_PROMPTS)
    }
    bodies = {name: orjson.loads(record.value or b"") for name, record in shown.items()}
    checks: dict[str, list[TraceCheck]] = {name: [] for name in STEPS}
    for name, what, algorithm, separator, parts, expected in _comparisons(shown, bodies):
        needed = {part.step for part in (*parts, expected) if part.literal is None}
        if needed <= shown.keys():
            found = compute(algorithm, separator, parts, shown, bodies)
            checks[name].append(
                TraceCheck(
                    what=what,
                    algorithm=algorithm,
                    parts=parts,
                    separator=separator,
                    expected=expected,
                    holds=found == text_of(expected, shown, bodies).decode(errors="replace"),
                )
            )
    return Trace(
        order_id=order_id,
        agent=bodies[ORDER]["agent"],
        namespace=str(ids.NAMESPACE),
        steps=tuple(_step(name, records, tuple(checks[name]), name in shown) for name in STEPS),
    )


def compute(
    algorithm: Algorithm,
    separator: str,
    parts: tuple[TracePart, ...],
    records: Mapping[str, Record],
    bodies: Bodies,
) -> str:
    """The result of a comparison's parts."""
    joined = separator.encode().join(text_of(part, records, bodies) for part in parts)
    if algorithm == "sha256":
        return hashlib.sha256(joined).hexdigest()
    if algorithm == "uuid5":
        return str(uuid.uuid5(ids.NAMESPACE, joined.decode(errors="replace")))
    return joined.decode(errors="replace")


def text_of(part: TracePart, records: Mapping[str, Record], bodies: Bodies) -> bytes:
    """The text of a part; nothing if there is no such value."""
    if part.literal is not None:
        return part.literal.encode()
    if not part.path:
        return records[part.step].value or b""
    found = bodies[part.step]
    for key in part.path:
        try:
            found = found[key]
        except (KeyError, IndexError, TypeError):
            return b""
    text = found if isinstance(found, str) else "" if found is None else str(found)
    if part.z_as_offset and text.endswith("Z"):
        text = text[:-1] + "+00:00"
    return text.encode()


Comparison = tuple[str, str, Algorithm, str, tuple[TracePart, ...], TracePart]


def _comparisons(records: Mapping[str, Record], bodies: Bodies) -> Iterator[Comparison]:
    placed = _placing_id(bodies)
    yield from _of_order(records, bodies[ORDER], placed)
    yield from _of_command(records, placed)
    yield from _of_turn(bodies, placed)
    yield from _of_reply(bodies)
    yield from _of_snapshot(records, bodies)
    for side in ("bid", "ask"):
        yield _same(USED, f"{side} used", at(ORDER, "used", side), at(USED, f"best_{side}"))


def _placing_id(bodies: Bodies) -> TracePart:
    """The id of the order that a call placed: of an exit, that of the order that brought it."""
    order, command = bodies[ORDER], bodies.get(COMMAND, {})
    is_exit = order.get("order_type") in EXIT_TYPES
    if is_exit and command.get("call_id") not in (None, order["order_id"]):
        return at(COMMAND, "call_id")
    return at(ORDER, "order_id")


def _of_order(
    records: Mapping[str, Record], order: Json, placed: TracePart
) -> Iterator[Comparison]:
    what, expected = "digest of the log before it", at(ORDER, "prev")
    if BEFORE in records:
        parts = (at(BEFORE, "prev"), TracePart(step=BEFORE))
        yield ORDER, what, "sha256", "", parts, expected
    elif order["prev"] == NO_EVENT:
        yield ORDER, what, "text", "", (literal(NO_EVENT),), expected
    names = (literal("tool-call"), *(at(ORDER, one) for one in ("turn_id", "round", "index")))
    yield (
        ORDER,
        "id from turn, round and index",
        "uuid5",
        ID_SEPARATOR,
        names,
        placed,
    )
    if placed.step == COMMAND:
        brought = (literal("exit"), placed, at(ORDER, "order_type"))
        what = "id from the order that brought it"
        yield ORDER, what, "uuid5", ID_SEPARATOR, brought, at(ORDER, "order_id")


def _of_command(records: Mapping[str, Record], placed: TracePart) -> Iterator[Comparison]:
    if (record := records.get(COMMAND)) is not None:
        place = literal(f"{record.partition}@{record.offset}")
        named = (at(ORDER, "source", "partition"), at(ORDER, "source", "offset"))
        yield COMMAND, "place that the event names", "text", "@", named, place
    yield _same(COMMAND, "order", at(COMMAND, "call_id"), placed)
    yield _same(COMMAND, "turn", at(COMMAND, "turn_id"), at(ORDER, "turn_id"))
    yield _same(COMMAND, "snapshot", at(COMMAND, "snapshot_id"), at(ORDER, "snapshot_id"))


def _of_turn(bodies: Bodies, placed: TracePart) -> Iterator[Comparison]:
    order, turn = bodies[ORDER], bodies.get(TURN, {})
    names = (literal("turn"), at(TURN, "agent"), at(TURN, "snapshot_id"))
    yield TURN, "id from agent and snapshot", "uuid5", ID_SEPARATOR, names, at(TURN, "turn_id")
    yield _same(TURN, "turn of the order", at(TURN, "turn_id"), at(ORDER, "turn_id"))
    if turn.get("messages"):
        yield TURN, "prompt", "sha256", PROMPT_SEPARATOR, _prompt(TURN), at(TURN, "prompt_sha256")
        named = at(TURN, "rounds", order["round"], "tool_call_ids", order["index"])
        yield _same(TURN, "order that its round names", named, placed)


def _of_reply(bodies: Bodies) -> Iterator[Comparison]:
    order, call, request = bodies[ORDER], bodies.get(CALL, {}), bodies.get(REQUEST, {})
    asked = at(REPLY, "tool_calls", order["index"], "arguments")
    yield _same(REPLY, "arguments, as the model wrote them", asked, at(COMMAND, "arguments"))
    yield _same(REPLY, "model call", at(REPLY, "call_id"), at(CALL, "call_id"))
    if call.get("raw_response") and not call.get("raw_truncated"):
        parts, hashed = (at(CALL, "raw_response"),), at(CALL, "raw_response_sha256")
        yield CALL, "raw response of the provider", "sha256", "", parts, hashed
    yield _same(REQUEST, "model call", at(REQUEST, "call_id"), at(REPLY, "call_id"))
    yield _same(REQUEST, "snapshot", at(REQUEST, "snapshot_id"), at(ORDER, "snapshot_id"))
    if not request.get("role"):  # a role may have a prompt of its own
        expected = at(TURN, "prompt_sha256")
        what = "prompt, as in the turn"
        yield REQUEST, what, "sha256", PROMPT_SEPARATOR, _prompt(REQUEST), expected


def _of_snapshot(records: Mapping[str, Record], bodies: Bodies) -> Iterator[Comparison]:
    if SNAPSHOT not in records:
        return
    snapshot = bodies[SNAPSHOT]
    products = snapshot.get("products", ())
    order = sorted(range(len(products)), key=lambda i: products[i]["product_id"])
    names = (
        literal("snapshot"),
        at(SNAPSHOT, "venue"),
        TracePart(step=SNAPSHOT, path=("as_of",), z_as_offset=True),
        *(at(SNAPSHOT, "products", i, "product_id") for i in order),
        *((literal(f"rewind {snapshot['rewinds']}"),) if snapshot.get("rewinds") else ()),
    )
    what, expected = "id from venue, time and products", at(SNAPSHOT, "snapshot_id")
    yield SNAPSHOT, what, "uuid5", ID_SEPARATOR, names, expected
    yield _same(SNAPSHOT, "snapshot of the order", expected, at(ORDER, "snapshot_id"))
    offset = literal(str(records[SNAPSHOT].offset))
    yield _same(SNAPSHOT, "offset that the turn names", at(TURN, "snapshot_offset"), offset)


def _prompt(step: str) -> tuple[TracePart, ...]:
    """The system and the user text of a conversation."""
    return tuple(at(step, "messages", i, "content") for i in range(2))


def _same(name: str, what: str, found: TracePart, expected: TracePart) -> Comparison:
    return name, what, "text", "", (found,), expected


def at(step: str, *path: str | int) -> TracePart:
    """The value at a path in the record of a step."""
    return TracePart(step=step, path=path)


def literal(text: str) -> TracePart:
    """A text."""
    return TracePart(literal=text)


def _step(
    name: str, records: Mapping[str, Record], checks: tuple[TraceCheck, ...], is_shown: bool
) -> TraceStep:
    record = records.get(name)
    if record is None:
        return TraceStep(name=name, missing=_MISSING.get(name, "not in these records"))
    value = (record.value or b"") if is_shown else b""
    return TraceStep(
        name=name,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        kind=record.kind,
        at=datetime.fromtimestamp(record.timestamp_ms / 1000, UTC),
        value=base64.b64encode(value).decode(),
        sha256=hashlib.sha256(value).hexdigest() if is_shown else "",
        hidden=not is_shown,
        checks=checks,
    )


_MISSING = {
    BEFORE: "it is the first of its shard, or its record is gone",
    TURN: "its turn has not ended, or it was sent by hand",
    USED: f"no price was looked up, or the record of {topics.TICKERS.name} is gone",
}
