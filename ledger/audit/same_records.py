"""Whether two runs have the same records: is the backtest what traded over Kafka? Pure.

Two runs of one contest in lock-step decide the same, whatever bus they used. Their records are
compared byte for byte, except for what `IGNORED` lists with a reason. Records of different agents
can follow each other in any order, so the order counts within a stream: what one agent has in a
partition of a topic; without an agent what one key, or one call, has.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, NamedTuple

import orjson

from arena import topics
from arena.bus.base import Record

Tree = dict[str, "Tree | None"]
"""Field -> None to remove it, else what to remove in it; `EACH` for the items of a list."""
Json = Any
"""Any: JSON of a record."""

EACH: Final = "[]"
DIFFERENCES_MAX: Final = 10
"""Most differences of a topic that are described; all are counted."""
VALUE_CHARS_MAX: Final = 120
NOT_COMPARED: Final = {
    topics.HEARTBEATS.name: "the state of processes",
    topics.SUPERVISION.name: "commands to processes",
}
"""Topic -> what it has; nothing of it is a part of a contest."""
LEFT_OUT: Final = {
    topics.EVALUATIONS.name: "a judge",
    topics.DRIFTS.name: "books",
}
"""Topic -> the process that a run may leave out: no decision depends on it without a coach."""
NOT_COMPARED_KINDS: Final = {"Evaluation": "standings are published when a judge comes to them"}
"""Message type -> why its records are not compared; the final standings follow from the others."""

WALL_TIME: Final = "wall time"
DURATION: Final = "measured duration"
PROCESS: Final = "the process that wrote it"
PLACE: Final = "its place in a log that other agents share"
DEADLINE_HEADER: Final = "deadline_ms"
"""The only header that is ignored: wall time."""


class Ignored(NamedTuple):
    """A field that is not compared.

    Attributes:
        topic: Name of the topic, or of its family, such as "agent.inbox.".
        path: Names down to the field, joined by "/"; `EACH` stands for each item of a list.
        why: The reason.
        kind: The only message type that it is ignored in; "" for all of the topic.
    """

    topic: str
    path: str
    why: str
    kind: str = ""


def _ignored(topic: str, why: str, *paths: str) -> list[Ignored]:
    return [Ignored(topic, path, why) for path in paths]


IGNORED: Final = (
    *_ignored(topics.SNAPSHOTS.name, WALL_TIME, "published_at"),
    *_ignored(topics.CONTEXT.name, WALL_TIME, "received_at"),
    *_ignored(topics.ROSTER.name, WALL_TIME, "at", "joined_at"),
    *_ignored(topics.PROMPTED.name, WALL_TIME, "issued_at", "deadline_at"),
    *_ignored(topics.TOOL_CALLS.name, WALL_TIME, "issued_at", "deadline_at"),
    *_ignored(topics.COMMANDS.name, WALL_TIME, "issued_at", "deadline_at"),
    *_ignored(topics.EVENTS.name, WALL_TIME, "at", "issued_at", "rules/at"),
    *_ignored(topics.EVENTS.name, PROCESS, "owner", "epoch"),
    *_ignored(topics.EVENTS.name, PLACE, "seq", "prev", "source/offset", "request_offset"),
    Ignored(topics.EVENTS.name, "order_id", f"{PLACE}: it is derived from seq", "RiskLimitsSet"),
    *_ignored(topics.INBOX.name, DURATION, "latency_ms"),
    *_ignored(topics.INBOX.name, PLACE, "account_seq", "value/closed/[]/seq"),
    *_ignored(topics.INBOX.name, PLACE, "value/portfolio/closed/[]/seq"),
    *_ignored(topics.LLM_CALLS.name, WALL_TIME, "started_at", "ended_at"),
    *_ignored(topics.LLM_CALLS.name, DURATION, "latency_ms"),
    *_ignored(topics.TURNS.name, WALL_TIME, "started_at", "ended_at"),
    *_ignored(topics.TURNS.name, DURATION, "total_ms", "snapshot_age_ms"),
    *_ignored(topics.TURNS.name, DURATION, "rounds/[]/model_ms", "rounds/[]/tools_ms"),
    *_ignored(topics.TURNS.name, PLACE, "heard_seq", f"read_to/{topics.EVENTS.name}", "asked_by"),
    *_ignored(topics.INTENTS.name, WALL_TIME, "at"),
    *_ignored(topics.INTENTS.name, PLACE, "seq", "event_offset"),
    *_ignored(topics.PROMPTS.name, WALL_TIME, "at"),
    *_ignored(topics.PROMPTS.name, PROCESS, "by"),
    *_ignored(topics.CONTROL.name, WALL_TIME, "at"),
    *_ignored(topics.CONTROL.name, PROCESS, "by"),
    *_ignored(topics.EVALUATIONS.name, WALL_TIME, "at"),
    *_ignored(topics.JUDGE_INBOX.name, DURATION, "latency_ms"),
    *_ignored(topics.DEAD_LETTERS.name, WALL_TIME, "at", "timestamp_ms"),
)
"""Everything that two runs of one contest may differ in."""


class Stream(NamedTuple):
    """What one agent has in a partition; without an agent one key, or one call."""

    partition: int
    name: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A place where two runs differ.

    Attributes:
        stream: The agent, or the key.
        number: Number of the record in its stream, from 0.
        offsets: Offset in each run; None if a run has no such record.
        text: What differs, with both values.
    """

    stream: Stream
    number: int
    offsets: tuple[int | None, int | None]
    text: str


