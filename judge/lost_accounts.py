"""Accounts that lost everything, or nearly: who, how much and when. Pure.

The return of such an account is a single period of the season, so no interval says much of it; its
figures are bounded by the floor of `judge.season.model.log_returns`.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import log

import numpy as np

from judge.formatting import utc_words
from judge.season.model import Season
from judge.statistics import Verdict

LEFT_MAX = 0.01
"""An account with no more of its money than this share has lost nearly everything."""
NOTES_MAX = 8
LOST = "its account is lost"


def ruin_notes(season: Season) -> tuple[str, ...]:
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
        when = utc_words(season.times[row])
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


def without_lost(verdict: Verdict, totals: Sequence[float]) -> Verdict:
    """A verdict in which an entrant whose account is lost has no chance to be the best.

    One period decided such a total, so its error says that anything could have happened; but the
    account cannot trade any more. The chances of the others add up to 1 without it.

    Args:
        verdict: Of the entrants.
        totals: Sum of the compared log returns of each.
    """
    lost = [total <= log(LEFT_MAX) for total in totals]
    left = sum(
        one.p_best or 0.0 for one, gone in zip(verdict.standings, lost, strict=True) if not gone
    )
    if not any(lost) or left <= 0:
        return verdict
    standings = tuple(
        replace(one, p_best=None if gone or one.p_best is None else one.p_best / left)
        for one, gone in zip(verdict.standings, lost, strict=True)
    )
    reasons = {
        f"p_best:{one.name}": LOST
        for one, gone in zip(verdict.standings, lost, strict=True)
        if gone
    }
    return replace(verdict, standings=standings, reasons={**verdict.reasons, **reasons})
