"""Situations made from recorded scenarios."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from arena import topics
from arena.alert_settings import ALERT_KINDS
from arena.bus.base import Record
from dashboard.alerts.conditions import Limits, Situation, find_alerts
from dashboard.alerts.drawdowns import DrawdownFold
from dashboard.alerts.drifts import DriftFold
from dashboard.alerts.found import Alert
from tests.dashboard.views import view_of

ALL = frozenset(ALERT_KINDS)


def limits(
    *kinds: str, drawdown: str = "0.2", budget_usd: str | None = None, feed_silent_s: float = 30.0
) -> Limits:
    """Limits; all kinds without a kind."""
    budget = None if budget_usd is None else Decimal(budget_usd)
    return Limits(frozenset(kinds) or ALL, Decimal(drawdown), feed_silent_s, budget)


def situation_of(
    records: Iterable[Record],
    now: datetime,
    chosen: Limits | None = None,
    *,
    stopping: bool = False,
) -> Situation:
    """What a process knows that has read these records."""
    drifts = DriftFold()
    others = []
    for record in records:
        if record.topic == topics.DRIFTS.name:
            drifts.apply(record)
        else:
            others.append(record)
    return Situation(
        view_of(others), drifts, DrawdownFold(), now, chosen or limits(), stopping=stopping
    )


def alerts_of(
    records: Iterable[Record],
    now: datetime,
    chosen: Limits | None = None,
    *,
    stopping: bool = False,
) -> list[Alert]:
    """The alerts that hold."""
    return find_alerts(situation_of(records, now, chosen, stopping=stopping))