@dataclass(slots=True)
class TopicComparison:
    """A topic of two runs.

    Attributes:
        counts: Compared records of each run.
        different: Number of records that differ, or that only one run has.
        differences: The first ones.
        why_not: Why it was not compared; "" if it was.
    """

    counts: tuple[int, int] = (0, 0)
    different: int = 0
    differences: list[Difference] = field(default_factory=list)
    why_not: str = ""


Read = Callable[[], Iterable[Record]]
"""Reads a topic of a run from its start; it may be called twice."""


def compare_topic(before: Read, after: Read) -> TopicComparison:
    """Compare a topic of two runs.

    Args:
        before: The records of one run.
        after: Those of the other run.
    """
    known: defaultdict[Stream, list[bytes]] = defaultdict(list)
    for record in _compared(before()):
        content = comparable(record)
        known[_stream_of(record, content)].append(_digest(content))
    seen: Counter[Stream] = Counter()
    other: dict[tuple[Stream, int], Record | None] = {}
    different = 0
    for record in _compared(after()):
        content = comparable(record)
        stream = _stream_of(record, content)
        number = seen[stream]
        seen[stream] += 1
        own = known.get(stream, [])
        if number >= len(own) or own[number] != _digest(content):
            different += 1
            _keep(other, stream, number, record)
    for stream, own in known.items():
        for number in range(seen[stream], len(own)):
            different += 1
            _keep(other, stream, number, None)
    counts = sum(len(own) for own in known.values()), sum(seen.values())
    return TopicComparison(counts, different, _described(before, other) if other else [])


def _keep(
    other: dict[tuple[Stream, int], Record | None],
    stream: Stream,
    number: int,
    record: Record | None,
) -> None:
    if len(other) < DIFFERENCES_MAX:
        other[stream, number] = record


def _described(before: Read, other: Mapping[tuple[Stream, int], Record | None]) -> list[Difference]:
    """Read the records of the first run again that differ, and say in what."""
    seen: Counter[Stream] = Counter()
    mine: dict[tuple[Stream, int], Record] = {}
    for record in _compared(before()):
        stream = _stream_of(record, comparable(record))
        place = stream, seen[stream]
        seen[stream] += 1
        if place in other:
            mine[place] = record
    return [
        _difference(stream, number, mine.get((stream, number)), record)
        for (stream, number), record in other.items()
    ]


def _difference(
    stream: Stream, number: int, before: Record | None, after: Record | None
) -> Difference:
    offsets = None if before is None else before.offset, None if after is None else after.offset
    if before is None or after is None:
        there = before or after
        assert there is not None, "one of the runs has it"
        which = "first" if after is None else "second"
        return Difference(stream, number, offsets, f"only the {which} run has this {there.kind}")
    text = first_difference(comparable(before), comparable(after))
    return Difference(stream, number, offsets, text)


