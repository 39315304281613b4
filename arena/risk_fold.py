"""Folds limits of risk, and what they are measured against. Pure."""

from collections.abc import Mapping

import orjson

from arena.account_fills import unix_ms
from arena.account_log import (
    LimitsSetEvent,
    MarketCheckedEvent,
    OrderEvent,
    TrippedEvent,
    read_units,
)
from arena.account_state import Account
from arena.risk_state import RiskState, account_name

RiskStates = dict[str, RiskState]
"""Account name (`arena.risk_state.account_name`) -> its state."""
DAY_CHARS = len("2026-11-30")


def set_limits(
    event: LimitsSetEvent, states: RiskStates, wallets: Mapping[str, Account] | None
) -> None:
    """Apply new limits to the agent's main account and its wallets."""
    limits = orjson.loads(bytes(event.limits))
    text = orjson.dumps(limits, option=orjson.OPT_SORT_KEYS).decode() if limits else ""
    for currency in ("", *sorted(wallets or ())):
        state = states.setdefault(account_name(event.agent, currency), RiskState())
        state.limits, state.preset, state.set_by = text, event.preset, event.set_by
        if event.request_offset is not None:
            state.request_offset = event.request_offset
        if event.lift:
            lift(state)


def lift(state: RiskState) -> None:
    """Allow buys again: losses are measured from the next equity on."""
    state.tripped, state.tripped_until_ms, state.trip_id, state.flatten = "", 0, "", False
    state.day_equity, state.peak_equity = 0, 0
    state.losses_in_a_row, state.last_loss_ms = 0, 0


def trip(event: TrippedEvent, states: RiskStates) -> None:
    """Note that an account may only sell."""
    state = states.setdefault(account_name(event.agent, event.currency), RiskState())
    state.tripped, state.trip_id, state.flatten = event.limit, event.order_id, event.flatten
    state.tripped_until_ms = unix_ms(event.until) if event.until else 0


def note_marks(event: MarketCheckedEvent, states: RiskStates) -> None:
    """Note the equities that the owner measured at the end of a snapshot."""
    for mark in event.marks:
        state = states.setdefault(mark.account, RiskState())
        start_day(state, mark.day)
        state.day_equity = read_units(mark.day_equity)
        state.peak_equity = read_units(mark.peak_equity)


def note_order(event: OrderEvent, states: RiskStates, realised: int) -> None:
    """Note a step of an order in the state of its account, if that has limits."""
    state = states.get(account_name(event.agent, event.currency))
    if state is None or not state.limits or event.used is None:
        return
    if event.risk is not None:
        start_day(state, event.used.event_time[:DAY_CHARS])
        state.day_equity = read_units(event.risk.day_equity)
        state.peak_equity = read_units(event.risk.peak_equity)
    if not event.is_fill:
        return
    if event.action == "buy":
        start_day(state, event.used.event_time[:DAY_CHARS])
        state.entries_today += 1
    elif realised < 0:
        state.losses_in_a_row += 1
        state.last_loss_ms = unix_ms(event.used.event_time)
    elif realised > 0:
        state.losses_in_a_row = 0


def start_day(state: RiskState, day: str) -> None:
    """Reset the figures of the day if a later day begins."""
    if day > state.day:
        state.day, state.entries_today = day, 0
