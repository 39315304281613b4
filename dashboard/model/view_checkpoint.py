"""The checkpoint of the view: the state folded from the topics of `CHECKPOINTED`, as bytes. Pure.

Plain values are msgpack of typed structs; messages are kept as JSON, so that their own models read
them. Values that are computed on demand (equity curves) are not kept.
"""

from array import array
from collections import OrderedDict, deque
from datetime import datetime
from functools import partial
from typing import TypeVar

import msgspec
from pydantic import ValidationError

from arena.account_state import Position
from arena.checkpoint import pack_shard, unpack_shard
from arena.errors import Malformed
from arena.fold_checkpoint import FoldPosition, FoldPositions
from arena.messages import MarketSnapshot, Message, Turn
from arena.risk_report import ExitCounts, RiskCounts
from arena.wide_integers import pack_wide, unpack_wide
from dashboard.model.calls import Call, Spending
from dashboard.model.equity_curves import CurveFill, EquityCurve, Holdings, Point
from dashboard.model.market_view import Mark
from dashboard.model.order_index import OrderIndex
from dashboard.model.recent_calls import CALLS_MAX, RecentCall
from dashboard.model.recent_turns import AgentTurns, Outcome, Skip
from dashboard.model.view import CHECKPOINTED, ArenaView

FORMAT = 10
"""Version of the image and of the view's fold; a checkpoint of another version is not used."""

Kind = TypeVar("Kind", bound=Message)


class CurveImage(msgspec.Struct, array_like=True):
    """An `EquityCurve`: its fills, and the holdings before them."""

    opened_ms: int
    fills: list[CurveFill]
    cash: int
    positions: dict[str, Position]
    base_ms: int
    base_snapshot: str


class TurnsImage(msgspec.Struct, array_like=True):
    """An `AgentTurns`; `newest_turns` are the turns as JSON, oldest first."""

    newest_turns: list[bytes]
    outcomes: dict[str, Outcome]
    started: tuple[str, datetime, int] | None
    aborted: int
    skipped: int
    skips: dict[int, Skip]


class OrdersImage(msgspec.Struct, array_like=True):
    """An `OrderIndex`; the arrays are bytes in the order of this machine."""

    offsets: bytes
    times_ms: bytes
    agents: bytes
    names: list[str]
    complete: bool


class ViewImage(msgspec.Struct, array_like=True):
    """An `ArenaView`, as far as it was folded from the topics of `CHECKPOINTED`."""

    format: int
    positions: dict[str, dict[int, FoldPosition]]
    shards: dict[int, bytes]
    curves: dict[str, CurveImage]
    marks: dict[str, Mark]
    newest: bytes | None
    newest_offset: int
    points: list[Point]
    points_added: int
    turns_complete: bool
    turns_window: dict[int, list[tuple[int, tuple[str, str, int]]]]
    turns: dict[str, TurnsImage]
    calls_complete: bool
    calls_window: dict[int, list[tuple[int, Call]]]
    spending: dict[str, Spending]
    spending_total: Spending
    malformed: dict[str, int]
    malformed_newest: str
    orders: dict[int, OrdersImage]
    node_spending: dict[str, Spending]
    recent_calls: dict[str, list[RecentCall]]
    risk: dict[str, RiskCounts]
    exits: dict[str, ExitCounts]


class WalletsImage(ViewImage, array_like=True):
    """The view of accounts with wallets; without any, views keep the older form."""

    wallet_curves: dict[str, dict[str, CurveImage]] = {}


def pack_view(view: ArenaView, positions: FoldPositions) -> bytes | None:
    """A view as bytes; None if its account log is broken."""
    if view.accounts.broken:
        return None
    newest = view.market.newest
    turns, calls, points = view.turns, view.calls, view.snapshots
    wallet_curves = {
        agent: {unit: _curve_image(curve) for unit, curve in owned.items()}
        for agent, owned in view.accounts.wallet_curves.items()
    }
    form = partial(WalletsImage, wallet_curves=wallet_curves) if wallet_curves else ViewImage
    image = form(
        format=FORMAT,
        positions=positions.packed(),
        shards={partition: pack_shard(shard) for partition, shard in view.accounts.shards.items()},
        curves={agent: _curve_image(curve) for agent, curve in view.accounts.curves.items()},
        marks=view.market.marks,
        newest=None if newest is None else _json(newest),
        newest_offset=view.market.newest_offset,
        points=list(points.points),
        points_added=points.added,
        turns_complete=turns.window.complete,
        turns_window=turns.window.items_by_partition(),
        turns={agent: _turns_image(one) for agent, one in turns.agents.items()},
        calls_complete=calls.window.complete,
        calls_window=calls.window.items_by_partition(),
        spending=calls.agents,
        spending_total=calls.total,
        malformed={topic: view.malformed_of.get(topic, 0) for topic in CHECKPOINTED},
        malformed_newest=view.malformed_newest,
        orders={p: _orders_image(index) for p, index in view.accounts.orders.items()},
        node_spending=calls.nodes,
        recent_calls={node: list(recent) for node, recent in calls.recent.nodes.items()},
        risk=view.accounts.risk,
        exits=view.accounts.exits,
    )
    return pack_wide(image)


