"""Whether a contest has ended, by its records. Pure.

A contest has a planned number of snapshots in the executor's rules. It is complete with the judge's
final evaluation; without a judge, when every agent has decided on the last snapshot or had the time
for it. It was stopped early if its connectors have stopped before the last snapshot.
"""

from datetime import datetime

from arena.money import from_units
from dashboard.alerts.found import Alert
from dashboard.alerts.texts import plain, plain_name
from dashboard.model.view import ArenaView

NEWS_S = 60.0
"""At the first start the end of a contest is not sent if it is older."""
LAST_TURNS_S = 60.0
"""How long to wait for the last turns and for the judge."""
STOPPED_S = 60.0
"""A supervisor starts a connector again within this time."""
SUBJECT = "contest-ended"


def contest_end(view: ArenaView, now: datetime, *, stopping: bool = False) -> Alert | None:
    """The alert that the contest has ended; None while it runs, or if there is no contest.

    Args:
        view: The view.
        now: Wall time by the broker's clock.
        stopping: True if this process is being stopped with its arena: nothing more will come.
    """
    planned = view.rules.planned_snapshots if view.rules is not None else None
    newest = view.market.newest
    if planned is None or newest is None:
        return None
    count = view.market.newest_offset + 1
    age_s = (now - newest.published_at).total_seconds()
    if count < planned:
        return _stopped_early(view, now, count, planned, stopping=stopping)
    final = view.evaluation
    is_judged = final is not None and not final.interim and final.snapshots >= planned
    waits = not is_judged and not stopping and age_s < LAST_TURNS_S
    if waits and (view.processes.living("judge", now) or not _all_decided(view, planned)):
        return None
    words = f"the contest has ended: {planned:,} of {planned:,} snapshots"
    if final is not None and is_judged:
        words += f"; {plain(final.verdict)}"
    elif leader := _leader(view):
        words += f"; {leader}"
    is_now = age_s <= NEWS_S
    return Alert(SUBJECT, SUBJECT, f"{SUBJECT}@{planned}", words, is_now=is_now)


def _stopped_early(
    view: ArenaView, now: datetime, count: int, planned: int, *, stopping: bool
) -> Alert | None:
    ended_at = view.processes.feed().ended_at
    if ended_at is None:
        return None
    age_s = (now - ended_at).total_seconds()
    if age_s < STOPPED_S and not stopping:
        return None
    words = f"the contest was stopped after {count:,} of {planned:,} snapshots"
    key = f"{SUBJECT}@stopped:{count}"
    return Alert(SUBJECT, SUBJECT, key, words, is_now=age_s <= 2 * STOPPED_S)


def _all_decided(view: ArenaView, planned: int) -> bool:
    turns = (view.turns.agents.get(agent) for agent in view.roster)
    newest = (None if one is None else one.newest for one in turns)
    return all(turn is not None and turn.snapshot_offset >= planned - 1 for turn in newest)


def _leader(view: ArenaView) -> str:
    """The agent with the most equity and its equity, as a sentence; "" without accounts."""
    bids, accounts = view.market.bids, view.accounts.by_agent
    equities = {
        name: account.equity(bids) for name, account in accounts.items() if name in view.roster
    }
    if not equities or view.wallets:
        return ""
    best = max(equities, key=lambda name: (equities[name], name))
    amount = f"{from_units(equities[best]):,.2f} {view.currency}"
    return f"{plain_name(best)} has the most equity, {amount}, and no verdict was made"
