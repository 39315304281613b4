"""An agent's limits of risk with how near they are, and its open orders. Pure."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from arena.account_state import Account
from arena.money import PriceUnits, from_units, notional_units, to_digits
from arena.open_orders import AgentOrders, OpenOrder
from arena.risk_limits import RiskLimits
from arena.risk_report import ExitCounts, RiskCounts
from arena.risk_state import RiskState
from dashboard.model.accounts_view import AccountsView

DIGITS = 2
HUNDRED = Decimal(100)
NO_STATE = RiskState()


@dataclass(frozen=True, slots=True)
class LimitRow:
    """One limit that can be measured now.

    Attributes:
        value, threshold: Percent, or numbers of buys.
        used: How much of the limit is used, 1 at the limit; for least cash how near it is.
    """

    limit: str
    value: Decimal
    threshold: Decimal
    used: float


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An open order.

    Attributes:
        level: The bid at which an exit fires, or the limit; None for a time exit.
        distance_pct: From the bid to the level in percent; None without either.
        due: When it expires, or a time exit fires; None for never.
        filled: Base units so far.
    """

    order_id: str
    product_id: str
    order_type: str
    action: str
    quantity: int
    filled: int
    level: PriceUnits | None
    distance_pct: Decimal | None
    due: datetime | None


@dataclass(frozen=True, slots=True)
class RiskRow:
    """Limits of an agent's main account, what they did, and its orders that live.

    Attributes:
        preset: The preset in force; "custom" for other limits; "" without any.
        limits: The limits that can be measured now.
        tripped: The limit of loss after whose breach it may only sell; "" if it may buy.
        until: Venue time until then; None until it is lifted.
        counts, exits: What limits and exits did.
        orders: Open orders, in the order in which they were placed.
    """

    preset: str = ""
    limits: tuple[LimitRow, ...] = ()
    tripped: str = ""
    until: datetime | None = None
    counts: RiskCounts = field(default_factory=RiskCounts)
    exits: ExitCounts = field(default_factory=ExitCounts)
    orders: tuple[OrderRow, ...] = ()


def risk_row(
    accounts: AccountsView,
    agent: str,
    account: Account | None,
    bids: dict[str, PriceUnits],
    now: datetime | None,
) -> RiskRow:
    """Limits and orders that live of an agent.

    Args:
        accounts: The accounts.
        agent: The agent.
        account: Its main account; None without one.
        bids: Product -> best bid.
        now: Venue time; None before the first snapshot.
    """
    own = accounts.risk_states(agent)
    state = own.get("", NO_STATE)
    tripped = next((one for one in own.values() if is_tripped(one, now)), NO_STATE)
    until_ms = tripped.tripped_until_ms
    return RiskRow(
        preset=(state.preset or "custom") if state.limits else "",
        limits=limit_rows(state, account, bids) if account and state.limits else (),
        tripped=tripped.tripped,
        until=datetime.fromtimestamp(until_ms / 1000, UTC) if until_ms else None,
        counts=accounts.risk.get(agent) or RiskCounts(),
        exits=accounts.exits.get(agent) or ExitCounts(),
        orders=open_orders(accounts.orders_of(agent), bids),
    )


def open_orders(orders: AgentOrders, bids: dict[str, PriceUnits]) -> tuple[OrderRow, ...]:
    """The open orders of an agent; exits that have no record yet are left out."""
    return tuple(
        _order(one, bids.get(one.product_id)) for one in orders.open.values() if one.step >= 0
    )


def _order(one: OpenOrder, bid: PriceUnits | None) -> OrderRow:
    due_ms = one.exits_ms or one.expires_ms
    level = one.level or None
    distance = None
    if level is not None and bid:
        distance = to_digits((Decimal(level) / Decimal(bid) - 1) * HUNDRED, DIGITS)
    return OrderRow(
        order_id=one.order_id,
        product_id=one.product_id,
        order_type=one.order_type,
        action=one.action,
        quantity=one.quantity,
        filled=one.filled,
        level=level,
        distance_pct=distance,
        due=datetime.fromtimestamp(due_ms / 1000, UTC) if due_ms else None,
    )


def is_tripped(state: RiskState, now: datetime | None) -> bool:
    """True while a breach allows sells only, at a venue time."""
    until_ms = state.tripped_until_ms
    over = until_ms and now is not None and now.timestamp() * 1000 >= until_ms
    return bool(state.tripped) and not over


def limit_rows(
    state: RiskState, account: Account, bids: dict[str, PriceUnits]
) -> tuple[LimitRow, ...]:
    """The limits of an account that its present figures can be compared with."""
    limits = RiskLimits.from_text(state.limits)
    values = [
        notional_units(at.quantity, bids[product]) if product in bids else at.cost
        for product, at in account.positions.items()
    ]
    equity = account.cash + account.scraped + sum(values)
    if equity <= 0:
        return ()
    largest = max(values, default=0)
    found = [
        _row(
            "max_symbol_exposure_pct",
            limits.max_symbol_exposure_pct,
            largest,
            equity,
        ),
        _row("max_portfolio_exposure_pct", limits.max_portfolio_exposure_pct, sum(values), equity),
        _loss("max_daily_loss_pct", limits.max_daily_loss_pct, state.day_equity, equity),
        _loss("max_drawdown_pct", limits.max_drawdown_pct, state.peak_equity, equity),
    ]
    if limits.max_trades_per_day is not None:
        most, made = Decimal(limits.max_trades_per_day), Decimal(state.entries_today)
        used = state.entries_today / limits.max_trades_per_day
        found.append(LimitRow("max_trades_per_day", made, most, used))
    if limits.min_cash_pct:
        share = _percent(account.cash, equity)
        used = min(1.0, _share(limits.min_cash_pct, share)) if share > 0 else 1.0
        found.append(LimitRow("min_cash_pct", share, limits.min_cash_pct, used))
    return tuple(one for one in found if one is not None)


def _loss(name: str, threshold: Decimal | None, start: int, equity: int) -> LimitRow | None:
    return _row(name, threshold, max(0, start - equity), start) if start > 0 else None


def _row(name: str, threshold: Decimal | None, value: int, whole: int) -> LimitRow | None:
    if not threshold:
        return None
    percent = _percent(value, whole)
    return LimitRow(name, percent, threshold, _share(percent, threshold))


def _percent(value: int, whole: int) -> Decimal:
    return to_digits(from_units(value) / from_units(whole) * HUNDRED, DIGITS)


def _share(value: Decimal, whole: Decimal) -> float:
    """A share of a limit, to a thousandth."""
    return int(value * 1000 / whole) / 1000
