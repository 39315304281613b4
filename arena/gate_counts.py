"""Counts on how many snapshots an agent was asked, and what its gates saved. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from pydantic import JsonValue

from arena.gate_settings import OFF
from arena.messages import MISSED, SkippedFor, SkippedSnapshots, Turn


@dataclass(frozen=True, slots=True)
class GateFigures:
    """What an agent's gates did.

    Attributes:
        gates: The gates as settings, as in `arena.gate_settings.gates_text`; "off" without any.
        asked: Turns.
        skipped: `SkippedFor` -> snapshots on which the agent was not asked, by name.
        calls: Model calls of its turns.
        cost_usd: Their cost; None if a price is unknown.
    """

    gates: str = OFF
    asked: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    calls: int = 0
    cost_usd: Decimal | None = Decimal(0)

    @property
    def held_back(self) -> int:
        """Snapshots on which a gate or the cadence held the agent back."""
        return sum(count for reason, count in self.skipped.items() if reason not in MISSED)

    @property
    def calls_saved(self) -> float:
        """Estimate: as many calls as its turns had on average, on each of these snapshots."""
        return self.held_back * self.calls / self.asked if self.asked else 0.0

    @property
    def usd_saved(self) -> Decimal | None:
        """Estimate in the same way, to a millionth of a dollar; None if a price is unknown."""
        if self.cost_usd is None:
            return None
        saved = self.cost_usd * self.held_back / self.asked if self.asked else Decimal(0)
        return saved.quantize(Decimal("0.000001"))

    def document(self) -> dict[str, JsonValue]:
        """The figures as JSON: settings, asked, skipped by reason, and what was saved."""
        usd = self.usd_saved
        return {
            "settings": self.gates,
            "asked": self.asked,
            "skipped": dict(self.skipped),
            "calls_saved_estimate": round(self.calls_saved, 1),
            "usd_saved_estimate": None if usd is None else f"{usd:f}",
        }

    @property
    def skipped_text(self) -> str:
        """The reasons with their counts: "every 12, no_move 30"; "none" without any."""
        return reasons_text(self.skipped)

    @property
    def saved_text(self) -> str:
        """The estimate in words: "about 42 calls, $0.13"; "" if the gates are off."""
        return "" if self.gates == OFF else saved_text(self.calls_saved, self.usd_saved)


def total_saved(figures: Iterable[GateFigures]) -> tuple[int, float, Decimal | None]:
    """Agents with gates, and the calls and dollars that all of these saved.

    The dollars are None if a price is unknown.
    """
    gated = [one for one in figures if one.gates != OFF]
    known = [usd for one in gated if (usd := one.usd_saved) is not None]
    usd = sum(known, Decimal(0)) if len(known) == len(gated) else None
    return len(gated), sum(one.calls_saved for one in gated), usd


def reasons_text(skipped: Mapping[str, int]) -> str:
    """Reasons with their counts: "every 12, no_move 30"; "none" without any."""
    return ", ".join(f"{reason} {count:,}" for reason, count in skipped.items()) or "none"


def saved_text(calls: float, usd: Decimal | None) -> str:
    """An estimate of what was saved, in words: "about 42 calls, $0.13"."""
    dollars = "cost unknown" if usd is None else f"${usd:.2f}"
    return f"about {calls:,.0f} calls, {dollars}"


def skipped_by_reason(recorded: Mapping[str, int], missed: int) -> dict[str, int]:
    """Reason -> skipped snapshots, sorted by reason.

    Args:
        recorded: The sums of an agent's `SkippedSnapshots`.
        missed: The sum of `skipped_snapshots` over its turns: an agent without gates, and older
            versions, record only that.
    """
    found = Counter(recorded)
    known = sum(count for reason, count in found.items() if reason in MISSED)
    found[str(SkippedFor.BUSY)] += max(0, missed - known)
    return {reason: count for reason, count in sorted(found.items()) if count}


@dataclass(slots=True)
class SkipFold:
    """The sums of an agent's `SkippedSnapshots`; a copy from a process that lost it is ignored.

    Attributes:
        counts: Reason -> snapshots.
        newest: Offset of the newest snapshot in them; -1 for none.
        as_of: Venue time of the newest record.
    """

    counts: dict[str, int] = field(default_factory=dict)
    newest: int = -1
    as_of: datetime | None = None

    def take(self, skipped: SkippedSnapshots) -> bool:
        """Add a record; False if an earlier one covers its snapshots."""
        if not covers_new_snapshots(skipped, self.newest, self.as_of):
            return False
        self.newest, self.as_of = skipped.snapshot_offset, skipped.as_of
        for reason, count in skipped.counts.items():
            self.counts[reason] = self.counts.get(reason, 0) + count
        return True


def covers_new_snapshots(skipped: SkippedSnapshots, newest: int, as_of: datetime | None) -> bool:
    """True if a record is about snapshots after those that are covered.

    Older offsets with a newer venue time mean that the topic was created again.

    Args:
        skipped: The record.
        newest: Offset of the newest covered snapshot; -1 for none.
        as_of: Venue time of the newest record that covers it.
    """
    if skipped.first_offset > newest:
        return True
    return skipped.snapshot_offset < newest and as_of is not None and skipped.as_of > as_of


@dataclass(slots=True)
class GateFold:
    """Turns and skipped snapshots of one agent.

    Attributes:
        asked, missed, calls: Turns, snapshots that they missed, and their model calls.
        cost_usd: Cost of the calls; None if a price is unknown.
    """

    asked: int = 0
    missed: int = 0
    calls: int = 0
    cost_usd: Decimal | None = Decimal(0)
    skips: SkipFold = field(default_factory=SkipFold)

    def ended(self, turn: Turn) -> None:
        """Add a turn; the caller leaves out copies."""
        self.asked += 1
        self.missed += turn.skipped_snapshots
        self.calls += len(turn.rounds)
        cost = turn.usage.cost_usd
        if cost is None and (turn.scripted or not turn.rounds):
            cost = Decimal(0)
        total = self.cost_usd
        self.cost_usd = None if cost is None or total is None else total + cost

    def figures(self, gates: str) -> GateFigures:
        """The figures, with the settings as text."""
        skipped = skipped_by_reason(self.skips.counts, self.missed)
        return GateFigures(gates, self.asked, skipped, self.calls, self.cost_usd)
