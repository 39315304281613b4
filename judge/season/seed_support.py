"""Which models accepted a seed, from the records of their calls. Pure.

A chat node sends the same seed for repeat k of every cell at the same snapshot, unless the provider
refuses seeds or the operator removed the field. The options that were sent are in `llm.calls`.
"""

from typing import NamedTuple

from judge.season.types import Season


class SeedSupport(NamedTuple):
    """Models that accepted seeds and models that did not, sorted; others are in neither.

    Attributes:
        taken: Models of which every answered call had a seed.
        refused: Models of which an answered call of an agent with a seed had none.
    """

    taken: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


def seed_support(season: Season) -> SeedSupport:
    """Return the seed support of the models of competing agents; scripted rules are left out."""
    kinds: dict[str, set[bool]] = {}
    for entry, spend in zip(season.entries, season.llm, strict=True):
        if entry.kind == "agent" and entry.seed is not None and spend.answered and entry.model:
            kinds.setdefault(entry.model, set()).add(spend.seeded == spend.answered)
    return SeedSupport(
        taken=tuple(sorted(model for model, all_held in kinds.items() if all_held == {True})),
        refused=tuple(sorted(model for model, all_held in kinds.items() if False in all_held)),
    )