def unpack_view(packed: bytes) -> tuple[ArenaView, FoldPositions]:
    """The view in the bytes of `pack_view`, and its offsets in the topics.

    Raises:
        Malformed: The bytes are not a view, or have another format.
    """
    try:
        image = unpack_wide(packed, WalletsImage)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not a checkpoint of a view: {error}") from None
    if image.format != FORMAT:
        raise Malformed(f"a checkpoint of format {image.format}, this is {FORMAT}")
    return _view(image), FoldPositions(image.positions)


def _view(image: WalletsImage) -> ArenaView:
    view = ArenaView()
    view.accounts.shards = {partition: unpack_shard(one) for partition, one in image.shards.items()}
    view.accounts.curves = {agent: _curve(one) for agent, one in image.curves.items()}
    view.accounts.wallet_curves = {
        agent: {unit: _curve(one) for unit, one in owned.items()}
        for agent, owned in image.wallet_curves.items()
    }
    view.accounts.risk, view.accounts.exits = image.risk, image.exits
    view.accounts.orders = {partition: _orders(one) for partition, one in image.orders.items()}
    view.market.marks = image.marks
    view.market.newest_offset = image.newest_offset
    if image.newest is not None:
        view.market.newest = _read(MarketSnapshot, image.newest)
    for point in image.points:
        view.snapshots.add_point(point)
    view.snapshots.added = image.points_added
    view.turns.window.restore(image.turns_window, complete=image.turns_complete)
    view.turns.agents = {agent: _turns(one) for agent, one in image.turns.items()}
    view.calls.window.restore(image.calls_window, complete=image.calls_complete)
    view.calls.agents, view.calls.total = image.spending, image.spending_total
    view.calls.nodes = image.node_spending
    for node, recent in image.recent_calls.items():
        view.calls.recent.nodes[node] = deque(recent, CALLS_MAX)
    view.malformed_of = {topic: count for topic, count in image.malformed.items() if count}
    if view.malformed_of:
        view.malformed_newest = image.malformed_newest
    return view


def _curve_image(curve: EquityCurve) -> CurveImage:
    return CurveImage(
        opened_ms=curve.opened_ms,
        fills=list(curve.fills),
        cash=curve.base.cash,
        positions=curve.base.positions,
        base_ms=curve.base_ms,
        base_snapshot=curve.base_snapshot,
    )


def _curve(image: CurveImage) -> EquityCurve:
    base = Holdings(image.cash, image.positions)
    return EquityCurve.restored(
        image.opened_ms, image.fills, base, image.base_ms, image.base_snapshot
    )


def _orders_image(index: OrderIndex) -> OrdersImage:
    return OrdersImage(
        offsets=index.offsets.tobytes(),
        times_ms=index.times_ms.tobytes(),
        agents=index.agents.tobytes(),
        names=index.names,
        complete=index.complete,
    )


def _orders(image: OrdersImage) -> OrderIndex:
    columns = array("q"), array("q"), array("i")
    try:
        for column, packed in zip(
            columns, (image.offsets, image.times_ms, image.agents), strict=True
        ):
            column.frombytes(packed)
    except ValueError as error:
        raise Malformed(f"a checkpoint with an invalid index of orders: {error}") from None
    if len({len(column) for column in columns}) > 1:
        raise Malformed("a checkpoint with an invalid index of orders: columns of several lengths")
    return OrderIndex(*columns, image.names, image.complete)


def _turns_image(turns: AgentTurns) -> TurnsImage:
    return TurnsImage(
        newest_turns=[_json(turn) for turn in turns.newest_turns.values()],
        outcomes=turns.outcomes,
        started=turns.started,
        aborted=turns.aborted,
        skipped=turns.skipped,
        skips=turns.skips,
    )


def _turns(image: TurnsImage) -> AgentTurns:
    turns = [_read(Turn, one) for one in image.newest_turns]
    return AgentTurns(
        newest_turns=OrderedDict((turn.turn_id, turn) for turn in turns),
        outcomes=image.outcomes,
        started=image.started,
        aborted=image.aborted,
        skipped=image.skipped,
        decided=sum(decided for _, _, _, decided, *_ in image.outcomes.values()),
        skips=image.skips,
    )


def _json(message: Message) -> bytes:
    return message.model_dump_json().encode()


def _read(kind: type[Kind], body: bytes) -> Kind:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise Malformed(f"a checkpoint with an invalid {kind.__name__}: {error}") from None
