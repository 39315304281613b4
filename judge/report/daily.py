"""Daily reports: what each entry did on each day of market time, and what limits did to it. Pure.

A day begins with the equity at its first snapshot and ends with that at the first one of the next
day, so the days' profits add up to the season's.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np

from arena.currency import cash_digits
from arena.messages import AgentEvaluation, RiskLimitsSet
from arena.money import SCALE, decimal_text
from arena.risk_report import RiskDay
from judge.report.daily_fold import Adjustment, DailyFold
from judge.season import Season

FORMAT = 1
REFUSED_MAX = 50
"""Refused orders of an entry and day that are listed one by one; the others are counted."""
DETAIL_CHARS_MAX = 300

Document = dict[str, Any]  # Any: a JSON tree.


@dataclass(frozen=True, slots=True)
class DailyReport:
    """One entry on one day.

    Attributes:
        day: The UTC day, "2026-01-31".
        snapshots: Snapshots of the day.
        decisions, held, aborted, skipped: Turns with a decision, those of them without an order,
            turns that were cut off, and snapshots that were missed.
        orders, fills, exits: Orders of the turns; what was filled; fills of exits among these.
        refused: Reason -> refused orders.
        refused_details: The first of them.
        enforcement: What limits did to the orders.
        tripped: Limit of loss -> breaches.
        limits: The limits in force at the end of the day; None for none.
        adjustments: The cuts of its limits that were in force on the day.
        evaluations: The judge's evaluations of the day.
        begin, end: Equity at its first snapshot, and after its last one.
        exposure, exposure_max: Share of equity in positions at its end, and the largest one.
        tokens: Tokens of the turns' model calls.
        llm_usd: Their cost; None if a price is unknown.
    """

    agent: str
    day: str
    snapshots: int
    decisions: int
    held: int
    aborted: int
    skipped: int
    orders: int
    fills: int
    exits: int
    refused: Mapping[str, int]
    refused_details: tuple[Document, ...]
    enforcement: RiskDay
    tripped: Mapping[str, int]
    limits: RiskLimitsSet | None
    adjustments: tuple[Adjustment, ...]
    evaluations: tuple[AgentEvaluation, ...]
    begin: float
    end: float
    exposure: float | None
    exposure_max: float | None
    tokens: int
    llm_usd: Decimal | None

    @property
    def profit(self) -> float:
        """Equity at the end less that at the begin."""
        return self.end - self.begin

    @property
    def change(self) -> float | None:
        """Return of the day; None without equity."""
        return self.end / self.begin - 1 if self.begin > 0 else None

    def document(self, digits: int) -> Document:
        """The JSON fields; amounts have `digits` decimals."""
        limits = self.limits
        return {
            "agent": self.agent,
            "day": self.day,
            "snapshots": self.snapshots,
            "decisions": self.decisions,
            "held": self.held,
            "aborted": self.aborted,
            "skipped_snapshots": self.skipped,
            "tokens": self.tokens,
            "llm_usd": None if self.llm_usd is None else decimal_text(self.llm_usd),
            "orders": self.orders,
            "fills": self.fills,
            "exits": self.exits,
            "refused": dict(sorted(self.refused.items())),
            "refused_details": [*self.refused_details],
            "limit_enforcement": self.enforcement.document(),
            "tripped": dict(sorted(self.tripped.items())),
            "risk_limits": None
            if limits is None or not limits.limits
            else {"preset": limits.preset, "set_by": limits.set_by, "limits": limits.limits},
            "risk_adjustments": [_adjustment(one) for one in self.adjustments],
            "judge_feedback": [_evaluation(one) for one in self.evaluations],
            "equity_begin": f"{self.begin:.{digits}f}",
            "equity_end": f"{self.end:.{digits}f}",
            "profit": f"{self.profit:.{digits}f}",
            "return_pct": _percent(self.change),
            "exposure_pct": _percent(self.exposure),
            "exposure_max_pct": _percent(self.exposure_max),
        }


def daily_document(run: str, season: Season, reports: Sequence[DailyReport]) -> Document:
    """The whole of `daily.json`."""
    currency = season.assumptions.currency
    return {
        "format": FORMAT,
        "run": run,
        "unit": "wealth index" if season.parts else currency,
        "days": [one.document(cash_digits(currency)) for one in reports],
    }


def daily_reports(season: Season, fold: DailyFold) -> tuple[DailyReport, ...]:
    """The reports of all entries and days, by day and then by entry.

    Args:
        season: The whole season.
        fold: What it does not have.
    """
    days = season.times[: season.periods].astype("datetime64[D]")
    found, begins = np.unique(days, return_index=True)
    ends = [*begins[1:], season.periods]
    spans = [(str(day), int(a), int(b)) for day, a, b in zip(found, begins, ends, strict=True)]
    own = [_Own(season, n, fold) for n in range(len(season.entries))]
    return tuple(one.report(*span) for span in spans for one in own)


class _Own:
    """The records of one entry, by day."""

    def __init__(self, season: Season, n: int, fold: DailyFold) -> None:
        self._season, self._n, self._fold = season, n, fold
        self._agent = season.names[n]
        self._exposures = _exposures(season, n)
        self._evaluations = [one for one in fold.evaluations if one.agent == self._agent]
        self._adjustments = [one for one in fold.adjustments if one.record.agent == self._agent]
        self._turns = _by_index(season.decisions[n])
        self._fills = _by_index(season.fills[n])
        self._rejections = _by_index(season.rejections[n])

    def report(self, day: str, begin: int, end: int) -> DailyReport:
        """The report of the snapshots from `begin` to before `end`."""
        season, n, indices = self._season, self._n, range(begin, end)
        turns = [one for index in indices for one in self._turns.get(index, ())]
        fills = [one for index in indices for one in self._fills.get(index, ())]
        refused = [one for index in indices for one in self._rejections.get(index, ())]
        costs = [one.cost_usd for one in turns]
        known = [cost for cost in costs if cost is not None]
        exposures = [one for one in self._exposures[begin + 1 : end + 1] if one is not None]
        trips = [trip.limit for at, trip in self._fold.trips.get(self._agent, ()) if at == day]
        return DailyReport(
            agent=self._agent,
            day=day,
            snapshots=len(indices),
            decisions=sum(one.decided for one in turns),
            held=sum(one.held for one in turns),
            aborted=sum(one.outcome == "aborted" for one in turns),
            skipped=sum(one.skipped for one in turns),
            orders=sum(one.orders for one in turns),
            fills=len(fills),
            exits=sum(one.is_exit for one in fills),
            refused=Counter(str(one.reason) for one in refused),
            refused_details=tuple(_refused(one) for one in refused[:REFUSED_MAX]),
            enforcement=self._fold.report.days.get((self._agent, day), RiskDay()),
            tripped=Counter(trips),
            limits=self._limits_at(end - 1),
            adjustments=tuple(one for one in self._adjustments if _is_on(one, day)),
            evaluations=tuple(one for one in self._evaluations if f"{one.as_of:%Y-%m-%d}" == day),
            begin=float(season.equity[begin, n]),
            end=float(season.equity[end, n]),
            exposure=self._exposures[end],
            exposure_max=max(exposures, default=None),
            tokens=sum(one.prompt_tokens + one.completion_tokens for one in turns),
            llm_usd=sum(known, Decimal(0)) if len(known) == len(costs) else None,
        )

    def _limits_at(self, index: int) -> RiskLimitsSet | None:
        """The limits that were set last, up to a snapshot."""
        limits = self._fold.limits.get(self._agent, ())
        return next((one for at, one in reversed(limits) if at <= index), None)


def _by_index(rows: Sequence[Any]) -> dict[int, list[Any]]:  # Any: rows with an index
    found: dict[int, list[Any]] = {}
    for row in rows:
        found.setdefault(row.index, []).append(row)
    return found


def _exposures(season: Season, n: int) -> list[float | None]:
    """The share of an entry's equity in positions, at each snapshot and the end."""
    held, equity = season.exposure[:, n, :].sum(axis=1), season.equity[:, n]
    return [float(a / b) if b > 0 else None for a, b in zip(held, equity, strict=True)]


