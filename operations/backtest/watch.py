"""Follows a backtest: turns, calls, tokens, cost, dead agents.

Reads the records soon after they are appended: their messages need not be decoded then.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from arena.bus.memory import MemoryCluster
from arena.bus.memory_cursor import MARKER
from arena.plural import counted
from operations.backtest.counts import FOLDED, records_in
from operations.commands.compete_progress import ContestProgress, cost_text, tokens_text
from operations.specs.arena_spec import ArenaSpec


def asked_nodes(spec: ArenaSpec) -> list[str]:
    """Names of the chat nodes whose models are asked: neither rules nor recorded replies answer."""
    contest = spec.competition
    if contest is not None and contest.replies == "replay":
        return []
    return [node.name for node in spec.chat_nodes if not node.scripted]


@dataclass
class ModelWatch:
    """What the models of a run have done so far.

    Args:
        cluster: The records of the run.
        progress: The counts that are kept.
        budget_usd: What the models may cost; None for no limit.
    """

    cluster: MemoryCluster
    progress: ContestProgress
    budget_usd: Decimal | None = None
    _next: dict[tuple[str, int], int] = field(default_factory=dict)
    _size: int = 0

    def read(self) -> bool:
        """Fold the records that are new; False if there are none."""
        size = sum(records_in(self.cluster, topic) for topic in FOLDED)
        if size == self._size:
            return False
        self._size = size
        for topic in FOLDED:
            for p in range(self.cluster.partitions.get(topic, 0)):
                self._read(topic, p)
        return True

    def _read(self, topic: str, partition: int) -> None:
        log, begin = self.cluster.logs[(topic, partition)], self._next.get((topic, partition), 0)
        self._next[(topic, partition)] = len(log)
        for record in log[begin:]:
            message = None if record is MARKER else record.message_or_none()
            if message is not None:
                self.progress.apply(message, record.offset)

    @property
    def is_spent(self) -> bool:
        """True if the budget is reached."""
        return self.budget_usd is not None and self.progress.cost_usd >= self.budget_usd

    @property
    def line(self) -> str:
        """The counts as a part of the progress line."""
        progress = self.progress
        cost = cost_text(progress)
        budget = "" if self.budget_usd is None else f" of ${self.budget_usd}"
        replayed = f"{progress.replayed:,} replayed  " if progress.replayed else ""
        calls = counted(progress.calls, "call")
        return f"{calls}  {replayed}{tokens_text(progress)}  {cost}{budget}"
