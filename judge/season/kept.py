"""The fold of a season between two lives, as bytes: a small head, and segments that never change.

A season grows with its contest: every order, turn, model call and snapshot stays in it. So what was
added since the last time goes into a segment of its own, which is written once and named by its
digest; the head holds the state the fold needs to go on, and the list of segments. What is written
at a time depends on what was added since, not on the length of the season. Pure.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cache
from hashlib import sha256
from operator import attrgetter
from typing import Any, TypeVar, get_type_hints

import msgspec

from arena import topics
from arena.checkpoint import pack_shard, unpack_shard
from arena.errors import Malformed
from arena.kept import Place, Places
from arena.wide import pack_wide, unpack_wide
from judge.season.apart import Contestant
from judge.season.books import Order
from judge.season.builder import SeasonBuilder
from judge.season.market import Point
from judge.season.model import Decision, Fill, Rejection
from judge.season.plans import Plan
from judge.season.rows import NewestIds, Rows
from judge.season.rules_used import RulesUsed
from judge.season.thinking import Called, Player, TurnRead

FORMAT = 9
"""Of head and segments, and of what the fold makes of the topics: another one means another."""
KEPT = (topics.SNAPSHOTS.name, topics.EVENTS.name, topics.TURNS.name, topics.LLM_CALLS.name)
"""The topics that are kept; the roster is compacted and read anew."""

T = TypeVar("T")


class MarketImage(msgspec.Struct, array_like=True):
    """A `Market` without its points; `late` are the snapshots that do not count."""

    venue: str
    simulated: bool
    recorded: bool
    speed: float
    interval_s: float
    stale: int
    missing: int
    late_count: int
    late: dict[str, int]
    source: str = ""


class Head(msgspec.Struct, array_like=True):
    """What the fold needs to go on, and the names of its segments, oldest first."""

    format: int
    places: dict[str, dict[int, Place]]
    segments: list[str]
    shards: dict[int, bytes]
    opened: dict[str, int]
    market: MarketImage
    players: dict[str, Player]
    contestants: dict[str, list[Contestant]]
    cutoffs: dict[str, str]
    answered: dict[str, str]
    begun: dict[str, str]
    ended_ids: list[str]
    called_ids: list[str]
    malformed: dict[str, int]
    malformed_first: dict[str, str]
    first_offsets: dict[int, int]
    stated: dict[int, RulesUsed]
    rules: dict[int, list[RulesUsed]]
    plans: dict[int, list[Plan]]


class Segment(msgspec.Struct, array_like=True):
    """What was added to a season: the points, and by agent its rows, packed and not copied."""

    points: list[Point]
    orders: dict[str, memoryview]
    turns: dict[str, memoryview]
    calls: dict[str, memoryview]


class Packed(msgspec.Struct, frozen=True):
    """What has to be written: the segment first, then the head that names it."""

    head: bytes
    segment: bytes
    segment_name: str


def segment_name(payload: bytes) -> str:
    """The name of a segment: its SHA-256."""
    return sha256(payload).hexdigest()


class Packer:
    """Packs a season over and over, each time what was added since.

    Attributes:
        segments: Names of those that exist, oldest first.
    """

    def __init__(self, segments: Sequence[str] = (), points: int = 0) -> None:
        """Begin behind so many segments and points."""
        self.segments = list(segments)
        self._points = points

    def pack(self, builder: SeasonBuilder, places: Places) -> Packed | None:
        """Head and segment; None where an account log is broken.

        Each piece is taken once: where it cannot be written, there is nothing more to pack.
        """
        folded = builder.folded
        if folded.books.broken:
            return None
        segment = self._segment(builder)
        self.segments.append(segment_name(segment))
        head = pack_wide(_head(builder, places, self.segments))
        return Packed(head, segment, self.segments[-1])

    def _segment(self, builder: SeasonBuilder) -> bytes:
        folded = builder.folded
        new = folded.market.points[self._points :]
        self._points += len(new)
        segment = Segment(
            points=new,
            orders=_new(folded.books.orders, _pack_orders),
            turns=_new(folded.thinking.turns, _pack_turns),
            calls=_new(folded.thinking.calls, pack_wide),
        )
        return pack_wide(segment)


def _head(builder: SeasonBuilder, places: Places, segments: list[str]) -> Head:
    folded, market = builder.folded, builder.folded.market
    counted = {point.snapshot_id for point in market.points} if market.late else set()
    late = {i: n for i, n in market.index.items() if i not in counted} if market.late else {}
    return Head(
        format=FORMAT,
        places=places.packed(),
        segments=segments,
        shards={partition: pack_shard(one) for partition, one in folded.books.shards.items()},
        opened=folded.books.opened,
        market=MarketImage(
            venue=market.venue,
            simulated=market.simulated,
            recorded=market.recorded,
            speed=market.speed,
            interval_s=market.interval_s,
            stale=market.stale,
            missing=market.missing,
            late_count=market.late,
            late=late,
            source=market.source,
        ),
        players=folded.thinking.players,
        contestants=folded.thinking.contestants,
        cutoffs=folded.thinking.cutoffs,
        answered=folded.thinking.answered,
        begun=folded.thinking.begun,
        ended_ids=list(folded.thinking.ended_ids),
        called_ids=list(folded.thinking.called_ids),
        malformed={t: n for t, n in folded.malformed.items() if t in KEPT},
        malformed_first={t: text for t, text in folded.malformed_first.items() if t in KEPT},
        first_offsets=folded.first_offsets,
        stated=folded.books.stated,
        rules=folded.books.rules,
        plans=folded.books.plans,
    )


def read_head(payload: bytes) -> Head:
    """The head in bytes.

    Raises:
        Malformed: They are none, or one of another format.
    """
    head = _decoded(payload, Head)
    if head.format != FORMAT:
        raise Malformed(f"a checkpoint of format {head.format}, this is {FORMAT}")
    return head


def restore(
    head: Head, segments: Iterable[bytes], pacing: str | None = None
) -> tuple[SeasonBuilder, Places]:
    """The season that was packed, and where it stands.

    Args:
        head: The head.
        segments: All that it names, in its order.
        pacing: As for `SeasonBuilder`.

    Raises:
        Malformed: A segment is none.
    """
    builder = SeasonBuilder(pacing)
    folded, market, thinking = builder.folded, builder.folded.market, builder.folded.thinking
    parts = [_decoded(payload, Segment) for payload in segments]
    market.points = [point for part in parts for point in part.points]
    market.index = head.market.late | {p.snapshot_id: n for n, p in enumerate(market.points)}
    market.venue, market.simulated = head.market.venue, head.market.simulated
    market.recorded, market.source = head.market.recorded, head.market.source
    market.speed, market.interval_s = head.market.speed, head.market.interval_s
    market.stale, market.missing = head.market.stale, head.market.missing
    market.late = head.market.late_count
    folded.books.shards = {p: unpack_shard(packed) for p, packed in head.shards.items()}
    folded.books.opened = head.opened
    folded.books.stated, folded.books.rules = head.stated, head.rules
    folded.books.plans = head.plans
    folded.books.orders = _rows([part.orders for part in parts], _unpack_orders)
    for agent in head.opened:
        folded.books.orders.setdefault(agent, Rows())
    thinking.turns = _rows([part.turns for part in parts], _unpack_turns)
    thinking.calls = _rows([part.calls for part in parts], _unpack_calls)
    thinking.players, thinking.answered, thinking.begun = head.players, head.answered, head.begun
    thinking.contestants, thinking.cutoffs = head.contestants, head.cutoffs
    thinking.ended_ids = NewestIds(head.ended_ids)
    thinking.called_ids = NewestIds(head.called_ids)
    folded.malformed, folded.malformed_first = head.malformed, head.malformed_first
    folded.first_offsets = head.first_offsets
    for topic, found in head.places.items():
        builder.ends[topic] = {partition: place.next_offset for partition, place in found.items()}
    return builder, Places(head.places)


def _decoded(payload: bytes, kind: type[T]) -> T:
    try:
        return unpack_wide(payload, kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Malformed(f"no checkpoint of a season: {error}") from None


def _new(rows: Mapping[str, Rows[T]], pack: Callable[[list[T]], bytes]) -> dict[str, memoryview]:
    taken = {agent: own.take_new() for agent, own in rows.items()}
    return {agent: memoryview(pack(new)) for agent, new in taken.items() if new}


def _rows(
    parts: Sequence[Mapping[str, memoryview]], unpack: Callable[[memoryview], list[T]]
) -> dict[str, Rows[T]]:
    found: dict[str, list[memoryview]] = {}
    for part in parts:
        for agent, packed in part.items():
            found.setdefault(agent, []).append(packed)
    return {agent: Rows(packed, unpack) for agent, packed in found.items()}


# Any: a tuple of the types of a class's fields is made at run time; mypy cannot name it.
@cache
def _fields(kind: type) -> tuple[Callable[[Any], tuple[Any, ...]], Any]:
    """How to take the values of a dataclass in order, and the type of the tuple they make."""
    names = [one.name for one in fields(kind)]
    hints = get_type_hints(kind)
    return attrgetter(*names), tuple.__class_getitem__(tuple(hints[name] for name in names))


def _pack_orders(orders: list[Order]) -> bytes:
    fill, rejection = _fields(Fill)[0], _fields(Rejection)[0]
    rows = [
        (o.snapshot_id, fill(o.event), None)
        if isinstance(o.event, Fill)
        else (o.snapshot_id, None, rejection(o.event))
        for o in orders
    ]
    return pack_wide(rows)


def _unpack_orders(packed: memoryview) -> list[Order]:
    rows = _order_decoder().decode(packed)
    return [Order(i, Fill(*fill) if fill else Rejection(*other)) for i, fill, other in rows]


@cache
def _order_decoder() -> Any:
    fill, rejection = _fields(Fill)[1], _fields(Rejection)[1]
    row: Any = tuple[str, fill | None, rejection | None]  # type: ignore[valid-type]  # run time
    return msgspec.msgpack.Decoder(list[row], strict=False)


def _pack_turns(turns: list[TurnRead]) -> bytes:
    decision = _fields(Decision)[0]
    rows = [(t.agent, t.snapshot_id, decision(t.decision), t.refused) for t in turns]
    return pack_wide(rows)


def _unpack_turns(packed: memoryview) -> list[TurnRead]:
    rows = _turn_decoder().decode(packed)
    return [
        TurnRead(agent, i, Decision(*decision), refused) for agent, i, decision, refused in rows
    ]


@cache
def _turn_decoder() -> Any:
    decision = _fields(Decision)[1]
    row: Any = tuple[str, str, decision, tuple[str, ...]]  # type: ignore[valid-type]  # run time
    return msgspec.msgpack.Decoder(list[row], strict=False)


def _unpack_calls(packed: memoryview) -> list[Called]:
    return unpack_wide(packed, list[Called])
