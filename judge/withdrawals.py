"""Claims that were made before the compared part of a season changed. Pure.

An entry that joins late, and is still compared, moves the beginning of what is compared. What was
claimed until then was true of another part, and of other entrants: it is withdrawn, in words.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from arena.vitals import DEAD_TURNS
from judge.entrants import COMPARED_MIN, Field, field_of, spell_of, without
from judge.season.model import FloatArray, Season
from judge.statistics import Pair
from judge.statistics.looks import Horizon

CHANGES_MAX = 2
"""Changes of the compared part that are looked at, the newest ones."""
CLAIMS_SHOWN = 6


class EarlierClaim(NamedTuple):
    """A claim as it was: who beats whom, and after how many snapshots it was made."""

    winner: str
    loser: str
    snapshots: int


Judge = Callable[[Field, Horizon], tuple[Pair, ...]]
"""The pairs of a field, as the caller judges them."""


def lost_claims(
    season: Season, field: Field, horizon: Horizon, judge: Judge, kept: set[tuple[str, str]]
) -> tuple[str, ...]:
    """What was claimed before the compared part changed, and is not any more; one sentence each.

    Args:
        season: All of it, with the entries that are apart.
        field: What is compared now.
        horizon: Of the season.
        judge: Judges the field that was compared before.
        kept: Winner and loser of the claims that hold now.
    """
    found = []
    for begin in _changes(field, horizon)[-CHANGES_MAX:]:
        before = _beginning(season, _until(begin, horizon))
        old = field_of(before, planned=horizon.planned, over=False)
        if old.window.periods < COMPARED_MIN:
            continue
        claims = [
            claim
            for claim in _claims_held(old, judge(old, horizon))
            if (claim.winner, claim.loser) not in kept
        ]
        if claims:
            named = [e.name for e in field.season.entries if e.joined == begin]
            found.append(_words(claims, named, begin))
    return tuple(found)


def _changes(field: Field, horizon: Horizon) -> list[int]:
    """The snapshots with which the compared part began, but for the first beginning."""
    season = field.season
    last = max(horizon.planned or 0, season.periods)
    begins = sorted({spell_of(e, season.periods, last).begin for e in season.entries})
    return [begin for begin in begins[1:] if begin <= field.window.begin]


def _until(begin: int, horizon: Horizon) -> int:
    """Snapshots of the season just before an entry that joined at one of them was compared."""
    if horizon.planned is not None or horizon.over:
        return begin
    return max(2 * begin, begin + COMPARED_MIN) - 1


def _beginning(season: Season, snapshots: int) -> Season:
    """The season as it was after so many snapshots; its last row is no whole period."""
    count = min(snapshots, season.periods)
    there = [n for n, e in enumerate(season.entries) if e.joined < count]
    found = without(season, there)
    entries = tuple(
        replace(e, left=e.left if _was_gone(e.left, e.cadence, count) else None)
        for e in found.entries
    )

    def rows(array: FloatArray) -> FloatArray:
        return np.concatenate([array[:count], array[count - 1 : count]])

    return replace(
        found,
        entries=entries,
        equity=rows(found.equity),
        cash=rows(found.cash),
        exposure=rows(found.exposure),
        hold=rows(found.hold),
        times=found.times[: count + 1],
        snapshot_ids=found.snapshot_ids[:count],
    )


def _was_gone(left: int | None, cadence: int, snapshots: int) -> bool:
    return left is not None and left + DEAD_TURNS * cadence <= snapshots


def _claims_held(field: Field, pairs: tuple[Pair, ...]) -> list[EarlierClaim]:
    """The claims that held, by the names of entrants."""
    found = []
    for pair in pairs:
        if pair.claimed_at is None or pair.withdrawn_at is not None or pair.difference is None:
            continue
        ahead = pair.difference.estimate > 0
        winner, loser = (pair.a, pair.b) if ahead else (pair.b, pair.a)
        made = min(field.window.begin + pair.claimed_at + 1, field.season.periods)
        names = (field.entrants[winner].name, field.entrants[loser].name)
        found.append(EarlierClaim(*names, snapshots=made))
    return found


def _words(claims: list[EarlierClaim], joined: list[str], begin: int) -> str:
    shown = [f"{c.winner} beats {c.loser} (since snapshot {c.snapshots:,})" for c in claims]
    more = f"; and {len(claims) - CLAIMS_SHOWN} more" if len(claims) > CLAIMS_SHOWN else ""
    who = ", ".join(joined[:CLAIMS_SHOWN]) or "another entrant"
    return (
        f"Withdrawn because {who} joined at snapshot {begin + 1:,} and the comparison begins there:"
        f" {'; '.join(shown[:CLAIMS_SHOWN])}{more}."
    )
