"""Which entrants are compared, and on which part of the season. Pure.

The repeats of a cell are one entrant (`judge.cells`). Its return in a period is the mean of the log
returns of its repeats. Every other agent and every baseline is an entrant.

An account that does not play keeps its money: in a rising market it loses against all others. So
entrants are compared on the snapshots in which all of them played. An entry that would cost the
others more than half of the season is not compared; the rest determine the window. In a season
without a planned end an entry that left is not compared from then on (`judge.leavers`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple, TypeVar

import numpy as np

from arena.agent_health import DeadAgent
from arena.messages import DeadEntry
from judge.cells import Entrant as Entrant
from judge.cells import entrants_of as entrants_of
from judge.cells import gone_notes
from judge.formatting import joined_names, utc_text
from judge.leavers import leavers, left_entry
from judge.lost_accounts import empty_account_entry, empty_accounts
from judge.season.currencies import parts_of
from judge.season.dead_entries import unranked_entry
from judge.season.types import Entry, FloatArray, Season

START_SNAPSHOTS = 5
"""An entry that decides on one of this many first snapshots was present from the start."""
START_TURNS = 2
"""So was an entry that missed fewer turns at its own cadence."""
NOTES_MAX = 8
"""Most notes of one kind."""
COMPARED_MIN = 60
"""Least number of periods for a verdict; an entry that would leave fewer is not compared."""

JOINED_LATE = "joined_late"
LEFT_EARLY = "left_early"
"""Codes of reasons why an entry has no rank."""
REMEDY = {
    JOINED_LATE: "start every agent with the contest, or judge it in the next one",
    LEFT_EARLY: "keep its router running to the end, or judge it in the next contest",
}
T = TypeVar("T")


class ComparedWindow(NamedTuple):
    """The compared snapshots: rows `begin` to `end` of the returns, without `end`."""

    begin: int
    end: int

    @property
    def periods(self) -> int:
        """Number of return periods."""
        return max(self.end - self.begin, 0)

    def cut(self, rows: FloatArray) -> FloatArray:
        """Return the window's part of an array with one row per period."""
        return rows[self.begin : max(self.end, self.begin)]


@dataclass(frozen=True, slots=True)
class ComparedField:
    """The compared entrants and window.

    Attributes:
        season: The season; entries that joined too late or left too early are in `apart`.
        entrants: The entrants, in the order of the season's entries.
        window: The compared snapshots.
        notes: Sentences about compared entries that joined late, left or paused, and about cells
            that have lost a repeat.
    """

    season: Season
    entrants: tuple[Entrant, ...]
    window: ComparedWindow
    notes: tuple[str, ...] = ()

    @property
    def shown(self) -> ComparedWindow:
        """Window of the shown returns: the whole season unless the compared window is shorter.

        A live season's last row is incomplete, so it is not compared; it is shown.
        """
        count, window = self.season.periods, self.window
        short = window.begin > 0 or window.periods < count - 1
        return window if short and window.periods else ComparedWindow(0, count)


def compared_field(
    season: Season, *, planned: int | None = None, over: bool = True
) -> ComparedField:
    """Return the entrants of a season and the window in which all of them played.

    Args:
        season: The season, or its first snapshots.
        planned: Planned number of snapshots; None if it is not known.
        over: True if no snapshot will be added. Otherwise the last row of the returns is not
            complete, and does not count.
    """
    last = max(planned or 0, season.periods)
    entries = season.entries
    played = [played_window(entry, season.periods, last) for entry in entries]
    gone = leavers(entries) if planned is None else frozenset()
    indices = [n for n in range(len(entries)) if n not in gone]
    window, chosen = _widest_window(
        [played[n] for n in indices], [entries[n].kind == "agent" for n in indices]
    )
    members = {indices[n] for n in chosen}
    broke = empty_accounts(season, members, window.begin)
    members -= broke
    compared = with_entries(season, sorted(members))
    apart = [
        left_entry(season, index, LEFT_EARLY)
        if index in gone
        else empty_account_entry(season, index, window.begin)
        if index in broke
        else _incomparable(season, index, played[index], window, last)
        for index in range(len(entries))
        if index not in members
    ]
    compared = replace(compared, apart=(*compared.apart, *apart))
    notes = _notes(season, [(season.entries[n], played[n]) for n in sorted(members)], window, last)
    complete = season.periods if over else max(season.periods - 1, 0)
    end = min(window.end, complete)
    # A repeat that joined late does not rename an agent that was alone in its cell.
    not_ranked = [one for one in (*compared.dead, *compared.apart) if one.code != JOINED_LATE]
    entrants = entrants_of(compared.entries, not_ranked)
    lost = _bounded(gone_notes(entrants), "more cells have lost repeats")
    return ComparedField(
        season=compared,
        entrants=entrants,
        window=ComparedWindow(min(window.begin, end), end),
        notes=(*lost, *notes, *_absence_notes(compared)),
    )


