"""What a daily report needs besides the season: limits, adjustments, evaluations. Pure.

A record belongs to the day of the snapshot that it answers, so orders, limits and equity of a day
fit together. Limits that are set belong to the newest snapshot that an order before them answers.
"""

from dataclasses import dataclass, field
from datetime import datetime

from arena import topics
from arena.bus.base import Record
from arena.messages import (
    AgentEvaluation,
    OrderDecided,
    RiskAdjustment,
    RiskLimitsSet,
    RiskTripped,
)
from arena.risk_report import RiskReport
from judge.season.market_fold import MarketFold
from judge.season.packed_rows import RecentIds

DAILY_TOPICS = (topics.EVALUATIONS.name, topics.CONTROL.name)
KEPT_MAX = 20_000
"""Newest evaluations and adjustments of a run that are kept."""


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A cut of an agent's limits.

    Attributes:
        begins_at: Venue time of the evaluation that called for it; None if there was none.
        record: The adjustment.
    """

    begins_at: datetime | None
    record: RiskAdjustment


@dataclass
class DailyFold:
    """The fold.

    Args:
        market: The snapshots, folded before the account log.

    Attributes:
        report: What limits did, by agent and day.
        limits: Agent -> index of a snapshot, and the limits from then on.
        trips: Agent -> day and breach of a limit of loss.
        evaluations: The evaluations of all agents, in the order of the log.
        adjustments: The adjustments of all agents, in the order of the log.
    """

    market: MarketFold
    report: RiskReport = field(default_factory=RiskReport)
    limits: dict[str, list[tuple[int, RiskLimitsSet]]] = field(default_factory=dict)
    trips: dict[str, list[tuple[str, RiskTripped]]] = field(default_factory=dict)
    evaluations: list[AgentEvaluation] = field(default_factory=list)
    adjustments: list[Adjustment] = field(default_factory=list)
    _evaluated: list[tuple[int, str, datetime]] = field(default_factory=list)
    _ids: RecentIds = field(default_factory=RecentIds)
    _newest: int = 0

    def take_event(self, message: object) -> None:
        """Fold a message that the fold of the account log counted."""
        if isinstance(message, OrderDecided):
            self._newest = max(self._newest, self.market.index.get(message.snapshot_id, 0))
            self.report.take(message, self._day_of(message.snapshot_id))
        elif isinstance(message, RiskLimitsSet):
            self.limits.setdefault(message.agent, []).append((self._newest, message))
        elif isinstance(message, RiskTripped):
            day = self._day_of(message.snapshot_id)
            self.report.take(message, day)
            self.trips.setdefault(message.agent, []).append((day, message))

    def take_record(self, record: Record) -> None:
        """Fold a record of `DAILY_TOPICS`; evaluations come first."""
        message = record.message_or_none()
        if isinstance(message, AgentEvaluation) and message.evaluation_id not in self._ids:
            self._ids.add(message.evaluation_id)
            self.evaluations.append(message)
            del self.evaluations[:-KEPT_MAX]
            self._evaluated.append((record.timestamp_ms, message.agent, message.as_of))
        elif isinstance(message, RiskAdjustment):
            begun = [
                as_of
                for at_ms, agent, as_of in self._evaluated
                if agent == message.agent and at_ms <= record.timestamp_ms
            ]
            adjustment = Adjustment(begun[-1] if begun else None, message)
            self.adjustments.append(adjustment)
            del self.adjustments[:-KEPT_MAX]

    def _day_of(self, snapshot_id: str) -> str:
        index = self.market.index.get(snapshot_id)
        return "" if index is None else f"{self.market.snapshots[index].as_of:%Y-%m-%d}"
