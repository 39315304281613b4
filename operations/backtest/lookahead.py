"""Finds look-ahead: compares a backtest with one whose data end at a sampled time. Pure.

Everything that a run wrote up to a snapshot must be the same if no later data exist. The records of
both runs are compared byte for byte, in the order in which data flow: snapshots, then what agents
were shown, what tools answered, what agents decided, and what their accounts did.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from typing import Any, Final

import orjson

from arena import topics
from arena.bus.base import Record
from arena.bus.memory import MemoryCluster
from operations.backtest.counts import records_of

COMPARED: Final = (
    (topics.SNAPSHOTS, "snapshot"),
    (topics.TICKERS, "ticker"),
    (topics.CANDLES, "candle"),
    (topics.PROMPTED, "prompt"),
    (topics.TOOL_CALLS, "tool call"),
    (topics.INBOX, "answer"),
    (topics.COMMANDS, "order"),
    (topics.TURNS, "turn"),
    (topics.EVENTS, "account event"),
)
"""Topic -> what a record is, in the order in which data flow; the first difference is the cause."""
IGNORED: Final = frozenset(("context_offsets", "source"))
"""Fields of a snapshot that depend on how much data there are: offsets and the digest of rows."""
PATHS_MAX: Final = 8
VALUE_CHARS_MAX: Final = 60
MISSING: Final = object()

Json = Any
"""Any: the JSON of a record."""


@dataclass(frozen=True, slots=True)
class Leak:
    """What is different without later data.

    Attributes:
        cut: Venue time at which the data end.
        what: The first kind of record that differs.
        where: The record: the snapshot, the agent, the product.
        details: What differs in it, with both values; at most `PATHS_MAX`.
    """

    cut: str
    what: str
    where: str
    details: tuple[str, ...]

    @property
    def text(self) -> str:
        """The leak in one line."""
        return f"{self.what} of {self.where}: {'; '.join(self.details)}"


def sampled(total: int, samples: int, seed: int) -> list[int]:
    """Numbers of the snapshots at which the data end, in order.

    One from each of `samples` equal parts of the run, drawn from the seed; never the last snapshot.

    Args:
        total: Snapshots of the run.
        samples: Number of samples; fewer if the run is short.
        seed: The seed.
    """
    last = total - 1
    count = min(samples, last)
    bounds = [n * last // count for n in range(count + 1)] if count else []
    return [a + _drawn(seed, a, b - a) for a, b in pairwise(bounds)]


def _drawn(seed: int, part: int, below: int) -> int:
    """A number from 0 to `below` - 1 that depends on the seed and the part of the run."""
    digest = hashlib.sha256(f"lookahead {seed} {part}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % below


def find_leak(whole: MemoryCluster, cut: MemoryCluster, cut_at: str) -> Leak | None:
    """The first difference between a whole run and the run whose data end; None without any.

    Args:
        whole: The run on all data.
        cut: The run whose data end at its last snapshot.
        cut_at: That venue time, for the result.
    """
    for spec, what in COMPARED:
        for topic in _topics_of(cut, spec):
            for one, other in zip_longest(records_of(cut, topic), _until(whole, cut, topic)):
                if one is not None and other is not None and one.value == other.value:
                    continue
                if details := _details(one, other):
                    where = _where(one or other, topic)
                    return Leak(cut_at, what, where, details)
    return None


def _topics_of(cluster: MemoryCluster, spec: topics.TopicSpec) -> list[str]:
    return sorted(
        name
        for name in cluster.partitions
        if name == spec.name or (spec.is_family and name.startswith(spec.name))
    )


def _until(whole: MemoryCluster, cut: MemoryCluster, topic: str) -> Iterator[Record]:
    """The records of the whole run up to where the cut run ends, partition by partition."""
    for p in range(whole.partitions.get(topic, 0)):
        count = len(cut.logs.get((topic, p), ()))
        yield from whole.logs[(topic, p)][:count]


def _details(cut: Record | None, whole: Record | None) -> tuple[str, ...]:
    if cut is None or whole is None:
        return (
            "it exists only with all data" if cut is None else "it exists only without later data",
        )
    paths = differing(_json(cut), _json(whole))
    return tuple(f"{path} is {a} with all data and {b} without" for path, b, a in paths)


def differing(cut: Json, whole: Json) -> list[tuple[str, str, str]]:
    """Path and both values of each difference; at most `PATHS_MAX`.

    Items of lists are named by their product, id, name or start where they have one.

    Args:
        cut: JSON without later data.
        whole: JSON with all data.
    """
    found: list[tuple[str, str, str]] = []
    _walk(cut, whole, "", found)
    return found[:PATHS_MAX]


def _walk(a: Json, b: Json, path: str, found: list[tuple[str, str, str]]) -> None:
    if a == b or len(found) >= PATHS_MAX:
        return
    if isinstance(a, dict) and isinstance(b, dict):
        for key in dict.fromkeys((*b, *a)):
            if path or key not in IGNORED:
                _walk(a.get(key, MISSING), b.get(key, MISSING), _join(path, key), found)
    elif isinstance(a, list) and isinstance(b, list):
        named, other = _named(a), _named(b)
        for key in dict.fromkeys((*other, *named)):
            _walk(named.get(key, MISSING), other.get(key, MISSING), _join(path, key), found)
    elif isinstance(a, str) and isinstance(b, str) and "\n" in b:
        found.append((path, *_first_line(a, b)))
    else:
        found.append((path, _shown(a), _shown(b)))


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _named(items: Sequence[Json]) -> Mapping[str, Json]:
    """The items of a list by a name of their own, else by their number."""
    names = [_name(item) or str(n) for n, item in enumerate(items)]
    if len(set(names)) < len(names):
        names = [str(n) for n in range(len(items))]
    return dict(zip(names, items, strict=True))


def _name(item: Json) -> str:
    if not isinstance(item, dict):
        return ""
    keys = ("item_id", "product_id", "start", "name", "role")
    return next((str(item[key]) for key in keys if item.get(key)), "")


def _first_line(a: str, b: str) -> tuple[str, str]:
    """The first line that differs, with the heading above it."""
    heading = ""
    for one, other in zip_longest(a.split("\n"), b.split("\n"), fillvalue=""):
        if one != other:
            lead = f"({heading.strip('# ')}) " if heading else ""
            return _cut(lead + one), _cut(lead + other)
        heading = other if other.startswith("#") else heading
    return "", ""


def _shown(value: Json) -> str:
    return "nothing" if value is MISSING else _cut(orjson.dumps(value).decode())


def _cut(text: str) -> str:
    return text if len(text) <= VALUE_CHARS_MAX else text[:VALUE_CHARS_MAX] + "..."


def _json(record: Record) -> Json:
    try:
        return orjson.loads(record.value or b"null")
    except orjson.JSONDecodeError:
        return (record.value or b"").decode("utf-8", "replace")


def _where(record: Record | None, topic: str) -> str:
    """The record in words: agent, product and time, with topic and offset."""
    if record is None:
        return topic
    body = _json(record)
    fields = body if isinstance(body, dict) else {}
    words = [str(fields[k]) for k in ("agent", "product_id", "as_of", "name") if fields.get(k)]
    return " ".join([*words, f"({topic}@{record.offset})"])
