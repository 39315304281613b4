"""Matches the entrants of two runs. Pure."""

from collections.abc import Callable, Hashable, Mapping

from arena.errors import UsageError
from judge.entrants import Entrant
from judge.report.facts import Facts


def match_entrants(before: Facts, after: Facts, pairs: Mapping[str, str]) -> list[tuple[int, int]]:
    """Return the indices of matching competing entrants.

    The pairs in `pairs` come first, then equal names, then the only remaining one of a strategy,
    node and seed, then of a strategy and node: the repeats of a cell may differ between runs.

    Raises:
        UsageError: A name in `pairs` is not an entrant.
    """
    left, right = _competing(before), _competing(after)
    found: list[tuple[int, int]] = []
    for old, new in pairs.items():
        if old not in left or new not in right:
            why = _missing(before, old, left) or _missing(after, new, right)
            raise UsageError(f"--pair {old}={new}: {why or 'no such agents in the two runs'}")
        found.append((left.pop(old), right.pop(new)))
    shared = [name for name in left if name in right]
    found += [(left.pop(name), right.pop(name)) for name in shared]
    for key in (_with_seed, _without_seed):
        ours, theirs = _unique(before, left, key), _unique(after, right, key)
        for cell in [cell for cell in ours if cell in theirs]:
            found.append((left.pop(ours[cell]), right.pop(theirs[cell])))
    return sorted(found)


def _competing(facts: Facts) -> dict[str, int]:
    return {one.name: n for n, one in enumerate(facts.entrants) if one.kind == "agent"}


def _with_seed(one: Entrant) -> Hashable:
    return one.strategy, one.node, one.seed


def _without_seed(one: Entrant) -> Hashable:
    return one.strategy, one.node


def _unique(
    facts: Facts, left: Mapping[str, int], key: Callable[[Entrant], Hashable]
) -> dict[Hashable, str]:
    """Return key -> name for the remaining entrants with a unique key."""
    keys = [(key(facts.entrants[number]), name) for name, number in left.items()]
    counted = [one for one, _ in keys]
    return {one: name for one, name in keys if counted.count(one) == 1}


def _missing(facts: Facts, name: str, left: Mapping[str, int]) -> str:
    """Return why a name is not a comparable entrant; "" if it is one."""
    if name in left:
        return ""
    for one in facts.entrants:
        if one.is_cell and name in (facts.season.names[index] for index in one.places):
            return f"{name} is a repeat of {one.name}; name the cell"
    for state, entries in (("dead", facts.season.dead), ("not comparable", facts.season.apart)):
        if any(one.agent == name for one in entries):
            return f"{name} is {state}, and not ranked"
    return ""
