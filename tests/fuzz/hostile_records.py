"""Generates hostile records from a seed: broken bytes, headers, JSON or values. Pure.

Each starts as a good message and is changed in one place, so most of them pass the first checks and
reach the code that uses the values.
"""

import json
from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

from arena.bus.base import Record
from arena.messages import Message
from arena.wire import encode

DEEP = 60_000


class HostileRecord(NamedTuple):
    """A hostile record; values of headers may be None, as Kafka allows."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    why: str


ABSURD: tuple[Any, ...] = (  # Any: values of every type that JSON has
    None,
    True,
    -1,
    0,
    10**30,
    -(10**400),
    2**63,
    1.5,
    "",
    "NaN",
    "-Infinity",
    "1e400000",
    "-1e-400000",
    "9" * 5_000,
    "9999-12-31T23:59:59.999999Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "x" * 200_000,
    "../../etc/passwd",
    "a b/c:d\u0000e",
    "\u202e\u200b\U000e0041",
    "agent.inbox.\n",
    "-",
    ".",
    [],
    {},
    [[]] * 1_000,
    {"": {"": {}}},
    {"-1": -1, "x": "y"},
)
"""Values that no correct process would write."""

RAW_BODIES = (
    b"",
    b"\xff\xfe\x00",
    b"[" * DEEP,
    b'{"a":' * DEEP,
    b"null",
    b'"text"',
    b"1e400000",
    b'{"at":NaN}',
    b'{"agent":"\\ud800"}',
    b"\xef\xbb\xbf{}",
)


def good_bodies(messages: Sequence[Message]) -> list[Record]:
    """Encode messages as records, to be made hostile."""
    found = []
    for message in messages:
        encoded = encode(message)
        found.append(Record("", 0, 0, 0, b"k", encoded.value, dict(encoded.headers)))
    return found


def hostile_records(good: Sequence[Record], count: int, seed: int) -> list[HostileRecord]:
    """Return hostile records made from good ones.

    Args:
        good: At least one good record, each with a value.
        count: The number of hostile records.
        seed: The same seed gives the same records.
    """
    rng = Random(seed)
    mutations = (_absurd, _absurd, _absurd, _absurd, _bytes, _headers, _raw)
    return [rng.choice(mutations)(rng, rng.choice(good)) for _ in range(count)]


def _headers_of(record: Record) -> list[tuple[str, bytes | None]]:
    return list(record.headers.items())


def _absurd(rng: Random, record: Record) -> HostileRecord:
    """Replace one value of the body, at any depth."""
    body = json.loads(record.value or b"{}")
    paths = list(_paths(body))
    if not paths:
        return _raw(rng, record)
    path, value = rng.choice(paths), rng.choice(ABSURD)
    holder = body
    for step in path[:-1]:
        holder = holder[step]
    if rng.random() < 0.1:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    text = json.dumps(body, ensure_ascii=rng.random() < 0.5)
    why = f"{'.'.join(map(str, path))} = {str(value)[:40]!r}"
    return HostileRecord(
        record.key, text.encode("utf-8", "surrogatepass"), _headers_of(record), why
    )


def _paths(body: Any, path: tuple[Any, ...] = ()) -> Any:  # Any: decoded JSON and its paths
    if isinstance(body, dict):
        items = list(body.items())
    elif isinstance(body, list):
        items = list(enumerate(body[:3]))
    else:
        return
    for name, value in items:
        yield (*path, name)
        if len(path) < 6:
            yield from _paths(value, (*path, name))


def _bytes(rng: Random, record: Record) -> HostileRecord:
    """Truncate the body, or change one byte."""
    value = bytearray(record.value or b"x")
    if rng.random() < 0.5:
        del value[rng.randrange(len(value)) :]
    else:
        value[rng.randrange(len(value))] = rng.randrange(256)
    return HostileRecord(record.key, bytes(value), _headers_of(record), "bytes")


def _headers(rng: Random, record: Record) -> HostileRecord:
    """Remove, null, change or multiply the headers."""
    headers = _headers_of(record)
    changed: list[list[tuple[str, bytes | None]]] = [
        [],
        [("type", None)],
        [("type", b"\xff")],
        [("type", b"Nonsense")],
        [*headers, ("schema", b"99")],
        [*headers, ("schema", None)],
        [*headers, ("", b"")],
        [*headers, *((f"h{n}", b"v" * 100) for n in range(300))],
        [("type", rng.choice((b"Ticker", b"Turn", b"Epoch", b"Halt", b"ToolCall")))],
    ]
    key = rng.choice((record.key, None, b"", b"\xff" * 300, b"agent/x"))
    return HostileRecord(key, record.value, rng.choice(changed), "headers")


def _raw(rng: Random, record: Record) -> HostileRecord:
    """Keep the type, and replace the body."""
    value = None if rng.random() < 0.2 else rng.choice(RAW_BODIES)
    return HostileRecord(record.key, value, _headers_of(record), "raw")
