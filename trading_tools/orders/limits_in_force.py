"""Appends an agent's limits of risk to the account log before the first order that they govern.

Pure. Limits come from `[risk]` of the arena, from the agent's own table, or from a request on
`arena.control`. The log has the ones in force, so a replay reads them there.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pydantic import JsonValue

from arena import ids
from arena.accounts import Shard
from arena.messages import LimitSource, RiskLimitsSet
from arena.risk_state import RiskState
from arena.wire import encode
from trading_tools.events import PendingEvent
from trading_tools.orders.marks import Checked, mark_of, needs_mark
from trading_tools.risk.limits import RiskLimits


@dataclass(frozen=True, slots=True)
class WantedLimits:
    """The limits that an agent is to have.

    Attributes:
        limits: The limits.
        set_by: Where they come from.
        request_offset: Offset of the newest request that concerns the agent; -1 for none.
        lift: True if that request allows buys again after a breach.
        by, reason: Of that request.
    """

    limits: RiskLimits
    set_by: LimitSource
    request_offset: int = -1
    lift: bool = False
    by: str = ""
    reason: str = ""


class LimitsOf(Protocol):
    """Says which limits an agent is to have."""

    def __call__(self, agent: str) -> WantedLimits | None:
        """The limits of an agent; None leaves those in the log."""
        ...


def _as_logged(agent: str) -> WantedLimits | None:
    return None


@dataclass(slots=True)
class LimitsInForce:
    """Which limits each agent is to have; without a source, those in the log stay.

    Attributes:
        wanted: Says it.
    """

    wanted: LimitsOf = _as_logged


def apply_limits(
    shard: Shard, limits: LimitsInForce, agent: str, checked: Checked, now: datetime
) -> list[PendingEvent]:
    """The record that sets an agent's limits, folded into the shard; none if they are in force.

    Args:
        shard: The shard, in which the agent has an account.
        limits: Which limits it is to have.
        agent: The agent.
        checked: How far the market was checked, which is noted before the first limits.
        now: Wall time.
    """
    wanted = limits.wanted(agent)
    if wanted is None:
        return []
    state = shard.risk.get(agent, RiskState())
    is_new = wanted.request_offset > state.request_offset
    if wanted.limits.text == state.limits and not is_new:
        return []
    records = []
    if needs_mark(shard, checked):
        records.append(_fold(shard, mark_of(shard, checked, now)))
    records.append(_fold(shard, _limits_set(shard, agent, wanted, now, is_new=is_new)))
    return records


def _limits_set(
    shard: Shard, agent: str, wanted: WantedLimits, now: datetime, *, is_new: bool
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
        lift=wanted.lift and is_new,
        by=wanted.by,
        reason=wanted.reason,
        request_offset=wanted.request_offset if wanted.request_offset >= 0 else None,
        at=now,
    )
    encoded = encode(event)
    return PendingEvent(shard.next_offset, "RiskLimitsSet", agent, encoded.value, encoded.headers)


def _fold(shard: Shard, record: PendingEvent) -> PendingEvent:
    event = shard.apply(record.kind, record.value, record.offset)
    assert event is not None, f"own {record.kind} at {record.offset} does not count"
    return record
