"""Snapshots as the process reads them: decoded once, and rendered once per size of prompt.

Writes `dead_letters` for a record that is no snapshot.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from arena.bus.base import Record
from arena.messages import MarketSnapshot, PromptSize
from arena.node import Node
from routers.prompt import MarketText, render_market

SNAPSHOTS_KEPT = 4


@dataclass(slots=True)
class SeenMarket:
    """A snapshot and its texts, which are the same for every agent with one size of prompt."""

    snapshot: MarketSnapshot
    _texts: dict[PromptSize, MarketText] = field(default_factory=dict)

    def text(self, size: PromptSize = "full") -> MarketText:
        """The market as prompts of this size show it."""
        if size not in self._texts:
            self._texts[size] = render_market(self.snapshot, size)
        return self._texts[size]


class Market:
    """The newest snapshots that agents of this process asked for."""

    def __init__(self, node: Node) -> None:
        """Nothing seen yet."""
        self._node = node
        self._seen: OrderedDict[tuple[int, int], SeenMarket | None] = OrderedDict()

    async def read(self, record: Record) -> SeenMarket | None:
        """The snapshot in a record, or None where it holds none."""
        where = (record.partition, record.offset)
        if where in self._seen:
            return self._seen[where]
        self._seen[where] = None
        while len(self._seen) > SNAPSHOTS_KEPT:
            self._seen.popitem(last=False)
        message = await self._node.read_message(record)
        if isinstance(message, MarketSnapshot):
            self._seen[where] = SeenMarket(message)
        elif message is not None:
            await self._node.dead_letter(record, f"a {message.type_name()} is no MarketSnapshot")
        return self._seen.get(where)
