"""Counts what limits of risk did, per agent and UTC day, from the records of the account log. Pure.

An order counts once, by the verdict in its first record, or in a later one that cut or rejected it.
Days are in venue time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from pydantic import JsonValue

from arena.messages import OrderDecided, RiskLimitsSet, RiskTripped
from arena.messages.orders import EXIT_TYPES
from arena.money import decimal_text
from arena.risk_limits import RiskLimits

DETAILS_MAX: Final = 50
"""Blocked orders of an agent and day that are listed one by one; the others are counted."""
DETAIL_CHARS_MAX: Final = 300


@dataclass(slots=True)
class ExitCounts:
    """Exits of an agent: placed, filled after their condition was met, cancelled."""

    armed: int = 0
    fired: int = 0
    cancelled: int = 0

    def document(self) -> dict[str, JsonValue]:
        """The JSON fields."""
        return {"armed": self.armed, "fired": self.fired, "cancelled": self.cancelled}


@dataclass(slots=True)
class RiskCounts:
    """What limits did to the orders of an agent.

    Attributes:
        approved, adjusted: Numbers of orders.
        rejected, cut: Limit -> number of orders that it rejected, or cut.
        near: Limit -> number of approved orders at more than 80 % of it.
        unknown: Limit -> number of orders for which it could not be measured.
        tripped: Limit of loss -> number of breaches.
        settings: Limits that were set, in words -> how often; judges and reports count them.
    """

    approved: int = 0
    adjusted: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)
    near: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    tripped: dict[str, int] = field(default_factory=dict)
    settings: dict[str, int] = field(default_factory=dict)

    def add(self, other: "RiskCounts") -> None:
        """Add other counts."""
        self.approved += other.approved
        self.adjusted += other.adjusted
        for name in ("rejected", "cut", "near", "unknown", "tripped", "settings"):
            mine: dict[str, int] = getattr(self, name)
            for limit, count in getattr(other, name).items():
                mine[limit] = mine.get(limit, 0) + count

    @property
    def blocked(self) -> int:
        """Number of rejected orders."""
        return sum(self.rejected.values())

    def document(self) -> dict[str, JsonValue]:
        """The JSON fields."""
        return {
            "approved": self.approved,
            "adjusted": self.adjusted,
            "rejected": dict(sorted(self.rejected.items())),
            "cut": dict(sorted(self.cut.items())),
            "near": dict(sorted(self.near.items())),
            "unknown": dict(sorted(self.unknown.items())),
            "tripped": dict(sorted(self.tripped.items())),
            "settings": dict(self.settings),
        }


def setting_words(event: RiskLimitsSet) -> str:
    """The limits that a record sets: "standard", "standard, changed, by request"."""
    words = event.preset or "custom"
    if not event.limits:
        words = "off"
    elif event.preset and RiskLimits.of_preset(event.preset).as_json() != event.limits:
        words += ", changed"
    if event.set_by == "request":
        words += ", by request"
    return f"{words}, breach lifted" if event.lift else words


@dataclass(slots=True)
class RiskDay:
    """One agent on one day.

    Attributes:
        counts: What limits did.
        details: The first blocked and cut orders, `DETAILS_MAX` at most.
    """

    counts: RiskCounts = field(default_factory=RiskCounts)
    details: list[dict[str, JsonValue]] = field(default_factory=list)

    def document(self) -> dict[str, JsonValue]:
        """The JSON fields of a day's limit enforcement."""
        counts = self.counts
        breakdown = dict(counts.rejected)
        for limit, count in counts.cut.items():
            breakdown[limit] = breakdown.get(limit, 0) + count
        return {
            "approved": counts.approved,
            "adjusted": counts.adjusted,
            **{f"trades_blocked_by_{k}": n for k, n in sorted(counts.rejected.items())},
            "risk_block_breakdown": dict(sorted(breakdown.items())),
            "risk_limit_hints": dict(sorted(counts.near.items())),
            "blocked_details": [*self.details],
        }


