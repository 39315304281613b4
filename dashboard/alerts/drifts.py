"""The drifts that hold, folded from `ledger.drift` and the heartbeats of `arena reconcile`. Pure.

`arena reconcile run --watch` writes one record per figure that differs at every comparison, and
nothing about figures that agree. A drift has ended if a later comparison did not report it: either
later records are about other figures only, or the process reports that no figure differs.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from arena.bus.base import Record
from arena.errors import Malformed
from arena.messages import Drift, Heartbeat

RECONCILE = "reconcile"
"""Kind of the process in its heartbeats."""
DRIFTING = "drifting"
"""The gauge with the number of figures that differ."""
BATCH_S = 15.0
"""Longest time in which the records of one comparison, and the gauge after them, are written."""
FIGURES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class DriftSeen:
    """A drift and the broker's time of its newest record."""

    drift: Drift
    at: datetime


class DriftFold:
    """The newest drift of each figure.

    Attributes:
        figures: Owner, figure and unit -> its newest drift.
    """

    def __init__(self) -> None:
        """Start without drifts."""
        self.figures: dict[str, DriftSeen] = {}

    def apply(self, record: Record) -> None:
        """Fold a record of `ledger.drift`; an unreadable one changes nothing."""
        try:
            message = record.message()
        except Malformed:
            return  # `arena tail ledger.drift` shows it.
        if not isinstance(message, Drift):
            return
        figure = f"{message.owner}:{message.what}:{message.unit}"
        if figure not in self.figures and len(self.figures) >= FIGURES_MAX:
            return
        at = datetime.fromtimestamp(record.timestamp_ms / 1_000, UTC)
        self.figures[figure] = DriftSeen(message, at)

    def holding(self, comparisons: list[Heartbeat]) -> dict[str, DriftSeen]:
        """The figures that differed in the newest comparison.

        Args:
            comparisons: Newest heartbeats of the living processes of kind `RECONCILE`, with the
                broker's times.
        """
        newest = max((seen.at for seen in self.figures.values()), default=None)
        return {
            figure: seen
            for figure, seen in self.figures.items()
            if newest is not None
            and (newest - seen.at).total_seconds() <= BATCH_S
            and not is_over(seen.at, comparisons)
        }


def is_over(at: datetime, comparisons: list[Heartbeat]) -> bool:
    """True if a comparison after this time found that all figures agree."""
    return any(
        beat.gauges.get(DRIFTING) == 0 and (beat.at - at).total_seconds() > BATCH_S
        for beat in comparisons
    )
