"""A trial by shadow agents in a running arena: how far it is, and what it found. Pure.

The result is a function of `market.snapshots`, `account.events` and the shadow agents' turns: of
the first N snapshots that every arm answered. So every computation gives the same result, also
after a kill; slow or gated agents take longer. N periods need N + 1 of these snapshots: a period is
from one to the next, and equity is that before the orders that answer a snapshot, at its bids.

A snapshot counts once every shadow agent has ended a turn on a later one, because orders may come
late.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np

from arena import topics
from arena.bus.base import Record
from arena.messages import (
    MarketSnapshot,
    TrialEnded,
    TrialInterval,
    TrialMarket,
    TrialStarted,
    Turn,
)
from arena.messages.coaching import REASON_CHARS_MAX
from arena.messages.trials import TRIAL_ARMS
from arena.pass_overs import PassedOver
from judge.evaluations.account_track import account_track
from judge.prompts.trial_arms import TurnPoints, arm_of
from judge.prompts.trial_result import TrialArm, TrialResult, judge_trial
from judge.season.accounts_fold import AccountsFold
from judge.season.assemble import SeasonFolds
from judge.season.market_fold import MarketFold
from judge.season.turns_fold import TurnsFold
from judge.season.types import log_returns
from judge.statistics.types import Interval

TRIAL_TOPICS: Final = (topics.SNAPSHOTS.name, topics.EVENTS.name, topics.TURNS.name)


@dataclass(frozen=True, slots=True)
class TrialProgress:
    """How far a trial is.

    Attributes:
        done: Snapshots that count.
        silent: Shadow agents that have not decided anything yet.
        snapshots: Snapshots that were read.
        interval_s: Wall seconds between two snapshots; None before the first.
    """

    done: int
    silent: tuple[str, ...]
    snapshots: int
    interval_s: float | None


class LiveTrial:
    """The fold of a trial; `apply` takes records of `TRIAL_TOPICS` in the order of each partition.

    `account.events` must be read from its beginning, the others from before the first turn.

    Args:
        started: The trial.
        passed_over: Account events that an operator has skipped.
    """

    def __init__(self, started: TrialStarted, passed_over: PassedOver) -> None:
        """Take the trial; `apply` folds its records."""
        self.started = started
        self._folds = SeasonFolds(market=MarketFold(), accounts=AccountsFold(), turns=TurnsFold())
        self._folds.accounts.pass_over(passed_over)
        self._names = frozenset(started.names)
        self._points = TurnPoints()

    def apply(self, record: Record) -> None:
        """Fold one record; a record of another agent's turn, or of another topic, does nothing."""
        if record.topic == topics.EVENTS.name:
            self._folds.accounts.apply(record)
        elif record.topic == topics.SNAPSHOTS.name:
            message = record.message_or_none()
            if isinstance(message, MarketSnapshot):
                self._folds.market.apply(record.partition, record.offset, message)
        elif record.topic == topics.TURNS.name and record.key_text in self._names:
            message = record.message_or_none()
            if isinstance(message, Turn):
                self._points.take(message)

    @property
    def as_of(self) -> datetime | None:
        """Venue time of the newest snapshot that was read."""
        snapshots = self._folds.market.snapshots
        return snapshots[-1].as_of if snapshots else None

    def progress(self) -> TrialProgress:
        """How far the trial is, as far as was read."""
        market = self._folds.market
        return TrialProgress(
            done=min(max(len(self._counted()) - 1, 0), self.started.snapshots),
            silent=tuple(name for name in self.started.names if not self._answered(name)),
            snapshots=len(market.snapshots),
            interval_s=market.interval_s / market.speed if market.snapshots else None,
        )

    def is_complete(self) -> bool:
        """True if all snapshots of the trial were played, and the one that ends it."""
        return len(self._counted()) > self.started.snapshots

    def ended(self, by: str) -> TrialEnded:
        """The result of a complete trial.

        Args:
            by: The sender.
        """
        counted = self._counted()[: self.started.snapshots + 1]
        end = self._folds.market.snapshots[counted[-1]]
        if broken := self._folds.accounts.broken:
            result = TrialResult("undecided", (next(iter(broken.values())),), len(counted) - 1)
        else:
            arms = {arm: self._arm(names, counted) for arm, names in self.started.arms.items()}
            ordered = [arms[name] for name in TRIAL_ARMS]
            result = judge_trial(*ordered, bound_pct=self.started.bound_pct)
        at = end.published_at
        return ended_of(result, self.started, "live", by=by, as_of=end.as_of, at=at)

    def stopped(self, reason: str, by: str, at: datetime) -> TrialEnded:
        """The end of a trial that was not played to its end.

        Args:
            reason: Why, one sentence.
            by: The sender.
            at: Wall time.
        """
        result = TrialResult("undecided", (reason,), self.progress().done)
        return ended_of(result, self.started, "live", by=by, as_of=self.as_of, at=at)

    def _arm(self, names: Sequence[str], counted: Sequence[int]) -> TrialArm:
        equity = [account_track(self._folds, name, counted[-1]).equity for name in names]
        at_counted = np.array(equity, dtype=np.float64).T[list(counted)]
        snapshots = [self._folds.market.snapshots[k].snapshot_id for k in counted[:-1]]
        return arm_of(log_returns(at_counted), self._points, snapshots, names)

    def _counted(self) -> list[int]:
        """Indices of the snapshots that every arm answered, and that no late order can change."""
        answered = {name: self._answered(name) for name in self.started.names}
        if not all(answered.values()):
            return []
        settled = min(max(own) for own in answered.values())
        arms = [
            set().union(*(answered[name] for name in names)) for names in self.started.arms.values()
        ]
        return sorted(k for k in set.intersection(*arms) if k < settled)

    def _answered(self, name: str) -> set[int]:
        """Indices of the snapshots that a shadow agent answered; a failed model did not."""
        index, own = self._folds.market.index, self._points.points.get(name, {})
        return {
            index[one] for one, points in own.items() if one in index and not math.isnan(points)
        }


def ended_of(
    result: TrialResult,
    started: TrialStarted,
    market: TrialMarket,
    *,
    by: str,
    as_of: datetime | None,
    at: datetime,
    run: str = "",
) -> TrialEnded:
    """The record of a result.

    Args:
        result: What the trial found.
        started: The trial; for a lock-step contest the names in its arms are not used.
        market: Where it ran.
        by: The sender.
        as_of: Venue time of its end.
        at: Wall time of its end.
        run: Run of the contest.
    """
    detectable = result.detectable_pct
    return TrialEnded(
        trial_id=started.trial_id,
        agent=started.agent,
        champion=started.champion,
        challenger=started.challenger,
        market=market,
        verdict=result.verdict,
        reasons=tuple(one[:REASON_CHARS_MAX] for one in result.reasons),
        periods=result.periods,
        repeats=started.repeats,
        return_pct=_interval(result.return_pct),
        quality=_interval(result.quality),
        noise_return_pct=_interval(result.noise_return_pct),
        noise_quality=_interval(result.noise_quality),
        detectable_pct=detectable if detectable is not None and math.isfinite(detectable) else None,
        run=run,
        by=by,
        as_of=as_of,
        at=at,
    )


def _interval(found: Interval | None) -> TrialInterval | None:
    if found is None or not all(map(math.isfinite, (found.estimate, found.low, found.high))):
        return None
    return TrialInterval(estimate=found.estimate, low=found.low, high=found.high)
