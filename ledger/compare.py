"""Fold, books and read model side by side: which figures differ, and by how much. Pure.

A figure is an account and a unit, such as cash of momentum in USDT, or something counted of an
agent, such as its fees. Amounts are whole units of 10^-8.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from arena.account_state import Account
from arena.accounts import CAPITAL, Shard
from arena.currency import DEFAULT_CURRENCY
from arena.money import units_text
from arena.plural import counted

COUNT = "count"
HOUSE = "house"


class FigureKey(NamedTuple):
    """What a figure is of: `owner` is an agent or "house"."""

    owner: str
    what: str
    unit: str


Figures = Mapping[FigureKey, int]


@dataclass(frozen=True, slots=True)
class FigureComparison:
    """One figure in the three places; None where a place does not tell it.

    Attributes:
        fold: Of the log up to where the books stand. dashboard_fold: up to where the dashboard
            stands.
    """

    key: FigureKey
    fold: int
    books: int
    dashboard: int | None = None
    dashboard_fold: int | None = None
    threshold: int = 0

    @property
    def books_drift(self) -> int:
        """What the books have too much."""
        return self.books - self.fold

    @property
    def dashboard_drift(self) -> int:
        """What the read model has too much."""
        if self.dashboard is None or self.dashboard_fold is None:
            return 0
        return self.dashboard - self.dashboard_fold

    @property
    def drifts(self) -> bool:
        """True where a place differs by more than the threshold."""
        return max(abs(self.books_drift), abs(self.dashboard_drift)) > self.threshold

    def words(self) -> str:
        """Which place differs, and by how much."""
        found = []
        for place, drift in (("books", self.books_drift), ("dashboard", self.dashboard_drift)):
            if abs(drift) > self.threshold:
                found.append(f"{place} {amount(drift, self.key.unit, signed=True)}")
        return ", ".join(found)


def amount(units: int, unit: str, *, signed: bool = False) -> str:
    """A figure as it is read: a count as it is, else whole units of 10^-8 as a decimal."""
    text = str(units) if unit == COUNT else units_text(units)
    return f"+{text}" if signed and units > 0 else text


def fold_figures(shards: Mapping[int, Shard]) -> dict[FigureKey, int]:
    """The figures of the fold; positions in several quotes of one currency are one figure."""
    found: dict[FigureKey, int] = {}
    for shard in shards.values():
        currency = accounts_currency(shard.house)
        for (name, unit), units in shard.house.items():
            _add(found, figure_key(name, unit), units)
        for agent, account in shard.accounts.items():
            for key, units in _agent_figures(agent, account, currency):
                _add(found, key, units)
    return found


def accounts_currency(accounts: Iterable[tuple[str, str]]) -> str:
    """The currency of the accounts, from the names and units of what was posted to."""
    return min((unit for name, unit in accounts if name == CAPITAL), default=DEFAULT_CURRENCY)


def figure_key(account: str, unit: str) -> FigureKey:
    """The figure of an account by its name in postings."""
    owner, _, rest = account.partition("/")
    if owner == "agent" and "/" in rest:
        agent, _, what = rest.rpartition("/")
        return FigureKey(agent, what, unit)
    return FigureKey(HOUSE, rest or account, unit)


def compare(
    fold: Figures,
    books: Figures,
    dashboard: Figures,
    dashboard_fold: Figures,
    threshold: int = 0,
) -> list[FigureComparison]:
    """Every figure that one of the places tells, agents first, then the house.

    Args:
        fold: Up to where the books stand.
        books: What they hold.
        dashboard: What the read model tells; a figure it does not tell is not held against it.
        dashboard_fold: The fold up to where the read model stands.
        threshold: In whole units of 10^-8: a difference of amounts up to it is none.
    """
    keys = sorted({*fold, *books, *dashboard}, key=lambda k: (k.owner == HOUSE, *k))
    return [
        FigureComparison(
            key,
            fold.get(key, 0),
            books.get(key, 0),
            dashboard.get(key),
            dashboard_fold.get(key, 0) if key in dashboard else None,
            0 if key.unit == COUNT else threshold,
        )
        for key in keys
    ]


def _agent_figures(agent: str, account: Account, currency: str) -> list[tuple[FigureKey, int]]:
    figures = [
        (FigureKey(agent, "cash", currency), account.cash),
        (FigureKey(agent, "fees", currency), account.fees),
        (FigureKey(agent, "realised", currency), account.realised),
        (FigureKey(agent, "slippage", currency), account.slippage),
        (FigureKey(agent, "fills", COUNT), account.fills),
        (FigureKey(agent, "rejections", COUNT), account.rejections),
    ]
    if account.scraped:
        figures.append((FigureKey(agent, "scraped", currency), account.scraped))
    for product_id, held in account.positions.items():
        unit = product_id.split("-")[0]
        figures.append((FigureKey(agent, "position", unit), held.quantity))
    return figures


def _add(found: dict[FigureKey, int], key: FigureKey, units: int) -> None:
    found[key] = found.get(key, 0) + units


def events_behind(ends: Mapping[int, int], booked: Mapping[int, int]) -> int:
    """How many offsets of `account.events` the books do not hold yet.

    Args:
        ends: Shard -> where its log ends.
        booked: Shard -> where the books stand.
    """
    return sum(max(0, end - booked.get(shard, 0)) for shard, end in ends.items())


def behind_text(behind: int) -> str:
    """That the books lack the newest events, and the remedy; "" if they do not."""
    if not behind:
        return ""
    events = counted(behind, "event")
    return f"the books are {events} behind the log; `arena ledger rebuild` posts what is missing"
