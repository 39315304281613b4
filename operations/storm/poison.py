"""Poison records, drawn from a seed: legal in Kafka and not messages of the arena. Pure.

Null and huge values, keys and headers, bytes that are not text, deeply nested JSON, numbers of any
size, unknown types, old timestamps, aborted transactions, every codec.
"""

from dataclasses import dataclass
from random import Random

ABORTED = "Aborted"
"""Type of a record whose transaction is aborted; a reader may read it or not."""
TOPICS = (
    "account.commands",
    "tools.calls",
    "ai_prompted.rules",
    "agent.inbox.mo",
    "agent.inbox.storm-0",
    "agent.turns",
    "llm.calls",
    "market.snapshots",
    "market.tickers",
    "judge.evaluations",
    "arena.roster",
    "arena.heartbeats",
)
"""Without `account.events`, which only executors write, and `arena.control`, where an unreadable
record is a halt."""
COMPACTED = ("arena.roster", "arena.heartbeats")
CODECS = (None, "gzip", "snappy", "lz4", "zstd")
DEEP = 20_000
DIGITS = 5_000
KEY_BYTES = 60_000
VALUE_BYTES = 700_000
OLD_MS = 86_400_000
HeaderPair = tuple[str, bytes | None]


@dataclass(frozen=True, slots=True)
class Poison:
    """One record.

    Attributes:
        topic: Topic without prefix. codec: Compression of its batch.
        timestamp_ms: None for now. transaction: "", "commit" or "abort".
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[HeaderPair, ...]
    codec: str | None = None
    timestamp_ms: int | None = None
    transaction: str = ""


def draw_poison(rng: Random) -> Poison:
    """Draw a record for one of the topics."""
    topic = rng.choice(TOPICS)
    shape = rng.choice(SHAPES)
    value, headers = shape(rng)
    dice = rng.random()
    transaction = "commit" if dice < 0.1 else "abort" if dice < 0.2 else ""
    if transaction == "abort":
        headers = (("type", ABORTED.encode()),)
    key = rng.choice((b"poison", None, b"", b"\xff\xfe", b"k" * KEY_BYTES))
    # A compacted topic refuses a record without key; aiokafka refuses one without key and value.
    if not key and (value is None or topic in COMPACTED):
        key = b"poison"
    old = None if rng.random() < 0.8 or transaction else rng.randrange(1, OLD_MS)
    return Poison(topic, key, value, headers, rng.choice(CODECS), old, transaction)


def _typed(
    value: bytes | None, kind: str = "ToolCall"
) -> tuple[bytes | None, tuple[HeaderPair, ...]]:
    return value, (("type", kind.encode()), ("schema", b"1"))


def _random(rng: Random) -> tuple[bytes | None, tuple[HeaderPair, ...]]:
    return _typed(rng.randbytes(rng.randrange(1, 400)), rng.choice(("ToolCall", "Turn", "Ticker")))


def _null_value(rng: Random) -> tuple[bytes | None, tuple[HeaderPair, ...]]:
    return _typed(None)


def _null_header(rng: Random) -> tuple[bytes | None, tuple[HeaderPair, ...]]:
    return b"{}", (("type", None), ("correlation_id", None))


def _no_headers(rng: Random) -> tuple[bytes | None, tuple[HeaderPair, ...]]:
    return b'{"call_id": "none"}', ()


def _wild_headers(rng: Random) -> tuple[bytes | None, tuple[HeaderPair, ...]]:
    return b"{}", (("type", b"\xff\xfeToolCall"), ("\u202etype", b"x" * 9_000), ("", b""))


def _huge(rng: Random) -> tuple[bytes | None, tuple[HeaderPair, ...]]:
    return _typed(rng.randbytes(1_000) * (VALUE_BYTES // 1_000))


def _deep(rng: Random) -> tuple[bytes | None, tuple[HeaderPair, ...]]:
    return _typed(b"[" * DEEP + b"]" * DEEP, "MarketSnapshot")


def _digits(rng: Random) -> tuple[bytes | None, tuple[HeaderPair, ...]]:
    return _typed(b'{"call_id": ' + b"9" * DIGITS + b', "round": 1e999999}')


def _unknown(rng: Random) -> tuple[bytes | None, tuple[HeaderPair, ...]]:
    return _typed(b'{"v": 9}', rng.choice(("Nonsense", "toolcall", "", "Epoch")))


SHAPES = (
    _random,
    _null_value,
    _null_header,
    _no_headers,
    _wild_headers,
    _huge,
    _deep,
    _digits,
    _unknown,
)
