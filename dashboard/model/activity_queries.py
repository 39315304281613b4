"""What feeds and models do, from heartbeats, model calls and the newest snapshot. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from arena.heartbeat_details import VenueState, retry_waits, venue_states
from arena.liveness import CHAT_NODE, CONNECTOR, ROUTERS, WAITING_FOR, feed_down
from arena.messages import Heartbeat, ProductView
from arena.products import split_key
from dashboard.model.calls import Spending
from dashboard.model.processes import ProcessRow
from dashboard.model.recent_calls import RECENT_S
from dashboard.model.results import Activity, CallsWaiting, CauseCount, ModelNode, VenueFeed
from dashboard.model.view import ArenaView


def activity(view: ArenaView, rows: Iterable[ProcessRow], now: datetime) -> Activity:
    """What the feeds and the models do.

    Args:
        view: The view.
        rows: The processes with heartbeats.
        now: The broker's time.
    """
    states = {row.node: row for row in rows}
    return Activity(
        feeds=_feeds(view, states, now),
        models=_models(view, states, now),
        partial=not view.calls.window.complete,
    )


def _feeds(view: ArenaView, rows: dict[str, ProcessRow], now: datetime) -> tuple[VenueFeed, ...]:
    """One feed for each venue of the newest connectors, and of the newest snapshot."""
    newest = view.market.newest
    products = defaultdict[str, list[ProductView]](list)
    for product in newest.products if newest else ():
        products[split_key(product.product_id).venue].append(product)
    found: dict[str, VenueFeed] = {}
    connectors = [view.processes.newest[node] for node in rows if rows[node].kind == CONNECTOR]
    # A standby publishes nothing; a later process replaces an earlier one.
    connectors.sort(key=lambda beat: (rows[beat.node].state == "running", beat.at))
    for beat in connectors:
        states = venue_states(beat) or tuple(
            VenueState(venue=venue, products=len(of)) for venue, of in products.items()
        )
        for state in states:
            found[state.venue] = _feed(view, beat, rows[beat.node], state, products, now)
    return tuple(found[venue] for venue in sorted(found))


def _feed(
    view: ArenaView,
    beat: Heartbeat,
    row: ProcessRow,
    state: VenueState,
    products: dict[str, list[ProductView]],
    now: datetime,
) -> VenueFeed:
    newest, own = view.market.newest, products.get(state.venue, [])
    reported = bool(venue_states(beat))
    down = state.down if reported else feed_down(beat)
    ages_s = [row.age_s + state.age_ms / 1_000] if state.age_ms is not None else []
    if not reported and (age_s := view.market.feed_age_s(now)) is not None:
        ages_s = [age_s]
    waits = beat.details.get(WAITING_FOR)
    in_step = view.rules is not None and view.rules.pacing == "lock-step"
    return VenueFeed(
        venue=state.venue,
        state=_feed_state(row, state, down, reported=reported, in_step=in_step),
        connector=row.name,
        simulated=newest.simulated if newest else bool(beat.details.get("simulated")),
        recorded=newest.recorded if newest else False,
        age_s=round(max(0.0, ages_s[0]), 1) if ages_s else None,
        products=max(state.products, len(own)),
        stale=tuple(one.product_id for one in own if one.stale),
        gaps=sum(len(window.gaps) for one in own for window in one.windows.values()),
        connections=state.connections or None,
        down=down,
        ban=state.ban,
        waits_for=waits if isinstance(waits, str) else "",
    )


def _feed_state(
    row: ProcessRow, state: VenueState, down: str, *, reported: bool, in_step: bool
) -> str:
    if row.state in ("stopped", "silent"):
        return row.state
    if down:
        return "down"
    if not reported:
        return "in step" if in_step else row.state
    return "connected" if state.connected else "not connected"


def _models(view: ArenaView, rows: dict[str, ProcessRow], now: datetime) -> tuple[ModelNode, ...]:
    """One line for each chat node that runs, was called, or is on the roster."""
    beats: dict[str, Heartbeat] = {}
    for node, row in rows.items():
        if row.kind == CHAT_NODE:
            beat, known = view.processes.newest[node], beats.get(row.name)
            beats[row.name] = beat if known is None or beat.at > known.at else known
    agents = defaultdict[str, list[str]](list)
    for agent, spec in sorted(view.roster.items()):
        agents[spec.node].append(agent)
    missed = defaultdict[str, list[str]](list)
    for node, row in rows.items():
        words = view.processes.newest[node].details.get(WAITING_FOR) if row.alive else None
        if row.kind in ROUTERS and isinstance(words, str):
            for name in agents:
                if f"chat node {name} (" in words:
                    missed[name].append(row.name)
    names = sorted({*beats, *view.calls.nodes, *agents} - {""})
    return tuple(
        _model(view, name, beats.get(name), rows, tuple(agents[name]), tuple(missed[name]), now)
        for name in names
    )


def _model(
    view: ArenaView,
    name: str,
    beat: Heartbeat | None,
    rows: dict[str, ProcessRow],
    agents: tuple[str, ...],
    missed: tuple[str, ...],
    now: datetime,
) -> ModelNode:
    row = rows[beat.node] if beat else None
    details, gauges = (beat.details, beat.gauges) if beat else ({}, {})
    spent = view.calls.nodes.get(name, Spending())
    now_ms = now.timestamp() * 1_000
    recent = view.calls.recent.summary(name, now_ms)
    stated = details.get("scripted")
    scripted = stated if isinstance(stated, bool) else spent.scripted if spent.calls else None
    alive = row is not None and row.alive
    ended_ms = recent.last_ended_ms
    return ModelNode(
        node=name,
        model=str(details.get("model") or spent.model),
        state=row.state if row else "",
        alive=alive,
        scripted=scripted,
        replies=str(details.get("replies") or ""),
        in_flight=_count(gauges.get("in_flight")) if alive else None,
        waiting=_count(gauges.get("lag")) if alive else None,
        retries=tuple(
            CallsWaiting(cause=one.cause, calls=one.calls, until=one.until)
            for one in (retry_waits(beat) if beat and alive else ())
            if one.until > now - timedelta(seconds=1)
        ),
        agents=agents,
        missed_by=missed,
        recent_s=RECENT_S,
        recent_calls=recent.calls,
        retried=recent.retried,
        latency_p50_ms=recent.latency_p50_ms,
        errors=tuple(CauseCount(cause=cause, calls=calls) for cause, calls in recent.causes),
        last_call_age_s=None if ended_ms is None else round(max(0.0, now_ms - ended_ms) / 1_000, 1),
        last_error=recent.last_error,
        calls=spent.calls,
        failed=spent.errors,
        tokens=spent.tokens,
        tokens_estimated=bool(spent.estimated),
        cost_usd=spent.known_cost,
        calls_of_unknown_price=spent.unpriced,
    )


def _count(gauge: float | None) -> int | None:
    return None if gauge is None else int(gauge)