def played_window(entry: Entry, periods: int, last: int) -> ComparedWindow:
    """Return the window that an entry played, or will have played at the season's end.

    Args:
        entry: The entry.
        periods: Number of snapshots so far.
        last: Planned number of snapshots.
    """
    tolerated = max(START_SNAPSHOTS, START_TURNS * entry.cadence)
    begin = 0 if entry.joined <= tolerated else entry.joined
    if entry.joined >= periods and begin:
        begin = last  # It has not decided anything yet, and its start is unknown.
    return ComparedWindow(begin, last if entry.left is None else max(entry.left, begin))


def _widest_window(
    played: Sequence[ComparedWindow], agents: Sequence[bool]
) -> tuple[ComparedWindow, frozenset[int]]:
    """Return the window that most entries share, and those entries.

    It has at least half of the longest played window. Among windows with equally many entries, the
    one with more agents is chosen, then the longer, then the later one, which may continue.
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
    assert best is not None, "the longest played window is itself a candidate"
    return best[1], best[2]


def with_entries(season: Season, members: Iterable[int]) -> Season:
    """Return a season with only these entries, by index and in this order."""
    indices = list(members)
    if indices == list(range(len(season.entries))):
        return season

    def of(rows: Sequence[T]) -> tuple[T, ...]:
        return tuple(rows[n] for n in indices)

    return replace(
        season,
        entries=of(season.entries),
        equity=season.equity[:, indices],
        cash=season.cash[:, indices],
        exposure=season.exposure[:, indices],
        fills=of(season.fills),
        rejections=of(season.rejections),
        decisions=of(season.decisions),
        llm=of(season.llm),
        gates=of(season.gates) if season.gates else (),
        parts=parts_of(season.parts, indices),
    )


def entrant_means(entrants: Sequence[Entrant], rows: FloatArray) -> FloatArray:
    """Return the mean over each entrant's entries, [T, entrants], of rows [T, entries]."""
    if not entrants:
        return rows[:, :0]
    return np.column_stack([rows[:, list(one.places)].mean(axis=1) for one in entrants])


def entrant_returns(field: ComparedField) -> FloatArray:
    """Return the entrants' log returns in the compared window, [T, entrants]."""
    return entrant_means(field.entrants, field.window.cut(field.season.log_returns()))


def _incomparable(
    season: Season, position: int, own: ComparedWindow, window: ComparedWindow, last: int
) -> DeadEntry:
    """Return the list entry of an entry that would make the compared part too short."""
    entry = season.entries[position]
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
    why = DeadAgent(entry.name, cause, 0, code, REMEDY[code])
    return unranked_entry(why, entry, season.decisions[position])


def _bounded(found: Sequence[str], what: str) -> tuple[str, ...]:
    """Return the first notes, and the number of further ones."""
    more = len(found) - NOTES_MAX
    return (*found[:NOTES_MAX], f"{more} {what}.") if more > 0 else tuple(found)


def _absence_notes(season: Season) -> tuple[str, ...]:
    """Return a sentence for each long pause after which an entry returned."""
    found = []
    for entry in season.entries:
        for begin, end in entry.away:
            found.append(
                f"{entry.name} had no turn on snapshots {begin + 1:,} to {end:,}, from"
                f" {_when(season, begin)} on; its positions were not managed then, and count."
            )
    return _bounded(found, "more pauses were long")


def _notes(
    season: Season,
    members: Sequence[tuple[Entry, ComparedWindow]],
    window: ComparedWindow,
    last: int,
) -> tuple[str, ...]:
    """Return which entries limit the compared window, and what it is; () if none does."""
    notes: list[str] = []
    begun = [e.name for e, own in members if own.begin == window.begin > 0]
    # If all of them joined at the start of the window, no snapshot was left out.
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
