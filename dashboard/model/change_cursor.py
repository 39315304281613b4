"""Which turns and orders are new in a view since one looked last. Pure."""

from collections import defaultdict
from heapq import merge

from arena.messages import Turn
from arena.topics import partition_of
from dashboard.model.accounts_view import Event
from dashboard.model.results import Trade, TurnSummary
from dashboard.model.turn_results import trade, turn_summary
from dashboard.model.view import ArenaView

NEW_MAX = 100
"""Most turns, and most orders, that a new viewer gets: the newest of all agents."""

Place = tuple[int, int]
"""Partition and offset of a record."""


class ChangeCursor:
    """Remembers what was seen of turns and orders.

    Attributes:
        turns: Partition of `agent.turns` -> offset of the newest turn that was seen.
        orders: Partition of `account.events` -> offset of the newest order that was seen.

    Args:
        turn_partitions: Number of partitions of `agent.turns`.
        most: Most turns, and most orders, of one answer.
    """

    def __init__(self, turn_partitions: int, most: int = NEW_MAX) -> None:
        """Start before everything."""
        self._turn_partitions = turn_partitions
        self._most = most
        self.turns: dict[int, int] = {}
        self.orders: dict[int, int] = {}

    def new_turns(self, view: ArenaView) -> tuple[TurnSummary, ...]:
        """Turns that ended since the last call, oldest first; at most the newest `most`.

        Turns of shadow agents are left out; those of one partition are in the order of their
        records.
        """
        found: defaultdict[int, list[tuple[int, Turn]]] = defaultdict(list)
        for agent, turns in view.turns.agents.items():
            if view.is_shadow(agent):
                continue
            partition = partition_of(agent, self._turn_partitions)
            seen = self.turns.get(partition, -1)
            for turn in list(reversed(turns.newest_turns.values()))[: self._most]:
                offset = turns.outcomes[turn.turn_id][0]
                if offset <= seen:
                    break
                found[partition].append((offset, turn))
        columns = []
        for partition, column in sorted(found.items()):
            column.sort(key=lambda one: one[0])
            self.turns[partition] = column[-1][0]
            columns.append([(turn.ended_at, turn, partition, offset) for offset, turn in column])
        merged = list(merge(*columns, key=lambda one: one[0]))
        return tuple(turn_summary(*one[1:]) for one in merged[-self._most :])

    def new_trades(self, view: ArenaView) -> tuple[tuple[Trade, Place], ...]:
        """Orders decided since the last call with the places of their records, oldest first.

        At most the newest `most`, without those of shadow agents; those of one partition are in
        the order of their records.
        """
        columns = []
        for partition, index in sorted(view.accounts.orders.items()):
            seen = self.orders.get(partition, -1)
            recent = view.accounts.shards[partition].recent
            newest = index.offsets[-1] if index.offsets else -1
            if newest <= seen:
                continue
            self.orders[partition] = newest
            count = min(len(recent), len(index.offsets))
            column: list[tuple[int, Event, Place]] = []
            for back in range(1, count + 1):
                if (offset := index.offsets[-back]) <= seen or len(column) == self._most:
                    break
                if view.is_shadow(recent[-back]["agent"]):
                    continue
                column.append((index.times_ms[-back], recent[-back], (partition, offset)))
            columns.append(column[::-1])
        merged = list(merge(*columns, key=lambda one: one[0]))
        return tuple((trade(one, view.currency), place) for _, one, place in merged[-self._most :])
