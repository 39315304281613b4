"""Which models took the seeds that were sent to them, from the record of every call. Pure.

A chat node sends repeat k of every cell the same seed at the same snapshot, unless the provider
refuses seeds or the operator took the field out. What was sent is in `llm.calls`.
"""

from typing import NamedTuple

from judge.season.model import Season


class SeedsSent(NamedTuple):
    """Models by what became of the seeds, sorted; a model without a seeded agent is in neither.

    Attributes:
        taken: Every call that was answered had held a seed.
        refused: An answered call of an agent with a seed had held none.
    """

    taken: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


def seeds_sent(season: Season) -> SeedsSent:
    """What became of the seeds of the agents that compete; scripted rules are left out."""
    kinds: dict[str, set[bool]] = {}
    for entry, spend in zip(season.entries, season.llm, strict=True):
        if entry.kind == "agent" and entry.seed is not None and spend.answered and entry.model:
            kinds.setdefault(entry.model, set()).add(spend.seeded == spend.answered)
    return SeedsSent(
        taken=tuple(sorted(model for model, all_held in kinds.items() if all_held == {True})),
        refused=tuple(sorted(model for model, all_held in kinds.items() if False in all_held)),
    )
