"""The offsets of the orders that counted in `account.events`. Pure.

The fold knows which records count; the log alone does not say it, because an executor that lost its
shard may have written after its successor. An order takes 20 bytes.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from heapq import merge
from typing import NamedTuple

ORDERS_MAX = 200_000
"""Newest orders of a shard that are kept."""
SPARE = 10_000
"""Orders above `ORDERS_MAX` before the oldest are dropped together."""


class OrderPlace(NamedTuple):
    """The place of an order; places are ordered by time, newest last.

    Attributes:
        at_ms: The broker's time of the record, Unix milliseconds.
        partition, offset: Its record in `account.events`.
    """

    at_ms: int
    partition: int
    offset: int


@dataclass(slots=True)
class OrderIndex:
    """The orders of one shard, oldest first.

    Attributes:
        offsets, times_ms, agents: Offset, time of the record, and number in `names` of each.
        names: Names of the agents.
        complete: False once the oldest were dropped.
    """

    offsets: "array[int]" = field(default_factory=lambda: array("q"))
    times_ms: "array[int]" = field(default_factory=lambda: array("q"))
    agents: "array[int]" = field(default_factory=lambda: array("i"))
    names: list[str] = field(default_factory=list)
    complete: bool = True

    def add(self, agent: str, at_ms: int, offset: int) -> None:
        """Add the newest order of the shard."""
        if agent not in self.names:
            self.names.append(agent)
        # A place must not be before the one of an earlier record, even if a clock was set back.
        at_ms = max(at_ms, self.times_ms[-1]) if self.times_ms else at_ms
        self.offsets.append(offset)
        self.times_ms.append(at_ms)
        self.agents.append(self.names.index(agent))
        if len(self.offsets) > ORDERS_MAX + SPARE:
            for column in (self.offsets, self.times_ms, self.agents):
                del column[:SPARE]
            self.complete = False

    def back(
        self,
        partition: int,
        agent: str | None,
        before: OrderPlace | None,
        leave_out: Callable[[str], bool] | None = None,
    ) -> Iterator[OrderPlace]:
        """Places of the orders, newest first.

        Args:
            partition: The partition that this index is of.
            agent: Name of an agent; None for all.
            before: Only earlier places than this one; None for all.
            leave_out: True for an agent whose orders are left out; None for no agent.
        """
        if agent is not None and agent not in self.names:
            return
        number = self.names.index(agent) if agent is not None else -1
        without = {n for n, name in enumerate(self.names) if leave_out and leave_out(name)}
        end = len(self.offsets)
        if before is not None:
            end = bisect_left(range(end), before, key=lambda i: self._place(partition, i))
        for i in range(end - 1, -1, -1):
            if number in (-1, self.agents[i]) and self.agents[i] not in without:
                yield self._place(partition, i)

    def _place(self, partition: int, i: int) -> OrderPlace:
        return OrderPlace(self.times_ms[i], partition, self.offsets[i])


def newest_places(
    indexes: dict[int, OrderIndex],
    agent: str | None = None,
    before: OrderPlace | None = None,
    leave_out: Callable[[str], bool] | None = None,
) -> Iterator[OrderPlace]:
    """Places of the orders of all shards, newest first.

    Args:
        indexes: Partition -> its index.
        agent: Name of an agent; None for all.
        before: Only earlier places than this one; None for all.
        leave_out: True for an agent whose orders are left out; None for no agent.
    """
    found = (
        index.back(partition, agent, before, leave_out) for partition, index in indexes.items()
    )
    return merge(*found, reverse=True)
