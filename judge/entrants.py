"""Who is compared with whom, and on which part of the season: entrants and their window. Pure.

Repeats of a cell (the same strategy, chat node, model and setup, another seed) are one entrant: how
they differ from each other is noise, so they do not compete with each other. A cell keeps its name
while one of its repeats is compared. Its return in a period is the mean of the log returns of its
repeats. Every other agent and every baseline is an entrant.

An account that does not play keeps its money: its return in a market that rises is a loss against
all others. So entrants are compared on the snapshots in which all of them played. An entry that
would cost the others more than half of the season is listed apart; the rest decide the window. In
a season without a planned end one that left is apart at once (`judge.leavers`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple, TypeVar

import numpy as np

from arena.agent_health import Dead
from arena.messages import DeadEntry
from judge.cells import Entrant as Entrant
from judge.cells import entrants_of as entrants_of
from judge.cells import gone_notes
from judge.formatting import joined_names, utc_text
from judge.leavers import leavers, left_entry
from judge.lost_accounts import empty_account_entry, empty_accounts
from judge.season.dead_entries import unranked_entry
from judge.season.types import Entry, FloatArray, Season

START_SNAPSHOTS = 5
"""Who decides on one of these first snapshots was there from the start."""
START_TURNS = 2
"""So was who missed fewer turns at its own cadence."""
NOTES_MAX = 8
COMPARED_MIN = 60
"""Periods below which no verdict is given; who leaves fewer, if others have more, is apart."""

JOINED_LATE = "joined_late"
LEFT_EARLY = "left_early"
"""Codes of the reasons for which an entry has no rank."""
REMEDY = {
    JOINED_LATE: "start every agent with the contest, or judge it in the next one",
    LEFT_EARLY: "keep its router running to the end, or judge it in the next contest",
}
T = TypeVar("T")


class ComparedWindow(NamedTuple):
    """The snapshots that are compared: rows `begin` to `end` of the returns, without `end`."""

    begin: int
    end: int

    @property
    def periods(self) -> int:
        """How many returns it has."""
        return max(self.end - self.begin, 0)

    def cut(self, rows: FloatArray) -> FloatArray:
        """Its part of an array of which each row is a period."""
        return rows[self.begin : max(self.end, self.begin)]


@dataclass(frozen=True, slots=True)
class ComparedField:
    """Who is compared, and on what.

    Attributes:
        season: Without the entries that joined too late or left too early; they are `apart`.
        entrants: In the order of the season's entries.
        window: What is compared.
        notes: Who joined late, left or paused without being apart, and which cells have lost a
            repeat, one sentence each.
    """

    season: Season
    entrants: tuple[Entrant, ...]
    window: ComparedWindow
    notes: tuple[str, ...] = ()

    @property
    def shown(self) -> ComparedWindow:
        """The snapshots of which returns are shown: all, unless the compared part is shorter.

        A live season's last row is not compared, as it is not complete; it is shown.
        """
        count, window = self.season.periods, self.window
        short = window.begin > 0 or window.periods < count - 1
        return window if short and window.periods else ComparedWindow(0, count)


def compared_field(
    season: Season, *, planned: int | None = None, over: bool = True
) -> ComparedField:
    """Find the entrants of a season and the part of it in which all of them played.

    Args:
        season: All of it, or its beginning.
        planned: Snapshots that it is to have; None if that is not known.
        over: No snapshot will be added. While one may be, the last row of the returns is not
            complete, and does not count.
    """
    last = max(planned or 0, season.periods)
    entries = season.entries
    played = [played_window(entry, season.periods, last) for entry in entries]
    gone = leavers(entries) if planned is None else frozenset()
    places = [n for n in range(len(entries)) if n not in gone]
    window, chosen = _widest_window(
        [played[n] for n in places], [entries[n].kind == "agent" for n in places]
    )
    members = {places[n] for n in chosen}
    broke = empty_accounts(season, members, window.begin)
    members -= broke
    kept = with_entries(season, sorted(members))
    apart = [
        left_entry(season, place, LEFT_EARLY)
        if place in gone
        else empty_account_entry(season, place, window.begin)
        if place in broke
        else _incomparable(season, place, played[place], window, last)
        for place in range(len(entries))
        if place not in members
    ]
    kept = replace(kept, apart=(*kept.apart, *apart))
    notes = _notes(season, [(season.entries[n], played[n]) for n in sorted(members)], window, last)
    complete = season.periods if over else max(season.periods - 1, 0)
    end = min(window.end, complete)
    # Until it joined its cell had one agent less, which was known by its own name.
    not_ranked = [one for one in (*kept.dead, *kept.apart) if one.code != JOINED_LATE]
    entrants = entrants_of(kept.entries, not_ranked)
    lost = _bounded(gone_notes(entrants), "more cells have lost repeats")
    return ComparedField(
        season=kept,
        entrants=entrants,
        window=ComparedWindow(min(window.begin, end), end),
        notes=(*lost, *notes, *_absence_notes(kept)),
    )


def played_window(entry: Entry, periods: int, last: int) -> ComparedWindow:
    """The snapshots that an entry played, or will have played at the season's end.

    Args:
        entry: Who.
        periods: Snapshots of the season so far.
        last: Snapshots that the season is to have.
    """
    tolerated = max(START_SNAPSHOTS, START_TURNS * entry.cadence)
    begin = 0 if entry.joined <= tolerated else entry.joined
    if entry.joined >= periods and begin:
        begin = last  # It has decided nothing yet: when it will is not known.
    return ComparedWindow(begin, last if entry.left is None else max(entry.left, begin))


def _widest_window(
    played: Sequence[ComparedWindow], agents: Sequence[bool]
) -> tuple[ComparedWindow, frozenset[int]]:
    """The window that most entries share, and who they are.

    It has at least half of the longest spell. Among windows with as many entries, agents count
    first, then the length, then the later one, which may continue.
    """
    everyone = frozenset(range(len(played)))
    longest = max((own.periods for own in played), default=0)
    if not longest:
        return ComparedWindow(0, max((own.end for own in played), default=0)), everyone
    least = -(-longest // 2)
    if longest >= COMPARED_MIN:
        least = max(least, COMPARED_MIN)
    best: tuple[tuple[int, int, int, int], ComparedWindow, frozenset[int]] | None = None
    begins, ends = (
        {own.begin for own in played},
        {own.end for own in played},
    )
    for begin, end in product(sorted(begins), sorted(ends)):
        if end - begin < least:
            continue
        members = frozenset(n for n, s in enumerate(played) if s.begin <= begin and end <= s.end)
        worth = (len(members), sum(agents[n] for n in members), end - begin, begin)
        if members and (best is None or worth > best[0]):
            best = worth, ComparedWindow(begin, end), members
    assert best is not None, "the longest spell is a window of its own"
    return best[1], best[2]


def with_entries(season: Season, members: Iterable[int]) -> Season:
    """A season with these entries alone, by place and in this order."""
    places = list(members)
    if places == list(range(len(season.entries))):
        return season

    def of(rows: Sequence[T]) -> tuple[T, ...]:
        return tuple(rows[n] for n in places)

    return replace(
        season,
        entries=of(season.entries),
        equity=season.equity[:, places],
        cash=season.cash[:, places],
        exposure=season.exposure[:, places],
        fills=of(season.fills),
        rejections=of(season.rejections),
        decisions=of(season.decisions),
        llm=of(season.llm),
    )


def entrant_means(entrants: Sequence[Entrant], rows: FloatArray) -> FloatArray:
    """[T, entrants] the mean over each entrant's entries of rows [T, entries]."""
    if not entrants:
        return rows[:, :0]
    return np.column_stack([rows[:, list(one.places)].mean(axis=1) for one in entrants])


