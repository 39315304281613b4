"""Byte format of a season checkpoint: a small head, and segments that never change. Pure.

A season grows with its contest: it keeps every order, turn, model call and snapshot. So each
checkpoint writes what was added since the last one into a new segment, which is named by its digest
and never rewritten. The head holds the state that the fold needs to continue, and the list of
segments. The size of a write depends on what was added, not on the length of the season.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from functools import cache, partial
from hashlib import sha256
from operator import attrgetter
from typing import Any, TypeVar, get_type_hints

import msgspec

from arena import topics
from arena.checkpoint import pack_shard, unpack_shard
from arena.errors import Malformed
from arena.fold_checkpoint import FoldPosition, FoldPositions
from arena.gate_counts import SkipFold
from arena.messages.market import Fills
from arena.risk_report import ExitCounts, RiskCounts
from arena.wide_integers import pack_wide, unpack_wide
from judge.evaluations.check_fold import CheckedTurn, TurnChecks
from judge.evaluations.checks import AgentMemory
from judge.season.accounts_fold import IndexedOrder
from judge.season.builder import SeasonBuilder
from judge.season.incomparable import Contestant
from judge.season.market_fold import SnapshotQuotes
from judge.season.packed_rows import PackedRows, RecentIds
from judge.season.planned_length import PlannedLength
from judge.season.rules_used import RulesUsed, stored_rules
from judge.season.turns_fold import AgentIdentity, ModelCall, RecordedTurn
from judge.season.types import FilledOrder, PlacedOrder, RejectedOrder, TurnSummary
from judge.season.versions_played import FirstPlayed

FORMAT = 13
"""Version of head, segments and fold; raise it if any of them changes."""
CHECKPOINT_TOPICS = (
    topics.SNAPSHOTS.name,
    topics.EVENTS.name,
    topics.TURNS.name,
    topics.LLM_CALLS.name,
)
"""Topics that a checkpoint covers; the roster is compacted and always read again."""

T = TypeVar("T")
ROW_KINDS = (FilledOrder, RejectedOrder, PlacedOrder)
"""The kinds of rows of orders, in the order in which they are packed."""


class MarketImage(msgspec.Struct, array_like=True):
    """A `MarketFold` without its snapshots; `late` holds the snapshots that do not count."""

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
    bar_s: int = 60
    fills: Fills = "close"


class CheckpointHead(msgspec.Struct, array_like=True):
    """State that the fold needs to continue, and the names of its segments, oldest first."""

    format: int
    places: dict[str, dict[int, FoldPosition]]
    segments: list[str]
    shards: dict[int, bytes]
    opened: dict[str, int]
    market: MarketImage
    identities: dict[str, AgentIdentity]
    contestants: dict[str, list[Contestant]]
    versions: dict[str, FirstPlayed]
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
    plans: dict[int, list[PlannedLength]]
    skips: dict[str, SkipFold]
    present: dict[str, list[tuple[int, int]]]
    risk: dict[str, RiskCounts]
    exits: dict[str, ExitCounts]
    memories: dict[str, AgentMemory]
    checked: dict[str, datetime]
    first_checked: dict[str, datetime]


class WalletsHead(CheckpointHead, array_like=True):
    """A head of accounts with wallets; without any, heads keep the older form."""

    settled: dict[str, str] = {}


class Segment(msgspec.Struct, array_like=True):
    """Additions to a season: snapshots, and the packed rows of each agent (not copied)."""

    snapshots: list[SnapshotQuotes]
    orders: dict[str, memoryview]
    turns: dict[str, memoryview]
    calls: dict[str, memoryview]
    checks: dict[str, memoryview]


class Packed(msgspec.Struct, frozen=True):
    """Bytes to write: the segment first, then the head that names it."""

    head: bytes
    segment: bytes
    segment_name: str


def segment_name(payload: bytes) -> str:
    """Return the name of a segment: its SHA-256."""
    return sha256(payload).hexdigest()


class SeasonPacker:
    """Packs the additions to a season since the last call.

    Attributes:
        segments: Names of the existing segments, oldest first.
    """

    def __init__(self, segments: Sequence[str] = (), snapshots: int = 0) -> None:
        """Create a packer.

        Args:
            segments: Names of the segments that exist already, oldest first.
            snapshots: Number of snapshots in those segments.
        """
        self.segments = list(segments)
        self._snapshots = snapshots

    def pack(
        self, builder: SeasonBuilder, places: FoldPositions, checks: TurnChecks
    ) -> Packed | None:
        """Return head and segment; None if an account log is broken.

        Every row is packed only once. If a segment cannot be written, stop using the packer.
        """
        folds = builder.folds
        if folds.accounts.broken:
            return None
        segment = self._segment(builder, checks)
        self.segments.append(segment_name(segment))
        head = pack_wide(_head(builder, places, self.segments, checks))
        return Packed(head, segment, self.segments[-1])

    def _segment(self, builder: SeasonBuilder, checks: TurnChecks) -> bytes:
        folds = builder.folds
        new = folds.market.snapshots[self._snapshots :]
        self._snapshots += len(new)
        segment = Segment(
            snapshots=new,
            orders=_new(folds.accounts.orders, _pack_orders),
            turns=_new(folds.turns.turns, _pack_turns),
            calls=_new(folds.turns.calls, pack_wide),
            checks=_new(checks.rows, pack_wide),
        )
        return pack_wide(segment)


def _head(
    builder: SeasonBuilder, places: FoldPositions, segments: list[str], checks: TurnChecks
) -> CheckpointHead:
    folds, market = builder.folds, builder.folds.market
    counted = {snapshot.snapshot_id for snapshot in market.snapshots} if market.late else set()
    late = {i: n for i, n in market.index.items() if i not in counted} if market.late else {}
    settled = folds.accounts.settled
    form = partial(WalletsHead, settled=settled) if settled else CheckpointHead
    return form(
        format=FORMAT,
        places=places.packed(),
        segments=segments,
        shards={partition: pack_shard(one) for partition, one in folds.accounts.shards.items()},
        opened=folds.accounts.opened,
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
            bar_s=market.bar_s,
            fills=market.fills,
        ),
        identities=folds.turns.identities,
        contestants=folds.turns.contestants,
        versions=folds.turns.versions,
        cutoffs=folds.turns.cutoffs,
        answered=folds.turns.answered,
        begun=folds.turns.begun,
        ended_ids=list(folds.turns.ended_ids),
        called_ids=list(folds.turns.called_ids),
        malformed={t: n for t, n in folds.malformed.items() if t in CHECKPOINT_TOPICS},
        malformed_first={
            t: text for t, text in folds.malformed_first.items() if t in CHECKPOINT_TOPICS
        },
        first_offsets=folds.first_offsets,
        stated={p: stored_rules(one) for p, one in folds.accounts.stated.items()},
        rules={p: [stored_rules(r) for r in known] for p, known in folds.accounts.rules.items()},
        plans=folds.accounts.plans,
        skips=folds.turns.skips,
        present=folds.turns.present,
        risk=folds.accounts.risk,
        exits=folds.accounts.exits,
        memories=checks.memories,
        checked=checks.newest,
        first_checked=checks.first,
    )


def read_head(payload: bytes) -> WalletsHead:
    """Decode a head.

    Raises:
        Malformed: The bytes are not a head, or have another format version.
    """
    head = _decoded(payload, WalletsHead)
    if head.format != FORMAT:
        raise Malformed(f"a checkpoint of format {head.format}, this is {FORMAT}")
    return head


def restore(
    head: WalletsHead, segments: Iterable[bytes], pacing: str | None = None
) -> tuple[SeasonBuilder, FoldPositions, TurnChecks]:
    """Return the season of a checkpoint, its positions in the logs, and the checks of its turns.

    Args:
        head: The head.
        segments: Contents of all segments that the head names, in its order.
        pacing: As for `SeasonBuilder`.

    Raises:
        Malformed: A segment cannot be decoded.
    """
    checks = TurnChecks(memories=head.memories, newest=head.checked, first=head.first_checked)
    builder = SeasonBuilder(pacing, checks.take)
    folds, market, turns = builder.folds, builder.folds.market, builder.folds.turns
    parts = [_decoded(payload, Segment) for payload in segments]
    market.snapshots = [snapshot for part in parts for snapshot in part.snapshots]
    market.index = head.market.late | {p.snapshot_id: n for n, p in enumerate(market.snapshots)}
    market.venue, market.simulated = head.market.venue, head.market.simulated
    market.recorded, market.source = head.market.recorded, head.market.source
    market.bar_s, market.fills = head.market.bar_s, head.market.fills
    market.speed, market.interval_s = head.market.speed, head.market.interval_s
    market.stale, market.missing = head.market.stale, head.market.missing
    market.late = head.market.late_count
    folds.accounts.shards = {p: unpack_shard(packed) for p, packed in head.shards.items()}
    folds.accounts.opened = head.opened
    folds.accounts.stated, folds.accounts.rules = head.stated, head.rules
    folds.accounts.plans, folds.accounts.settled = head.plans, head.settled
    folds.accounts.orders = _rows([part.orders for part in parts], _unpack_orders)
    for agent in head.opened:
        folds.accounts.orders.setdefault(agent, PackedRows())
    turns.turns = _rows([part.turns for part in parts], _unpack_turns)
    turns.calls = _rows([part.calls for part in parts], _unpack_calls)
    checks.rows = _rows([part.checks for part in parts], _unpack_checks)
    turns.identities, turns.answered, turns.begun = head.identities, head.answered, head.begun
    turns.contestants, turns.cutoffs = head.contestants, head.cutoffs
    turns.versions = head.versions
    turns.skips, turns.present = head.skips, head.present
    folds.accounts.risk, folds.accounts.exits = head.risk, head.exits
    turns.ended_ids = RecentIds(head.ended_ids)
    turns.called_ids = RecentIds(head.called_ids)
    folds.malformed, folds.malformed_first = head.malformed, head.malformed_first
    folds.first_offsets = head.first_offsets
    for topic, found in head.places.items():
        builder.ends[topic] = {partition: place.next_offset for partition, place in found.items()}
    return builder, FoldPositions(head.places), checks


def _decoded(payload: bytes, kind: type[T]) -> T:
    try:
        return unpack_wide(payload, kind)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not a season checkpoint: {error}") from None


def _new(
    rows: Mapping[str, PackedRows[T]], pack: Callable[[list[T]], bytes]
) -> dict[str, memoryview]:
    taken = {agent: own.take_new() for agent, own in rows.items()}
    return {agent: memoryview(pack(new)) for agent, new in taken.items() if new}


def _rows(
    parts: Sequence[Mapping[str, memoryview]], unpack: Callable[[memoryview], list[T]]
) -> dict[str, PackedRows[T]]:
    found: dict[str, list[memoryview]] = {}
    for part in parts:
        for agent, packed in part.items():
            found.setdefault(agent, []).append(packed)
    return {agent: PackedRows(packed, unpack) for agent, packed in found.items()}


# Any: a tuple of the types of a class's fields is made at run time; mypy cannot name it.
@cache
def _fields(kind: type) -> tuple[Callable[[Any], tuple[Any, ...]], Any]:
    """Return a getter of a dataclass's values in order, and the type of the tuple it returns."""
    names = [one.name for one in fields(kind)]
    hints = get_type_hints(kind)
    return attrgetter(*names), tuple.__class_getitem__(tuple(hints[name] for name in names))


