"""An agent's limits of risk with how near they are, and its open orders. Pure."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from arena.account_state import Account
from arena.money import PriceUnits, from_units, to_digits
from arena.open_orders import AgentOrders, OpenOrder
from arena.risk_limits import RiskLimits
from arena.risk_report import ExitCounts, RiskCounts
from arena.risk_state import RiskState
from dashboard.model.accounts_view import AccountsView

DIGITS = 2
HUNDRED = Decimal(100)
NO_STATE = RiskState()
NOT_USED_UP = 0.99
"""How much of a limit of losses in a row is used when its pause is over: one more stops buys."""


@dataclass(frozen=True, slots=True)
class LimitRow:
    """One limit that can be measured now.

    Attributes:
        value, threshold: Percent, numbers of buys or losses, or seconds.
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
    """Limits of an agent's main account, what they did, and its open orders.

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
    """Limits and open orders of an agent.

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
        limits=limit_rows(state, account, bids, orders=accounts.orders_of(agent), now=now)
        if account and state.limits
        else (),
        tripped=tripped.tripped,
        until=datetime.fromtimestamp(until_ms / 1000, UTC) if until_ms else None,
        counts=accounts.risk.get(agent) or RiskCounts(),
        exits=accounts.exits.get(agent) or ExitCounts(),
        orders=open_orders(accounts.orders_of(agent), bids),
    )


def open_orders(orders: AgentOrders, bids: dict[str, PriceUnits]) -> tuple[OrderRow, ...]:
    """The open orders of an agent; exits that have no record yet are left out."""
    return tuple(
        _order(one, bids.get(one.product_id)) for one in orders.open.values() if one.is_placed
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
    """True while a breach allows sells only, at a venue time; None before the first snapshot."""
    return state.is_tripped(0 if now is None else int(now.timestamp() * 1000))


def limit_rows(
    state: RiskState,
    account: Account,
    bids: dict[str, PriceUnits],
    *,
    orders: AgentOrders,
    now: datetime | None,
) -> tuple[LimitRow, ...]:
    """The limits of a main account that its present figures can be compared with.

    Args:
        state: Its limits, and what they are measured against.
        account: The account.
        bids: Product -> best bid.
        orders: The agent's open orders; limit buys count as exposure and reserve cash.
        now: Venue time; None before the first snapshot.
    """
    limits = RiskLimits.from_text(state.limits)
    values, equity = account.values(bids), account.equity(bids)
    if equity <= 0:
        return ()
    reserved = orders.buy_notionals("")
    exposed = {p: values.get(p, 0) + reserved.get(p, 0) for p in {**values, **reserved}}
    most, total = max(exposed.values(), default=0), sum(exposed.values())
    found = [
        _row("max_symbol_exposure_pct", limits.max_symbol_exposure_pct, most, equity),
        _row("max_portfolio_exposure_pct", limits.max_portfolio_exposure_pct, total, equity),
        _loss("max_daily_loss_pct", limits.max_daily_loss_pct, state.day_equity, equity),
        _loss("max_drawdown_pct", limits.max_drawdown_pct, state.peak_equity, equity),
        _trades(limits, state, now),
        _streak(limits, state, now),
        _cooldown(limits, state, now),
    ]
    if limits.min_cash_pct:
        share = _percent(account.cash - sum(reserved.values()), equity)
        used = min(1.0, _share(limits.min_cash_pct, share)) if share > 0 else 1.0
        found.append(LimitRow("min_cash_pct", share, limits.min_cash_pct, used))
    return tuple(one for one in found if one is not None)


def _trades(limits: RiskLimits, state: RiskState, now: datetime | None) -> LimitRow | None:
    most = limits.max_trades_per_day
    if most is None:
        return None
    today = now is None or f"{now:%Y-%m-%d}" == state.day
    made = state.entries_today if today else 0
    return LimitRow("max_trades_per_day", Decimal(made), Decimal(most), made / most)


def _streak(limits: RiskLimits, state: RiskState, now: datetime | None) -> LimitRow | None:
    """Sells at a loss in a row; at the limit, but not used up, once buys are possible again."""
    most, pause_s = limits.loss_streak_max, limits.loss_streak_cooldown_s
    if most is None or pause_s is None:
        return None
    losses, stopped = state.losses_in_a_row, _seconds_since_loss(state, now) < pause_s
    used = losses / most if losses < most or stopped else NOT_USED_UP
    return LimitRow("loss_streak_max", Decimal(losses), Decimal(most), used)


def _cooldown(limits: RiskLimits, state: RiskState, now: datetime | None) -> LimitRow | None:
    """Seconds since the newest sell at a loss; 1 is used until buys are possible again."""
    pause_s = limits.cooldown_after_loss_s
    if pause_s is None or not state.last_loss_ms:
        return None
    passed_s = _seconds_since_loss(state, now)
    used = 1.0 if passed_s < pause_s else 0.0
    return LimitRow("cooldown_after_loss_s", Decimal(passed_s), Decimal(pause_s), used)


def _seconds_since_loss(state: RiskState, now: datetime | None) -> int:
    """Whole seconds of venue time since the newest sell at a loss."""
    now_ms = int(now.timestamp() * 1000) if now else 0
    return max(0, now_ms - state.last_loss_ms) // 1000


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