def entrant_returns(field: ComparedField) -> FloatArray:
    """[T, entrants] log returns on the compared part of the season."""
    return entrant_means(field.entrants, field.window.cut(field.season.log_returns()))


def _incomparable(
    season: Season, place: int, own: ComparedWindow, window: ComparedWindow, last: int
) -> DeadEntry:
    """An entry that would cost the others too much of the season."""
    entry = season.entries[place]
    common = ComparedWindow(max(own.begin, window.begin), min(own.end, window.end)).periods
    late = own.begin - window.begin >= window.end - own.end
    code = JOINED_LATE if late else LEFT_EARLY
    if late and entry.joined >= season.periods:
        cause = f"has decided nothing in {season.periods:,} snapshots"
    else:
        what, index = ("joined", own.begin) if late else ("left", own.end - 1)
        share = common / max(last, 1)
        cause = (
            f"{what} at snapshot {index + 1:,} of {last:,}, {_when(season, index)}:"
            f" only {int(share * 100)} % of the season could be compared"
        )
    why = Dead(entry.name, cause, 0, code, REMEDY[code])
    return unranked_entry(why, entry, season.decisions[place])


def _bounded(found: Sequence[str], what: str) -> tuple[str, ...]:
    """The first notes, and how many more there are of what."""
    more = len(found) - NOTES_MAX
    return (*found[:NOTES_MAX], f"{more} {what}.") if more > 0 else tuple(found)


def _absence_notes(season: Season) -> tuple[str, ...]:
    """Who paused for long and came back, one sentence each."""
    found = []
    for entry in season.entries:
        for begin, end in entry.away:
            found.append(
                f"{entry.name} had no turn on snapshots {begin + 1:,} to {end:,}, from"
                f" {_when(season, begin)} on; what it held then was not managed, and counts."
            )
    return _bounded(found, "more pauses were long")


def _notes(
    season: Season,
    members: Sequence[tuple[Entry, ComparedWindow]],
    window: ComparedWindow,
    last: int,
) -> tuple[str, ...]:
    """Who decided where the compared part begins and ends, and what that part is."""
    notes: list[str] = []
    begun = [e.name for e, own in members if own.begin == window.begin > 0]
    # If all of them began with the window, nothing was left out for one of them.
    if begun and len(begun) < len(members):
        at = f"snapshot {window.begin + 1:,} of {last:,}, {_when(season, window.begin)}"
        notes.append(f"{joined_names(begun)} joined at {at}")
    ended = [e.name for e, own in members if own.end == window.end < last]
    if ended and len(ended) < len(members):
        at = f"snapshot {window.end:,} of {last:,}, {_when(season, window.end - 1)}"
        notes.append(f"{joined_names(ended)} left after {at}")
    if not notes:
        return ()
    return (
        f"{'; '.join(notes)}: compared are snapshots {window.begin + 1:,} to {window.end:,}, in"
        " which every entrant played.",
    )


def _when(season: Season, index: int) -> str:
    return utc_text(season.times[min(max(index, 0), len(season.times) - 1)])