def _refused(order: Any) -> Document:  # Any: a `RejectedOrder`
    quantity = None if order.quantity is None else Decimal(order.quantity) / SCALE
    return {
        "at": _time(order.as_of),
        "product_id": order.product_id,
        "side": order.side,
        "quantity": None if quantity is None else decimal_text(quantity),
        "reason": str(order.reason),
        "detail": order.detail[:DETAIL_CHARS_MAX],
    }


def _adjustment(one: Adjustment) -> Document:
    return {
        "factor": decimal_text(one.record.factor),
        "begins_at": None if one.begins_at is None else _time(one.begins_at),
        "expires_at": _time(one.record.expires_at),
        "reason": one.record.reason,
        "by": one.record.by,
    }


def _evaluation(one: AgentEvaluation) -> Document:
    judged = one.judged
    return {
        "as_of": _time(one.as_of),
        "cause": one.cause,
        "overall": one.overall,
        "grade": one.grade,
        "trend": one.trend,
        "scores": {name: dimension.score for name, dimension in sorted(one.dimensions.items())},
        "failed_checks": {
            name: len(turns) for name, turns in sorted(one.failed_turns.items()) if turns
        },
        "judged": None if judged is None else {"node": judged.node, "credit": judged.credit},
        "notes": [*one.notes],
    }


def _is_on(one: Adjustment, day: str) -> bool:
    """True if a cut is in force on a part of the day."""
    first = date.min if one.begins_at is None else one.begins_at.date()
    return first <= date.fromisoformat(day) <= one.record.expires_at.date()


def _percent(share: float | None) -> float | None:
    return None if share is None else round(share * 100, 4)


def _time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
