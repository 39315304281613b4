"""Which alerts hold now, by the read model. Pure.

An alert has a subject, such as "dead:momentum", and a key that follows from its cause, so that
every process that reads the same topics finds the same keys. `find_alerts` returns what holds,
`find_ended` which of the reported subjects have ended for certain: one that the view knows nothing
about has not.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from arena.kill_switch import ActiveHalt, key_of
from arena.liveness import CONNECTOR, ROUTERS
from arena.messages import Cause, Heartbeat
from arena.products import split_key
from dashboard.alerts.breaches import LOSS_LIMIT, breach_ended, find_breaches
from dashboard.alerts.contest_end import contest_end
from dashboard.alerts.drawdowns import DrawdownFold, drawdown_text
from dashboard.alerts.drifts import RECONCILE, DriftFold, DriftSeen, is_over
from dashboard.alerts.found import Alert, Ended
from dashboard.alerts.proposals import PROPOSAL, find_proposals, proposal_ended
from dashboard.alerts.texts import duration_text, plain, plain_name, utc_text
from dashboard.model.view import ArenaView

HALTS_MAX = 200
RECENT_S = 600.0
"""At the first start older conditions are not sent, unless a running process reports them."""
ENDED_AGENT_S = 30.0
"""A supervisor starts a process again within this time."""
SILENT_AGENT_S = 60.0
"""An agent without a heartbeat of its router for this time has no process."""
ERROR = "error"
"""The detail of a last heartbeat with the error that ended the process."""
BROKER_SILENT_S = 15.0
"""Seconds without an answer of the broker. A broker that is restarted is back earlier."""
BROKER_SILENT = "broker-silent"
ALL_VENUES = "all"
"""In the place of a venue if no venue has sent a price."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a condition is an alert.

    Attributes:
        kinds: The kinds that are sent.
        drawdown: Share of the peak of an equity curve.
        feed_silent_s: Seconds without a price.
        budget_usd: Cost of all models; None for no limit.
    """

    kinds: frozenset[str]
    drawdown: Decimal
    feed_silent_s: float
    budget_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """What alerts are made from.

    Attributes:
        view: The read model, read to the ends of the topics.
        drifts: The drifts.
        drawdowns: The drawdowns, with remembered peaks.
        now: Wall time by the broker's clock.
        limits: When a condition is an alert.
        stopping: True in the last pass of a process that is being stopped with its arena.
        watched_s: How long the topics have been followed: what is silent for longer may be about to
            start with this process. Infinite to judge by the topics alone.
    """

    view: ArenaView
    drifts: DriftFold
    drawdowns: DrawdownFold
    now: datetime
    limits: Limits
    stopping: bool = False
    watched_s: float = math.inf

    def age_s(self, at: datetime) -> float:
        """Wall seconds since a time."""
        return (self.now - at).total_seconds()


def find_alerts(situation: Situation) -> list[Alert]:
    """The alerts that hold now, of the chosen kinds."""
    found: list[Alert] = []
    for kind, find in _FINDERS.items():
        if kind in situation.limits.kinds:
            found += find(situation)
    return found


def find_ended(situation: Situation, subjects: Mapping[str, datetime]) -> list[Ended]:
    """Which subjects have ended.

    Args:
        situation: What is known.
        subjects: Reported subject -> when it was reported.
    """
    agents = _routers_of_agents(situation.view)
    comparisons = _comparisons(situation)
    found = []
    for subject, at in subjects.items():
        kind, _, name = subject.partition(":")
        match kind:
            case "halt":
                words = _halt_ended(situation, name)
            case "dead":
                words = _dead_ended(situation, name, agents)
            case "feed-silent":
                words = _feed_ended(situation, name, at)
            case "broker-silent":
                words = _broker_ended(situation, at)
            case "loss-limit":
                words = breach_ended(situation.view, name)
            case "proposal":
                words = proposal_ended(situation.view, name)
            case "drift":
                holding = situation.drifts.holding(comparisons)
                over = name not in holding and _is_compared(situation, name, at, comparisons)
                words = f"{plain(name)} agrees again" if over else None
            case _:
                words = None
        if words is not None:
            found.append(Ended(subject, kind, words))
    return found


def find_broker_silent(silent_s: float | None, limits: Limits) -> list[Alert]:
    """The alert about a broker that does not answer; nothing else can be known meanwhile.

    Args:
        silent_s: Seconds without an answer; None while it answers.
        limits: When a condition is an alert.
    """
    if silent_s is None or silent_s <= BROKER_SILENT_S or BROKER_SILENT not in limits.kinds:
        return []
    text = (
        f"the broker has not answered for {duration_text(silent_s)}: nothing is decided or recorded"
        " until it does; look at its log"
    )
    subject = f"{BROKER_SILENT}:broker"
    return [Alert(BROKER_SILENT, subject, f"{subject}@now", text)]


def _broker_ended(situation: Situation, reported: datetime) -> str:
    """It has ended: there is a situation only while the broker answers."""
    after = duration_text(situation.age_s(reported))
    return f"the broker answers again, {after} later"


def _halts(situation: Situation) -> Iterator[Alert]:
    halts = situation.view.halts
    newest = [*halts.halts.values()][-HALTS_MAX:]
    for stop in (*filter(None, (halts.lost, halts.overflow)), *newest):
        if situation.view.is_shadow(stop.name):
            continue
        subject = f"halt:{stop.name}"
        cause = stop.unread or (stop.at.isoformat() if stop.at else "")
        yield Alert("halt", subject, f"{subject}@{cause}", _halt_text(stop))


def _halt_text(stop: ActiveHalt) -> str:
    whose = "all agents are" if stop.name == "all" else f"{plain_name(stop.name)} is"
    why = f": {plain(stop.why)}" if stop.why else ""
    if stop.at is None:
        return f"{whose} halted by a record that cannot be read, {plain(stop.unread)}{why}"
    by = f" by {plain_name(stop.by)}" if stop.by else ""
    return f"{whose} halted since {utc_text(stop.at)}{by}{why}"


def _halt_ended(situation: Situation, scope: str) -> str | None:
    halts = situation.view.halts
    if scope == "all":
        return None if halts.halt_of_all() else "the halt of all agents has ended"
    held = key_of(scope) in halts.halts
    return None if held else f"the halt of {plain_name(scope)} has ended"


def _dead(situation: Situation) -> Iterator[Alert]:
    view = situation.view
    routers = _routers_of_agents(view)
    for agent in view.agents:
        subject = f"dead:{agent}"
        turns = view.turns.agents.get(agent)
        health = turns.health(agent) if turns else None
        beat = routers.get(agent)
        if health is not None and health.is_dead:
            dead = health.dead()
            newest = turns.newest if turns else None
            is_new = newest is not None and situation.age_s(newest.ended_at) <= RECENT_S
            text = f"{plain_name(agent)} is dead: {plain(dead.cause)}; {plain(dead.remedy)}"
            is_now = is_new or (beat is not None and beat.status != "stopping")
            yield Alert("dead", subject, f"{subject}@{dead.code or 'turns'}", text, is_now=is_now)
        elif beat is not None and (why := _why_without_process(situation, beat)):
            text = f"{plain_name(agent)} has no process: {why}"
            yield Alert("dead", subject, f"{subject}@process", text)


def _why_without_process(situation: Situation, beat: Heartbeat) -> str:
    """Why an agent has no process, from the newest heartbeat of its routers; "" if it has one."""
    age_s = situation.age_s(beat.at)
    if situation.stopping or age_s > RECENT_S:
        return ""
    age_s = min(age_s, situation.watched_s)
    if beat.status == "stopping":
        error = beat.details.get(ERROR)
        ended = isinstance(error, str) and age_s > ENDED_AGENT_S
        return f"{plain(str(error))}; read the log of its router" if ended else ""
    silent = age_s > max(SILENT_AGENT_S, 6 * (beat.interval_s or 0))
    return "its router sends no heartbeat; read the log of its router" if silent else ""


def _dead_ended(situation: Situation, agent: str, routers: Mapping[str, Heartbeat]) -> str | None:
    turns, beat = situation.view.turns.agents.get(agent), routers.get(agent)
    if turns is not None and turns.health(agent).is_dead:
        return None
    is_running = beat is not None and beat.status != "stopping"
    if not is_running or beat is None or situation.age_s(beat.at) > SILENT_AGENT_S:
        return None
    decided = turns is not None and turns.decided > 0
    return f"{plain_name(agent)} {'decides' if decided else 'runs'} again"


def _routers_of_agents(view: ArenaView) -> dict[str, Heartbeat]:
    """Agent -> newest heartbeat of its routers; one that runs before one that has stopped."""
    found: dict[str, Heartbeat] = {}
    for beat in view.processes.newest.values():
        if beat.kind not in ROUTERS:
            continue
        agents = beat.details.get("agents")
        for agent in [*agents] if isinstance(agents, dict) else [beat.name]:
            known = found.get(agent)
            if known is None or _order(known) < _order(beat):
                found[agent] = beat
    return found


def _order(beat: Heartbeat) -> tuple[bool, datetime]:
    return beat.status != "stopping", beat.at


def _feed(situation: Situation) -> Iterator[Alert]:
    view, limit_s = situation.view, situation.limits.feed_silent_s
    connectors = [b for b in view.processes.newest.values() if b.kind == CONNECTOR]
    feed = view.processes.feed()
    lock_step = view.rules is not None and view.rules.pacing == "lock-step"
    if not connectors or feed.ended_at is not None or lock_step:
        return
    alive = _alive_of_venues(view)
    several = len(alive) > 1
    if not alive and feed.down:  # No price has ever come.
        alive = {ALL_VENUES: min(beat.started_at for beat in connectors)}
    why = f": {plain(feed.down)}" if feed.down else "; read the log of the connector"
    is_now = bool(view.processes.living(CONNECTOR, situation.now))
    for venue, at in sorted(alive.items()):
        age_s = situation.age_s(at)
        if min(age_s, situation.watched_s) > limit_s:
            whose = f" of {plain_name(venue)}" if several else ""
            text = f"no price{whose} for {duration_text(age_s)}{why}"
            subject = f"feed-silent:{venue}"
            key = f"{subject}@{at.isoformat()}"
            yield Alert("feed-silent", subject, key, text, is_now=is_now)


def _alive_of_venues(view: ArenaView) -> dict[str, datetime]:
    """Venue of the market -> wall time at which one of its prices was last known alive."""
    newest = view.market.newest
    market = {one.product_id for one in newest.products} if newest is not None else None
    found: dict[str, datetime] = {}
    for product_id, mark in view.market.marks.items():
        if market is None or product_id in market:
            venue = split_key(product_id).venue
            found[venue] = max(mark.alive_at, found.get(venue, mark.alive_at))
    return found


def _feed_ended(situation: Situation, venue: str, reported: datetime) -> str | None:
    """The sentence about prices that have come again; "" if no connector runs any more."""
    alive = _alive_of_venues(situation.view)
    fresh = [
        name for name, at in alive.items() if situation.age_s(at) <= situation.limits.feed_silent_s
    ]
    if venue in fresh or (venue == ALL_VENUES and fresh):
        whose = f" of {plain_name(venue)}" if len(alive) > 1 and venue != ALL_VENUES else ""
        return f"prices{whose} arrive again, {duration_text(situation.age_s(reported))} later"
    return "" if situation.view.processes.feed().ended_at is not None else None


def _drawdowns(situation: Situation) -> Iterator[Alert]:
    limit = situation.limits.drawdown
    for one in situation.drawdowns.find(situation.view, limit, situation.now):
        subject = f"drawdown:{one.agent}"
        key = f"{subject}@{limit:f}:{one.peak}"
        text = drawdown_text(one, limit, situation.view)
        yield Alert("drawdown", subject, key, text, is_now=not one.is_over)


def _drifts(situation: Situation) -> Iterator[Alert]:
    for figure, seen in situation.drifts.holding(_comparisons(situation)).items():
        subject, drift = f"drift:{figure}", seen.drift
        key = f"{subject}@{drift.books - drift.fold:f}"
        yield Alert("drift", subject, key, _drift_text(seen))


def _drift_text(seen: DriftSeen) -> str:
    one = seen.drift
    view = "" if one.dashboard is None else f", dashboard {one.dashboard:f}"
    figure = plain(f"{one.owner} {one.what} {one.unit}")
    return f"{figure} differs: log {one.fold:f}, books {one.books:f}{view}; run arena reconcile run"


def _comparisons(situation: Situation) -> list[Heartbeat]:
    return situation.view.processes.living(RECONCILE, situation.now)


def _is_compared(
    situation: Situation, figure: str, at: datetime, comparisons: list[Heartbeat]
) -> bool:
    """True if a comparison after a time did not report a figure."""
    seen = situation.drifts.figures.get(figure)
    newest = max((one.at for one in situation.drifts.figures.values()), default=None)
    later = seen is not None and newest is not None and newest > seen.at
    return later or is_over(max(at, seen.at) if seen else at, comparisons)


def _budgets(situation: Situation) -> Iterator[Alert]:
    reported = set()
    for agent, turns in sorted(situation.view.turns.agents.items()):
        turn = None if situation.view.is_shadow(agent) else turns.newest
        if turn is None or turn.cause != Cause.BUDGET:
            continue
        day = turn.ended_at.astimezone(UTC).date()
        key = f"budget:{turn.node}@{day}"
        if key not in reported:
            reported.add(key)
            is_now = day == situation.now.astimezone(UTC).date()
            text = f"chat node {plain_name(turn.node)}: {plain(turn.error or 'budget spent')}"
            yield Alert("budget", f"budget:{turn.node}", key, text, is_now=is_now)
    limit, cost = situation.limits.budget_usd, situation.view.calls.total.cost_usd
    if limit is not None and cost >= limit:
        text = f"the models have cost ${cost:.4f}; the budget is ${limit:f}"
        yield Alert("budget", "budget:usd", f"budget:usd@{limit:f}", text)


def _contest(situation: Situation) -> Iterable[Alert]:
    found = contest_end(situation.view, situation.now, stopping=situation.stopping)
    return () if found is None else (found,)


_FINDERS = {
    "halt": _halts,
    "dead": _dead,
    "feed-silent": _feed,
    "drawdown": _drawdowns,
    LOSS_LIMIT: lambda situation: find_breaches(situation.view),
    "drift": _drifts,
    PROPOSAL: lambda situation: find_proposals(situation.view),
    "budget": _budgets,
    "contest-ended": _contest,
}