@dataclass(slots=True)
class RiskReport:
    """What limits did in an arena.

    Attributes:
        days: (agent, UTC day) -> its orders.
        exits: Agent -> its exits.
        settings: Agent -> the limits that were set for it, in words -> how often.
    """

    days: dict[tuple[str, str], RiskDay] = field(default_factory=dict)
    exits: dict[str, ExitCounts] = field(default_factory=dict)
    settings: dict[str, dict[str, int]] = field(default_factory=dict)

    def take(self, event: object, day: str = "") -> None:
        """Count a record that the fold of the account log counted; other messages do nothing.

        Args:
            event: The message.
            day: The day that it belongs to; "" for that of its prices, or of its own time.
        """
        if isinstance(event, OrderDecided):
            self._note_exit(event)
            if event.risk is not None:
                self._note_verdict(event, day)
        elif isinstance(event, RiskLimitsSet):
            own, words = self.settings.setdefault(event.agent, {}), setting_words(event)
            own[words] = own.get(words, 0) + 1
        elif isinstance(event, RiskTripped):
            counts = self._day(event.agent, day or f"{event.at:%Y-%m-%d}").counts
            counts.tripped[event.limit] = counts.tripped.get(event.limit, 0) + 1

    @property
    def agents(self) -> tuple[str, ...]:
        """Agents that limits were measured for, or that had exits; sorted."""
        return tuple(sorted({agent for agent, _ in self.days} | self.exits.keys()))

    def of_agent(self, agent: str) -> RiskCounts:
        """The sums of an agent."""
        found = RiskCounts(settings=dict(self.settings.get(agent, {})))
        for (name, _), day in self.days.items():
            if name == agent:
                found.add(day.counts)
        return found

    def document(self, agent: str | None = None) -> dict[str, JsonValue]:
        """The report as JSON.

        Args:
            agent: One agent, or None for all.

        Returns:
            agents: agent -> {"risk": counts, "exits": counts}; limit_enforcement: an entry per
            agent and day with trades_blocked_by_<limit>, risk_block_breakdown (rejected and cut by
            limit), risk_limit_hints (near misses by limit) and blocked_details.
        """
        return {
            "agents": {
                name: {
                    "risk": self.of_agent(name).document(),
                    "exits": self.exits.get(name, ExitCounts()).document(),
                }
                for name in self.agents
                if agent in (None, name)
            },
            "limit_enforcement": [*self._enforcement(agent)],
        }

    def _enforcement(self, only: str | None) -> Iterator[JsonValue]:
        for (agent, day), found in sorted(self.days.items(), key=lambda pair: pair[0]):
            if only in (None, agent):
                yield {"agent": agent, "day": day, **found.document()}

    def _day(self, agent: str, day: str) -> RiskDay:
        return self.days.setdefault((agent, day), RiskDay())

    def _note_exit(self, event: OrderDecided) -> None:
        if event.order_type not in EXIT_TYPES:
            return
        counts = self.exits.setdefault(event.agent, ExitCounts())
        if event.outcome == "accepted":
            counts.armed += 1
        elif event.outcome == "filled":
            counts.fired += 1
        elif event.outcome == "cancelled":
            counts.cancelled += 1

    def _note_verdict(self, event: OrderDecided, day_of_event: str) -> None:
        verdict = event.risk
        assert verdict is not None
        if event.step and verdict.decision == "approved":
            return
        at = event.at if event.used is None else event.used.event_time
        day = self._day(event.agent, day_of_event or f"{at:%Y-%m-%d}")
        counts = day.counts
        if verdict.decision == "rejected":
            counts.rejected[verdict.limit] = counts.rejected.get(verdict.limit, 0) + 1
        elif verdict.decision == "adjusted":
            counts.adjusted += 1
            counts.cut[verdict.limit] = counts.cut.get(verdict.limit, 0) + 1
        else:
            counts.approved += 1
        for check in verdict.checks:
            if check.state == "unknown":
                counts.unknown[check.limit] = counts.unknown.get(check.limit, 0) + 1
            elif check.state == "near" and verdict.decision == "approved":
                counts.near[check.limit] = counts.near.get(check.limit, 0) + 1
        if verdict.decision != "approved" and len(day.details) < DETAILS_MAX:
            traded = "0" if event.quantity is None else decimal_text(event.quantity)
            day.details.append(
                {
                    "at": at.isoformat().replace("+00:00", "Z"),
                    "product_id": event.product_id,
                    "side": event.action,
                    "decision": verdict.decision,
                    "limit": verdict.limit,
                    "asked": decimal_text(verdict.asked),
                    "allowed": traded if verdict.decision == "adjusted" else "0",
                    "detail": event.detail[:DETAIL_CHARS_MAX],
                }
            )
