"""Accounts that lost everything, or nearly: who, how much and when. Pure.

The return of such an account is a single period of the season, so no interval says much of it; its
figures are bounded by the floor of `judge.season.types.log_returns`. An entry that has nothing at
the first compared snapshot is not ranked.
"""

from collections.abc import Iterable
from dataclasses import replace
from math import log

import numpy as np

from arena.agent_health import Dead
from arena.messages import DeadEntry
from judge.formatting import utc_text
from judge.season.dead_entries import unranked_entry
from judge.season.types import EQUITY_FLOOR, EQUITY_FLOOR_SHARE, FloatArray, Season
from judge.simple_returns import DECIDING_MIN, deciding_periods
from judge.statistics import SeasonVerdict
from judge.statistics.types import BoolArray

LEFT_MAX = 0.01
"""An account with no more of its money than this share has lost nearly everything."""
NOTES_MAX = 8
NO_MONEY = "no_money"
"""Code of the reason why an entry with nothing has no rank."""
USUAL_MAX = 2.0
"""An error up to this many times the field's median, or the market's, is an ordinary one."""
LOST = "its account is lost"
DECIDED = "one period decides its return"
ALONE = "one period decides the return of every other entrant"


def lost_account_notes(season: Season) -> tuple[str, ...]:
    """Who lost at least 99 % of the account and when, one sentence each.

    Args:
        season: The season.
    """
    notes = []
    for place, entry in enumerate(season.entries):
        equity = season.equity[:, place]
        if equity[0] <= 0:
            notes.append(f"{entry.name} had nothing from the start.")
            continue
        left = equity / equity[0]
        low = np.flatnonzero(left <= LEFT_MAX)
        if not low.size or not season.periods:
            continue
        row = min(int(low[0]), season.periods - 1)
        lost = float(1 - left.min())
        what = "everything" if lost >= 1 else f"{_percent(lost)} of its account"
        when = utc_text(season.times[row])
        notes.append(
            f"{entry.name} lost {what}: 1 % of it or less was left by snapshot {row + 1:,}, {when}."
        )
    more = len(notes) - NOTES_MAX
    if more > 0:
        return (*notes[:NOTES_MAX], f"{more} more accounts lost nearly everything.")
    return tuple(notes)


def _percent(share: float) -> str:
    """A share near 1 in percent, with as many nines as it takes."""
    for decimals in range(1, 6):
        text = f"{share * 100:.{decimals}f}"
        if not text.startswith("100"):
            return f"{text} %"
    return "99.99999 %"


def empty_accounts(season: Season, places: Iterable[int], begin: int) -> frozenset[int]:
    """Who of these has nothing when the comparison begins; none if that is all of them.

    Nothing cannot gain or lose: it would look like cash, which is what the others could have kept.

    Args:
        season: The season.
        places: Of those that would be compared.
        begin: Row of the equity from which they are.
    """
    members = frozenset(places)
    first, now = season.equity[0], season.equity[min(begin, season.periods)]
    floor = np.maximum(first * EQUITY_FLOOR_SHARE, EQUITY_FLOOR)
    found = frozenset(place for place in members if now[place] <= floor[place])
    return frozenset() if found == members else found


def empty_account_entry(season: Season, place: int, begin: int) -> DeadEntry:
    """The line of an entry that has nothing when the comparison begins.

    Args:
        season: The season.
        place: Of the entry in it.
        begin: Row of the equity from which the others are compared.
    """
    entry, row = season.entries[place], min(begin, season.periods)
    started = season.equity[0, place] > 0
    had = "nothing left" if started else "nothing to trade with"
    when = f"snapshot {row + 1:,}, {utc_text(season.times[row])}"
    remedy = "judge it in the next contest" if started else "give its account cash at the start"
    why = Dead(entry.name, f"had {had} at {when}, when the comparison begins", 0, NO_MONEY, remedy)
    return unranked_entry(why, entry, season.decisions[place])


def drop_unknown_p_best(
    verdict: SeasonVerdict, returns: FloatArray, market: FloatArray
) -> SeasonVerdict:
    """A verdict without the chances to be the best that the season cannot tell.

    An account that is lost cannot trade any more: it has none. Where one period decides a return,
    its error is that period, however it came out: a crash would be as good as even odds. That is
    so if the error is also far above those of the field and of the market; that of a single trade
    with ordinary fees is not.
    The chances of the others add up to 1.

    Args:
        verdict: Of the entrants.
        returns: [T, entrants] compared log returns.
        market: [T] those of the market.
    """
    if all(one.p_best is None for one in verdict.standings):
        return verdict
    lost = returns.sum(axis=0) <= log(LEFT_MAX)
    decided = _decided_by_one_period(returns, lost, market)
    reasons = {}
    for one, is_lost, is_decided in zip(verdict.standings, lost, decided, strict=True):
        if one.p_best is not None and (is_lost or is_decided):
            reasons[one.name] = LOST if is_lost else DECIDED
    chances = {one.name: one.p_best for one in verdict.standings if one.p_best is not None}
    left = [name for name in chances if name not in reasons]
    if not reasons:
        return verdict
    if len(left) == 1 and decided.any():
        reasons[left[0]] = ALONE
    whole = sum(chances[name] for name in left) or 1.0
    standings = tuple(
        replace(one, p_best=None if one.name in reasons else one.p_best and one.p_best / whole)
        for one in verdict.standings
    )
    told = {f"p_best:{name}": reason for name, reason in reasons.items()}
    return replace(verdict, standings=standings, reasons={**verdict.reasons, **told})


def _decided_by_one_period(returns: FloatArray, lost: BoolArray, market: FloatArray) -> BoolArray:
    """Whose return one period decides, so that its error is far above the usual ones."""
    errors = np.sqrt(((returns - returns.mean(axis=0)) ** 2).sum(axis=0))
    few = np.array([deciding_periods(column) < DECIDING_MIN for column in returns.T], dtype=bool)
    field = errors[~few & ~lost & (errors > 0)]
    # The largest period of the market may be what an index of it pays in fees.
    moves = np.sort((market - market.mean()) ** 2)[:-1]
    usual = max(float(np.median(field)) if field.size else 0.0, float(np.sqrt(moves.sum())))
    found: BoolArray = few & ~lost & (errors > USUAL_MAX * usual)
    return found
