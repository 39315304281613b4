"""Drawdowns beyond a limit, from the equity curves of the read model. Pure.

A drawdown begins at a peak of the curve, which starts with the opening cash. It is reported once
per peak: the next one needs a higher peak. The view keeps the newest snapshots only, so the highest
peak that has left its window is remembered (`Peak`), and saved with the state of the alerts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from arena.account_state import Account
from arena.currency import cash_digits
from arena.money import from_units
from dashboard.alerts.texts import plain_name
from dashboard.model.equity_curves import Value
from dashboard.model.view import ArenaView
from dashboard.model.wealth import INDEX_ONE

SETTLE_S = 2.0
"""Snapshots younger than this are left out: fills that count at them may not be read yet."""
AGENTS_MAX = 1_000


class Peak(BaseModel):
    """The highest equity of an account so far, of that which is remembered.

    Attributes:
        opened_ms: When the account was opened, Unix milliseconds: another account has other peaks.
        value: Equity in units of 10^-8; with several currencies, the wealth index.
        at_ms: Venue time of its snapshot, Unix milliseconds; 0 for the opening cash.
    """

    model_config = ConfigDict(frozen=True)

    opened_ms: int
    value: int
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Drawdown:
    """One fall of an account below a peak by at least the limit.

    Attributes:
        peak: Equity at the peak.
        peak_ms: Venue time of the peak, Unix milliseconds.
        low: Lowest equity since the peak.
        is_over: True if the equity is above the limit again, or has reached a new peak.
    """

    agent: str
    peak: int
    peak_ms: int
    low: int
    is_over: bool

    @property
    def share(self) -> Decimal:
        """The share lost from the peak."""
        return 1 - Decimal(self.low) / Decimal(self.peak)


class DrawdownFold:
    """Finds drawdowns, and remembers the peaks before the kept snapshots.

    Attributes:
        peaks: Agent -> the highest peak in the older half of the snapshots that were kept, and of
            all drawdowns that were found.
    """

    def __init__(self, peaks: dict[str, Peak] | None = None) -> None:
        """Take the peaks of an earlier process."""
        self.peaks = dict(peaks or {})

    def find(self, view: ArenaView, limit: Decimal, now: datetime) -> list[Drawdown]:
        """The drawdowns since the remembered peaks, the newest of each agent last.

        Args:
            view: The view.
            limit: Share of a peak, more than 0.
            now: Wall time by the broker's clock.
        """
        settled_ms = int((now - timedelta(seconds=SETTLE_S)).timestamp() * 1_000)
        young = 0
        for point in reversed(view.snapshots.points):
            if point.published_ms <= settled_ms:
                break
            young += 1
        found: list[Drawdown] = []
        for agent, account in view.accounts.by_agent.items():
            if view.is_shadow(agent):
                continue
            values = view.accounts.values(agent, view.snapshots)
            values = values[: len(values) - young]
            opened_ms = view.accounts.curves[agent].opened_ms
            start = self.peaks.get(agent)
            if start is None or start.opened_ms != opened_ms:
                start = Peak(opened_ms=opened_ms, value=_opening(view, agent, account))
            drawdowns = falls(agent, start, values, limit)
            found += drawdowns
            self._remember(agent, start, values[: len(values) // 2], drawdowns)
        return found

    def _remember(
        self, agent: str, start: Peak, old: Iterable[Value], found: Iterable[Drawdown]
    ) -> None:
        """Remember peaks that will leave the window, and those of drawdowns that were found."""
        pairs = [(value, ms) for ms, value in old if value is not None and ms > start.at_ms]
        pairs += [(one.peak, one.peak_ms) for one in found]
        value, ms = max(pairs, default=(0, 0))
        if value <= start.value or (agent not in self.peaks and len(self.peaks) >= AGENTS_MAX):
            return
        self.peaks[agent] = Peak(opened_ms=start.opened_ms, value=value, at_ms=ms)


def falls(agent: str, start: Peak, values: Sequence[Value], limit: Decimal) -> list[Drawdown]:
    """Every fall below a peak by at least the limit, oldest first.

    Args:
        agent: Name of the agent.
        start: The highest equity before; values up to its venue time are left out, unless the
            venue's time has gone back.
        values: Venue time and equity; None is left out.
        limit: Share of the peak.
    """
    found: list[Drawdown] = []
    kept = 1 - limit
    peak, peak_ms = start.value, start.at_ms
    skip_to = peak_ms if values and values[-1][0] >= peak_ms else 0
    low, bound, value = peak, peak * kept, peak
    for ms, equity in values:
        if equity is None or ms <= skip_to:
            continue
        value = equity
        if value > peak:
            if low <= bound:
                found.append(Drawdown(agent, peak, peak_ms, low, is_over=True))
            peak, peak_ms, low, bound = value, ms, value, value * kept
        elif value < low:
            low = value
    if low <= bound:
        found.append(Drawdown(agent, peak, peak_ms, low, is_over=value > bound))
    return [one for one in found if one.peak > 0]


def drawdown_text(one: Drawdown, limit: Decimal, view: ArenaView) -> str:
    """The sentence about a drawdown."""
    name, share = plain_name(one.agent), f"{one.share:.1%}"
    percent = f"{(limit * 100).normalize():f}%"
    if view.accounts.wallets(one.agent):
        low, peak = (f"{Decimal(value) / INDEX_ONE:.4f}" for value in (one.low, one.peak))
        amounts = f"from a wealth index of {peak} to {low}"
    else:
        digits = cash_digits(view.currency)
        low, peak = (f"{from_units(value):,.{digits}f}" for value in (one.low, one.peak))
        amounts = f"from {peak} to {low} {view.currency}"
    return f"{name} lost {share} of its peak equity, {amounts}; the limit is {percent}"


def _opening(view: ArenaView, agent: str, account: Account) -> int:
    return INDEX_ONE if view.accounts.wallets(agent) else account.opening