def _pack_orders(orders: list[IndexedOrder]) -> bytes:
    fields_of = [(kind, _fields(kind)[0]) for kind in ROW_KINDS]
    rows = [
        (o.snapshot_id, *(get(o.event) if isinstance(o.event, k) else None for k, get in fields_of))
        for o in orders
    ]
    return pack_wide(rows)


def _unpack_orders(packed: memoryview) -> list[IndexedOrder]:
    rows = _order_decoder().decode(packed)
    return [
        IndexedOrder(snapshot_id, kind(*found))
        for snapshot_id, *parts in rows
        for kind, found in zip(ROW_KINDS, parts, strict=True)
        if found is not None
    ]


@cache
def _order_decoder() -> Any:
    fill, rejection, placed = (_fields(kind)[1] for kind in ROW_KINDS)
    parts = (fill | None, rejection | None, placed | None)
    row: Any = tuple.__class_getitem__((str, *parts))
    return msgspec.msgpack.Decoder(list[row], strict=False)


def _pack_turns(turns: list[RecordedTurn]) -> bytes:
    decision = _fields(TurnSummary)[0]
    rows = [(t.agent, t.snapshot_id, decision(t.decision), t.refused) for t in turns]
    return pack_wide(rows)


def _unpack_turns(packed: memoryview) -> list[RecordedTurn]:
    rows = _turn_decoder().decode(packed)
    return [
        RecordedTurn(agent, i, TurnSummary(*decision), refused)
        for agent, i, decision, refused in rows
    ]


@cache
def _turn_decoder() -> Any:
    decision = _fields(TurnSummary)[1]
    row: Any = tuple[str, str, decision, tuple[str, ...]]  # type: ignore[valid-type]  # run time
    return msgspec.msgpack.Decoder(list[row], strict=False)


def _unpack_calls(packed: memoryview) -> list[ModelCall]:
    return unpack_wide(packed, list[ModelCall])


def _unpack_checks(packed: memoryview) -> list[CheckedTurn]:
    return unpack_wide(packed, list[CheckedTurn])
