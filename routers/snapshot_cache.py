"""Caches the newest snapshots of a process: decoded once, rendered once per form of prompt.

Writes `dead_letters` for a record that is not a snapshot.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from arena.bus.base import Record
from arena.messages import MarketSnapshot, PromptSize
from arena.node import Node
from routers.candle_rows import CandleRows
from routers.prompt import MarketText, render_market

SNAPSHOTS_MAX = 4


@dataclass(slots=True)
class RenderedSnapshot:
    """A snapshot and its texts, the same for all agents with the same size and shown parts."""

    snapshot: MarketSnapshot
    rows: CandleRows = field(default_factory=CandleRows)
    _texts: dict[tuple[PromptSize, tuple[str, ...]], MarketText] = field(default_factory=dict)

    def text(self, size: PromptSize = "full", shows: tuple[str, ...] = ()) -> MarketText:
        """The market as prompts of this size show it, with the parts that a strategy shows."""
        key = size, shows
        if key not in self._texts:
            self._texts[key] = render_market(self.snapshot, size, shows, rows=self.rows)
        return self._texts[key]


_rendered: OrderedDict[int, RenderedSnapshot] = OrderedDict()
"""The newest snapshots by identity: routers in one loop receive the same object."""


def rendered(snapshot: MarketSnapshot) -> RenderedSnapshot:
    """The texts of a snapshot, shared with all routers that have this same object."""
    found = _rendered.get(id(snapshot))
    if found is None:
        before = next(reversed(_rendered.values()), None)
        rows = CandleRows(None if before is None else before.rows)
        found = _rendered[id(snapshot)] = RenderedSnapshot(snapshot, rows)
        if len(_rendered) > SNAPSHOTS_MAX:
            _rendered.popitem(last=False)
    return found


class SnapshotCache:
    """The newest snapshots that agents of this process have read."""

    def __init__(self, node: Node) -> None:
        """Take the process, for decoding and dead letters."""
        self._node = node
        self._seen: OrderedDict[tuple[int, int], RenderedSnapshot | None] = OrderedDict()

    async def read(self, record: Record) -> RenderedSnapshot | None:
        """The snapshot in a record, or None if there is none."""
        place = (record.partition, record.offset)
        if place in self._seen:
            return self._seen[place]
        self._seen[place] = None
        while len(self._seen) > SNAPSHOTS_MAX:
            self._seen.popitem(last=False)
        message = await self._node.read_message(record)
        if isinstance(message, MarketSnapshot):
            self._seen[place] = rendered(message)
        elif message is not None:
            reason = f"a {message.type_name()} is not a MarketSnapshot"
            await self._node.dead_letter(record, reason)
        return self._seen.get(place)
