"""Measures accounts with limits of loss at the end of a snapshot, and acts on a breach. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from arena import ids
from arena.messages import AccountMark, RiskTripped
from arena.money import from_units
from arena.risk_limits import RiskLimits
from arena.wire import encode
from trading_tools.events import PendingEvent
from trading_tools.orders.accounts import settlement_in
from trading_tools.orders.desk import Desk
from trading_tools.orders.guard import equity_of
from trading_tools.orders.marks import Checked

HUNDREDTHS = 10_000


@dataclass(frozen=True, slots=True)
class _Equity:
    day_equity: int
    peak: int
    now: int


def measure_losses(
    name: str, checked: Checked, desk: Desk
) -> tuple[AccountMark | None, list[PendingEvent]]:
    """Measure an account by its limits of daily loss and drawdown; a breach allows sells only.

    Args:
        name: The account, as in `Shard.risk`.
        checked: How far the market was checked.
        desk: Makes records of this moment.

    Returns:
        The account's equities, None if they do not matter, and the records of a breach, folded.
    """
    state = desk.shard.risk[name]
    limits = RiskLimits.from_text(state.limits)
    if not limits.measures_losses and not state.tripped:
        return None, []
    agent, _, currency = name.partition(" ")
    equity = equity_of(settlement_in(desk.shard, desk.rules, agent, currency), desk.market)
    day = f"{checked.as_of:%Y-%m-%d}"
    known = state.day == day and state.day_equity > 0
    found = _Equity(state.day_equity if known else equity, max(state.peak_equity, equity), equity)
    mark = AccountMark(
        account=name,
        day=day,
        day_equity=from_units(found.day_equity),
        peak_equity=from_units(found.peak),
    )
    records: list[PendingEvent] = []
    at_ms = int(checked.as_of.timestamp() * 1000)
    if not state.is_tripped(at_ms):
        breach = _breach(limits, found)
        if breach is not None:
            records.append(desk.fold(_tripped(desk, name, breach, found, checked)))
    if state.flatten and state.is_tripped(at_ms):
        records += _flatten(desk, agent, currency)
    return mark, records


def _breach(limits: RiskLimits, equity: _Equity) -> tuple[str, Decimal, Decimal] | None:
    """The limit that is breached, the loss and the threshold in percent."""
    kinds = (
        ("max_drawdown_pct", limits.max_drawdown_pct, equity.peak),
        ("max_daily_loss_pct", limits.max_daily_loss_pct, equity.day_equity),
    )
    for name, threshold, base in kinds:
        if threshold is None or base <= 0:
            continue
        loss = Decimal((base - equity.now) * HUNDREDTHS // base).scaleb(-2)
        if loss >= threshold:
            return name, loss, threshold
    return None


def _tripped(
    desk: Desk, name: str, breach: tuple[str, Decimal, Decimal], equity: _Equity, checked: Checked
) -> PendingEvent:
    limit, loss, threshold = breach
    agent, _, currency = name.partition(" ")
    shard = desk.shard
    until = None
    if limit == "max_daily_loss_pct":
        midnight = checked.as_of.replace(hour=0, minute=0, second=0, microsecond=0)
        until = midnight + timedelta(days=1)
    event = RiskTripped(
        epoch=shard.epoch,
        owner=shard.owner,
        seq=shard.seq + 1,
        prev=shard.head,
        order_id=ids.derive("trip", name, limit, checked.snapshot_id),
        agent=agent,
        currency=currency,
        limit=limit,
        value=loss,
        threshold=threshold,
        until=until,
        flatten=RiskLimits.from_text(shard.risk[name].limits).flatten_on_breach,
        equity=from_units(equity.now),
        snapshot_id=checked.snapshot_id,
        at=desk.now,
    )
    encoded = encode(event)
    return PendingEvent(shard.next_offset, "RiskTripped", agent, encoded.value, encoded.headers)


def _flatten(desk: Desk, agent: str, currency: str) -> list[PendingEvent]:
    records: list[PendingEvent] = []
    own = settlement_in(desk.shard, desk.rules, agent, currency)
    for product_id in sorted(own.account.positions):
        record = desk.steps().flatten(own, agent, product_id)
        if record is not None:
            records.append(desk.fold(record))
            records += desk.follow_up(agent)
    return records
