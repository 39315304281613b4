"""Compares the fold of the log, the books and the dashboard, figure by figure. Pure.

A figure is an account and a unit, such as the cash of momentum in USDT, or a total of an agent,
such as its fees. Amounts are whole units of 10^-8.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from arena.account_state import Account
from arena.accounts import Shard
from arena.money import units_text
from arena.plural import counted
from arena.products import base_of
from arena.shards import accounts_by_currency, main_currency

COUNT = "count"
HOUSE = "house"


class FigureKey(NamedTuple):
    """Identifies a figure; `owner` is an agent or "house"."""

    owner: str
    what: str
    unit: str


Figures = Mapping[FigureKey, int]


@dataclass(frozen=True, slots=True)
class FigureComparison:
    """One figure in the log, the books and the dashboard; None if the dashboard does not show it.

    Attributes:
        fold: Its value in the fold of the log, up to the offset of the books.
        dashboard_fold: Its value in the fold, up to the offset of the dashboard.
    """

    key: FigureKey
    fold: int
    books: int
    dashboard: int | None = None
    dashboard_fold: int | None = None
    threshold: int = 0

    @property
    def books_drift(self) -> int:
        """How much more the books show than the log."""
        return self.books - self.fold

    @property
    def dashboard_drift(self) -> int:
        """How much more the dashboard shows than the log."""
        if self.dashboard is None or self.dashboard_fold is None:
            return 0
        return self.dashboard - self.dashboard_fold

    @property
    def drifts(self) -> bool:
        """True if the books or the dashboard differ by more than the threshold."""
        return max(abs(self.books_drift), abs(self.dashboard_drift)) > self.threshold

    def differences(self) -> str:
        """Say which of the two differs, and by how much."""
        found = []
        for source, drift in (("books", self.books_drift), ("dashboard", self.dashboard_drift)):
            if abs(drift) > self.threshold:
                found.append(f"{source} {amount(drift, self.key.unit, signed=True)}")
        return ", ".join(found)


def amount(units: int, unit: str, *, signed: bool = False) -> str:
    """Format a figure: a count as it is, whole units of 10^-8 as a decimal."""
    text = str(units) if unit == COUNT else units_text(units)
    return f"+{text}" if signed and units > 0 else text


def fold_figures(shards: Mapping[int, Shard]) -> dict[FigureKey, int]:
    """Return the figures of the fold; amounts of different currencies are different figures."""
    found: dict[FigureKey, int] = {}
    for shard in shards.values():
        main = main_currency(shard)
        for (name, unit), units in shard.house.items():
            _add(found, figure_key(name, unit), units)
        for agent, currency, account in accounts_by_currency(shard):
            for key, units in _agent_figures(agent, account, currency, main):
                _add(found, key, units)
    return found


def is_plain(product_id: str, currency: str) -> bool:
    """True if a product is the only one in its asset: "BTC-USD" if main accounts hold USD."""
    return product_id == f"{base_of(product_id)}-{currency}"


def position_unit(product_id: str, currency: str) -> str:
    """Return the unit of a position's figure: its asset, or the product if others have that asset.

    Args:
        product_id: Such as "BTC-USD" or "binance:BTCUSDT".
        currency: The currency of main accounts.
    """
    return base_of(product_id) if is_plain(product_id, currency) else product_id


def figure_key(account: str, unit: str) -> FigureKey:
    """Return the figure of an account, from its name in postings."""
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
    """Compare every figure that any of the three has, agents first, then the house.

    Args:
        fold: The fold of the log up to the offset of the books.
        books: The figures in the books.
        dashboard: The figures that the dashboard shows; one that it does not show is not compared.
        dashboard_fold: The fold of the log up to the offset of the dashboard.
        threshold: The largest difference of amounts to ignore, in whole units of 10^-8.
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


def _agent_figures(
    agent: str, account: Account, currency: str, main: str
) -> list[tuple[FigureKey, int]]:
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
        unit = position_unit(product_id, main)
        figures.append((FigureKey(agent, "position", unit), held.quantity))
    return figures


def _add(found: dict[FigureKey, int], key: FigureKey, units: int) -> None:
    found[key] = found.get(key, 0) + units


def events_behind(ends: Mapping[int, int], booked: Mapping[int, int]) -> int:
    """Return how many offsets of `account.events` are not in the books yet.

    Args:
        ends: Shard -> the end offset of its log.
        booked: Shard -> the booked offset.
    """
    return sum(max(0, end - booked.get(shard, 0)) for shard, end in ends.items())


def behind_text(behind: int) -> str:
    """Say that the books lack the newest events, with the remedy; "" if they are complete."""
    if not behind:
        return ""
    events = counted(behind, "event")
    return f"the books are {events} behind the log; `arena ledger rebuild` posts what is missing"
