"""Accounts that lost everything or nearly everything. Pure.

A single period decides the return of such an account, so an interval says little about it; its
figures are bounded by the floor of `judge.season.types.log_returns`. An entry with an empty account
at the first compared snapshot is not ranked.
"""

from collections.abc import Iterable
from dataclasses import replace
from math import log

import numpy as np

from arena.agent_health import DeadAgent
from arena.messages import DeadEntry
from judge.formatting import utc_text
from judge.season.dead_entries import unranked_entry
from judge.season.types import EQUITY_FLOOR, EQUITY_FLOOR_SHARE, FloatArray, Season
from judge.simple_returns import DECIDING_MIN, deciding_periods
from judge.statistics import SeasonVerdict
from judge.statistics.types import BoolArray

LEFT_MAX = 0.01
"""An account with at most this share of its money left has lost nearly everything."""
NOTES_MAX = 8
"""Most accounts that are named."""
NO_MONEY = "no_money"
"""Code of the reason why an entry with an empty account has no rank."""
USUAL_MAX = 2.0
"""An error is ordinary up to this multiple of the field's median or the market's error."""
LOST = "its account is lost"
DECIDED = "one period decides its return"
ALONE = "one period decides the return of every other entrant"


def lost_account_notes(season: Season) -> tuple[str, ...]:
    """Return a sentence for each account that lost at least 99 %, with the time.

    Args:
        season: The season.
    """
    notes = []
    for index, entry in enumerate(season.entries):
        equity = season.equity[:, index]
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
    """Return a share near 1 in percent, with enough decimals not to show 100 %."""
    for decimals in range(1, 6):
        text = f"{share * 100:.{decimals}f}"
        if not text.startswith("100"):
            return f"{text} %"
    return "99.99999 %"


def empty_accounts(season: Season, indices: Iterable[int], begin: int) -> frozenset[int]:
    """Return the entries with empty accounts when the comparison starts; none if all are empty.

    An empty account cannot gain or lose: it would look like cash, which the others could have kept.

    Args:
        season: The season.
        indices: Indices of the entries to compare.
        begin: First compared row of the equity.
    """
    members = frozenset(indices)
    first, now = season.equity[0], season.equity[min(begin, season.periods)]
    floor = np.maximum(first * EQUITY_FLOOR_SHARE, EQUITY_FLOOR)
    found = frozenset(index for index in members if now[index] <= floor[index])
    return frozenset() if found == members else found


def empty_account_entry(season: Season, index: int, begin: int) -> DeadEntry:
    """Return the list entry of one whose account is empty when the comparison starts.

    Args:
        season: The season.
        index: Index of the entry.
        begin: First compared row of the equity.
    """
    entry, row = season.entries[index], min(begin, season.periods)
    started = season.equity[0, index] > 0
    had = "nothing left" if started else "nothing to trade with"
    when = f"snapshot {row + 1:,}, {utc_text(season.times[row])}"
    remedy = "judge it in the next contest" if started else "give its account cash at the start"
    why = DeadAgent(
        entry.name, f"had {had} at {when}, when the comparison begins", 0, NO_MONEY, remedy
    )
    return unranked_entry(why, entry, season.decisions[index])


def drop_unknown_p_best(
    verdict: SeasonVerdict, returns: FloatArray, market: FloatArray
) -> SeasonVerdict:
    """Return a verdict without the P(best) values that the season cannot determine.

    A lost account cannot trade any more, so it has no P(best). If one period decides a return, its
    error is that period, whatever its sign: a crash would get even odds. This rule also requires an
    error far above those of the field and the market, so a single trade with ordinary fees keeps
    its P(best). The remaining values add up to 1.

    Args:
        verdict: Verdict on the entrants.
        returns: Compared log returns, [T, entrants].
        market: Log returns of the market, [T].
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
    added = {f"p_best:{name}": reason for name, reason in reasons.items()}
    return replace(verdict, standings=standings, reasons={**verdict.reasons, **added})


def _decided_by_one_period(returns: FloatArray, lost: BoolArray, market: FloatArray) -> BoolArray:
    """Return whose return one period decides, with an error far above the usual ones."""
    errors = np.sqrt(((returns - returns.mean(axis=0)) ** 2).sum(axis=0))
    few = np.array([deciding_periods(column) < DECIDING_MIN for column in returns.T], dtype=bool)
    field = errors[~few & ~lost & (errors > 0)]
    # The market's largest period can be the fees that the index pays.
    moves = np.sort((market - market.mean()) ** 2)[:-1]
    usual = max(float(np.median(field)) if field.size else 0.0, float(np.sqrt(moves.sum())))
    found: BoolArray = few & ~lost & (errors > USUAL_MAX * usual)
    return found
