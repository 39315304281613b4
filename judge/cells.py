"""Cells: the repeats of one setup form one entrant. Pure.

Repeats of a cell (the same strategy, chat node, model and setup, another seed) differ by noise, so
they do not compete with each other. A cell keeps its name while one of its repeats is compared.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from arena.messages import DeadEntry
from judge.formatting import joined_names
from judge.season.types import Entry

_NUMBERED = re.compile(r"(.+?)[-_.#]*\d+")


@dataclass(frozen=True, slots=True)
class Entrant:
    """A competitor in the comparison: a cell with its repeats, or a single entry.

    Attributes:
        name: Name of the entry, or of the cell: the common part of its repeats' names.
        places: Indices of its entries in the season, in order.
        kind, strategy, node, model, scripted: As in its entries.
        seed: Seed of a single entry; None without a seed, or with repeats.
        gone: Names of its repeats that are dead or not compared.
    """

    name: str
    places: tuple[int, ...]
    kind: Literal["agent", "baseline"]
    strategy: str
    node: str
    model: str
    scripted: bool
    seed: int | None = None
    gone: tuple[str, ...] = ()

    @property
    def is_cell(self) -> bool:
        """True if it has several repeats, at least one of which is compared."""
        return len(self.places) + len(self.gone) > 1


def entrants_of(
    entries: Sequence[Entry], unranked: Sequence[DeadEntry] = ()
) -> tuple[Entrant, ...]:
    """Return the entrants of a season's entries; a cell is at the position of its first repeat.

    Args:
        entries: The compared entries.
        unranked: Dead and incomparable entries: a cell with a single repeat left keeps its name.
    """
    setups: dict[object, set[str]] = {}
    for entry in entries:
        setups.setdefault(_setup_key(entry), set()).add(entry.setup)
    cells: dict[object, list[int]] = {}
    for index, entry in enumerate(entries):
        key: object = index
        if entry.kind == "agent" and entry.seed is not None:
            # If the roster no longer has an entry, its setup is that of the others if they agree.
            known = sorted(setups[_setup_key(entry)] - {""})
            key = _setup_key(entry), entry.setup or (known[0] if len(known) == 1 else "")
        cells.setdefault(key, []).append(index)
    groups: list[list[int]] = []
    for indices in cells.values():
        seeds = {entries[n].seed for n in indices}
        # If a seed occurs twice, the entries differ in more than the seed.
        groups += [indices] if len(seeds) == len(indices) else [[n] for n in indices]
    groups.sort()
    repeats = [[entries[n] for n in group] for group in groups]
    gone = _gone_of(repeats, unranked)
    taken = {one[0].name for one, lost in zip(repeats, gone, strict=True) if len(one + lost) == 1}
    found = []
    for group, own, lost in zip(groups, repeats, gone, strict=True):
        first, name, seed = own[0], own[0].name, own[0].seed
        if len(own + lost) > 1:
            name = _unused_name(_cell_names(first, [one.name for one in own] + lost), taken)
            seed = None
        taken.add(name)
        found.append(
            Entrant(
                name, tuple(group), first.kind, first.strategy, first.node, first.model,
                first.scripted, seed, tuple(lost),
            )
        )  # fmt: skip
    return tuple(found)


def _gone_of(repeats: Sequence[Sequence[Entry]], unranked: Sequence[DeadEntry]) -> list[list[str]]:
    """Return the names of each group's repeats that are not compared.

    If the roster no longer has its setup, an entry may match two groups; it then belongs to the one
    with the stem of its name.
    """
    found: list[list[str]] = [[] for _ in repeats]
    for one in unranked:
        if one.seed is None or one.kind != "agent":
            continue
        indices = [n for n, own in enumerate(repeats) if _was_repeat(one, own)]
        if len(indices) > 1:
            indices = [
                n for n in indices if _stem(one.agent) in {_stem(e.name) for e in repeats[n]}
            ]
        if len(indices) == 1:
            found[indices[0]].append(one.agent)
    return found


def _was_repeat(one: DeadEntry, own: Sequence[Entry]) -> bool:
    """Return True if an unranked entry has the setup of these repeats and another seed."""
    first = own[0]
    if first.seed is None or one.seed in {entry.seed for entry in own}:
        return False
    if (one.kind, one.strategy, one.node) != (first.kind, first.strategy, first.node):
        return False
    if one.setup and first.setup and one.setup != first.setup:
        return False
    # An entry whose model never answered has no model name.
    return not one.model or (one.model, one.scripted) == (first.model, first.scripted)


def _setup_key(entry: Entry) -> object:
    return entry.kind, entry.strategy, entry.node, entry.model, entry.scripted


def _stem(name: str) -> str:
    """Return a name without the number at its end."""
    return found[1] if (found := _NUMBERED.fullmatch(name)) else name


def _cell_names(first: Entry, repeats: Sequence[str]) -> list[str]:
    """Return possible names for a cell, the best one first."""
    stems = {_stem(name) for name in repeats}
    made = f"{first.strategy} x {first.node}"
    return [*(stems if len(stems) == 1 else ()), made, f"{made} x {first.model}"]


def _unused_name(names: Sequence[str], taken: set[str]) -> str:
    for name in names:
        if name not in taken:
            return name
    number = 2
    while f"{names[-1]} ({number})" in taken:
        number += 1
    return f"{names[-1]} ({number})"


def gone_notes(entrants: Sequence[Entrant]) -> tuple[str, ...]:
    """Return one sentence for each cell that has lost repeats."""
    return tuple(
        f"{one.name} is compared by {len(one.places)} of its"
        f" {len(one.places) + len(one.gone)} repeats, without {joined_names(one.gone)}."
        for one in entrants
        if one.gone
    )
