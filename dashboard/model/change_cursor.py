"""Which turns and orders are new in a view since one looked last. Pure."""

from arena.topics import partition_of
from dashboard.model.results import Trade, TurnSummary
from dashboard.model.turn_results import trade, turn_summary
from dashboard.model.view import ArenaView

NEW_MAX = 100
"""Most turns, and most orders, of one answer: the newest of all agents."""


class ChangeCursor:
    """Remembers what was seen of turns and orders.

    Args:
        turn_partitions: Number of partitions of `agent.turns`.
    """

    def __init__(self, turn_partitions: int) -> None:
        """Start before everything."""
        self._turn_partitions = turn_partitions
        self._turns: dict[str, int] = {}
        self._orders: dict[int, int] = {}

    def new_turns(self, view: ArenaView) -> tuple[TurnSummary, ...]:
        """Turns that ended since the last call, oldest first; at most the newest `NEW_MAX`."""
        found = []
        for agent, turns in view.turns.agents.items():
            seen = self._turns.get(agent, -1)
            partition = partition_of(agent, self._turn_partitions)
            for turn in list(reversed(turns.newest_turns.values()))[:NEW_MAX]:
                offset = turns.outcomes[turn.turn_id][0]
                if offset <= seen:
                    break
                self._turns[agent] = max(offset, self._turns.get(agent, -1))
                found.append((turn.ended_at, turn, partition, offset))
        found.sort(key=lambda one: (one[0], one[2], one[3]))
        return tuple(turn_summary(*one[1:]) for one in found[-NEW_MAX:])

    def new_trades(self, view: ArenaView) -> tuple[Trade, ...]:
        """Orders decided since the last call, oldest first; at most the newest `NEW_MAX`."""
        found = []
        for partition, index in view.accounts.orders.items():
            seen = self._orders.get(partition, -1)
            recent = view.accounts.shards[partition].recent
            newest = index.offsets[-1] if index.offsets else -1
            if newest <= seen:
                continue
            self._orders[partition] = newest
            count = min(NEW_MAX, len(recent), len(index.offsets))
            for back in range(1, count + 1):
                if index.offsets[-back] <= seen:
                    break
                found.append((index.times_ms[-back], partition, -back, recent[-back]))
        found.sort(key=lambda one: one[:3])
        return tuple(trade(one[3], view.currency) for one in found[-NEW_MAX:])