def _compared(records: Iterable[Record]) -> Iterable[Record]:
    return (record for record in records if record.kind not in NOT_COMPARED_KINDS)


def _stream_of(record: Record, content: Mapping[str, Json]) -> Stream:
    body = content["value"] if isinstance(content["value"], dict) else {}
    names = body.get("agent"), record.key_text, body.get("call_id")
    return Stream(record.partition, next((str(name) for name in names if name), ""))


def _digest(content: Mapping[str, Json]) -> bytes:
    return hashlib.blake2b(orjson.dumps(content), digest_size=16).digest()


def comparable(record: Record) -> dict[str, Json]:
    """Key, headers and value of a record, without what `IGNORED` lists; a value in its order."""
    headers = {
        name: value.decode("utf-8", "replace")
        for name, value in sorted(record.headers.items())
        if name != DEADLINE_HEADER
    }
    return {"key": record.key_text, "headers": headers, "value": _body(record)}


def _body(record: Record) -> Json:
    if record.value is None:
        return None
    try:
        body = orjson.loads(record.value)
    except orjson.JSONDecodeError:
        return record.value.hex()
    if tree := _tree_of(record.topic, record.kind):
        _remove(body, tree)
    return body


@cache
def _tree_of(topic: str, kind: str) -> Tree:
    """The fields to remove from the records of a type in a topic."""
    tree: Tree = {}
    for found in IGNORED:
        of_family = found.topic.endswith(".") and topic.startswith(found.topic)
        if (topic == found.topic or of_family) and found.kind in ("", kind):
            _add(tree, found.path.split("/"))
    return tree


def _add(tree: Tree, path: Sequence[str]) -> None:
    name, rest = path[0], path[1:]
    if not rest:
        tree[name] = None
        return
    below = tree.setdefault(name, {})
    if below is not None:
        _add(below, rest)


def _remove(value: Json, tree: Tree) -> None:
    each = tree.get(EACH)
    if each is not None:
        for item in value if isinstance(value, list) else ():
            _remove(item, each)
        return
    if not isinstance(value, dict):
        return
    for name, below in tree.items():
        if below is None:
            value.pop(name, None)
        elif name in value:
            _remove(value[name], below)


def first_difference(before: Json, after: Json, path: str = "") -> str:
    """The first place where two JSON values differ, with both values; "" if they are equal."""
    if isinstance(before, dict) and isinstance(after, dict):
        if list(before) != list(after):
            return f"{path or 'fields'}: {_short(list(before))}, and {_short(list(after))}"
        pairs = [(f"{path}.{name}".lstrip("."), before[name], after[name]) for name in before]
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = [(f"{path}[{n}]", *two) for n, two in enumerate(zip(before, after, strict=True))]
    else:
        same = before == after and type(before) is type(after)
        return "" if same else f"{path or 'value'}: {_short(before)}, and {_short(after)}"
    texts = (first_difference(one, other, below) for below, one, other in pairs)
    return next((text for text in texts if text), "")


def _short(value: Json) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= VALUE_CHARS_MAX else f"{text[:VALUE_CHARS_MAX]}..."


def compare_records(
    names: Sequence[str], before: Callable[[str], Read | None], after: Callable[[str], Read | None]
) -> dict[str, TopicComparison]:
    """Compare all topics of two runs.

    Args:
        names: The topics of both.
        before: Topic -> how to read it in one run; None if the run does not have it.
        after: The same for the other run.
    """
    found = {}
    for topic in names:
        if topic in NOT_COMPARED:
            found[topic] = TopicComparison(why_not=NOT_COMPARED[topic])
            continue
        one = compare_topic(before(topic) or tuple, after(topic) or tuple)
        if topic in LEFT_OUT and 0 in one.counts and any(one.counts):
            which = "first" if not one.counts[0] else "second"
            one = TopicComparison(
                one.counts, why_not=f"the {which} run was without {LEFT_OUT[topic]}"
            )
        found[topic] = one
    return found
