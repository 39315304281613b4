"""Appends an agent's limits of risk to the account log before the first order that they govern.

Pure. Limits come from `[risk]` of the arena, from the agent's own table, or from a request on
`arena.control`. The log has the ones in force, so a replay reads them there.
"""

from datetime import datetime

from pydantic import JsonValue

from arena import ids
from arena.accounts import Shard
from arena.messages import RiskLimitsSet
from arena.risk_state import RiskState
from arena.wire import encode
from trading_tools.events import PendingEvent
from trading_tools.orders.marks import Checked, mark_of, needs_mark
from trading_tools.risk.requests import LimitSettings, LimitsInForce

NO_STATE = RiskState()


def apply_limits(
    shard: Shard,
    limits: LimitSettings | None,
    agent: str,
    checked: Checked,
    now: datetime,
    venue_at: datetime,
) -> list[PendingEvent]:
    """The record that sets an agent's limits, folded into the shard; none if they are in force.

    Args:
        shard: The shard, in which the agent has an account.
        limits: Which limits agents are to have; None leaves those in the log.
        agent: The agent.
        checked: How far the market was checked, which is noted before the first limits.
        now: Wall time.
        venue_at: Venue time, up to which adjustments last.
    """
    if limits is None:
        return []
    wanted = limits.limits_for(agent, venue_at)
    state = shard.risk.get(agent, NO_STATE)
    if not wanted.differ_from(state):
        return []
    records = []
    if needs_mark(shard, checked):
        records.append(mark_of(shard, checked, now).fold_into(shard))
    record = _limits_set(shard, agent, wanted, now, lift=wanted.lifts(state))
    return [*records, record.fold_into(shard)]


def _limits_set(
    shard: Shard, agent: str, wanted: LimitsInForce, now: datetime, *, lift: bool
) -> PendingEvent:
    values: dict[str, JsonValue] = wanted.limits.as_json()
    event = RiskLimitsSet(
        epoch=shard.epoch,
        owner=shard.owner,
        seq=shard.seq + 1,
        prev=shard.head,
        order_id=ids.derive("limits", agent, shard.seq + 1),
        agent=agent,
        limits=values,
        preset=wanted.limits.preset,
        set_by=wanted.set_by,
        lift=lift,
        by=wanted.by,
        reason=wanted.reason,
        request_offset=wanted.request_offset if wanted.request_offset >= 0 else None,
        at=now,
    )
    encoded = encode(event)
    return PendingEvent(shard.next_offset, "RiskLimitsSet", agent, encoded.value, encoded.headers)
