"""The model x strategy matrix: what the report says of it. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from judge.report import words
from judge.report.agents import NAME_MAX
from judge.report.facts import Facts, in_matrix
from judge.report.tables import Cell, Head, Row, Table, name_cell, plain, tone
from judge.statistics import Effect, MatrixEffects


@dataclass(frozen=True, slots=True)
class Matrix:
    """The matrix as the page shows it.

    Attributes:
        cells: [strategies][models] mean simple return of the repeats; None where none took part.
        effects: Table of the decomposition.
        dead: Row and column of the cells whose agents are all dead.
    """

    strategies: tuple[str, ...]
    models: tuple[str, ...]
    cells: tuple[tuple[float | None, ...], ...]
    note: str
    caption: str
    effects: Table | None
    dead: frozenset[tuple[int, int]] = frozenset()


def make_matrix(facts: Facts) -> Matrix | None:
    """The matrix of the competing agents; None where there are fewer than two cells."""
    found: dict[tuple[str, str], list[float]] = {}
    for place in in_matrix(facts.season):
        entry, gain = facts.season.entries[place], facts.metrics[place].total_return
        if gain is not None:
            found.setdefault((entry.strategy, entry.node), []).append(gain)
    dead = [(one.strategy, one.node) for one in facts.season.dead if one.kind == "agent"]
    dead = [cell for cell in dict.fromkeys(dead) if cell not in found]
    if not found or len(found) + len(dead) < 2:
        return None
    strategies = tuple(dict.fromkeys(strategy for strategy, _ in (*found, *dead)))
    models = tuple(dict.fromkeys(model for _, model in (*found, *dead)))
    repeats = max(len(gains) for gains in found.values())
    return Matrix(
        strategies=tuple(words.quote(name, NAME_MAX) for name in strategies),
        models=tuple(words.quote(name, NAME_MAX) for name in models),
        cells=tuple(
            tuple(
                float(np.mean(found[s, m])) if (s, m) in found else None for m in models
            )
            for s in strategies
        ),
        note=_note(facts.effects, repeats),
        caption=(
            f"Mean return over up to {repeats} repeats of each cell." if repeats > 1
            else "Return of each cell; with one agent a cell, chance and skill can't be told apart."
        ),
        effects=None if facts.effects is None else _effects_table(facts.effects),
        dead=frozenset((strategies.index(s), models.index(m)) for s, m in dead),
    )  # fmt: skip


def _note(effects: MatrixEffects | None, repeats: int) -> str:
    if effects is None or effects.shares is None:
        why = "" if effects is None else effects.reasons.get("shares", "")
        return "What the strategy, the model and their pairing each add" + (
            f"; how much of the spread each explains is unknown: {why}." if why else "."
        )
    named = (("strategy", "the strategy"), ("model", "the model"),
             ("interaction", "their pairing"), ("seed", "chance between repeats"))  # fmt: skip
    shares = ", ".join(
        f"{text} {words.share(effects.shares[key], 0)}"
        for key, text in named
        if key in effects.shares
    )
    tests = ", ".join(
        f"{text} p = {effects.p_values[key]:.3f}"
        for key, text in named
        if effects.p_values is not None and key in effects.p_values
    )
    words_of_tests = (
        f" F tests against the repeats, on this market alone: {tests}." if tests else ""
    )
    return f"Of the variance between agents: {shares}.{words_of_tests}"


def _effects_table(effects: MatrixEffects) -> Table | None:
    groups: Mapping[str, tuple[Effect, ...]] = {
        "strategy": effects.strategies,
        "model": effects.models,
        "pairing": effects.interactions,
    }
    heads = (
        Head("part", "w stick"),
        Head("kind", "w"),
        Head("against the mean of the matrix", note="over the season, with its interval"),
    )
    rows = [
        Row((name_cell(words.quote(effect.name, 2 * NAME_MAX)), Cell(kind, css="w"), _size(effect)))
        for kind, group in groups.items()
        for effect in group
        if effect.size is not None
    ]
    return Table("Effects", heads, tuple(rows), kind="fit") if rows else None


def _size(effect: Effect) -> Cell:
    found = effect.size
    if found is None:
        return plain(words.UNKNOWN)
    low, high = (math.expm1(end) * 100 for end in (found.low, found.high))
    text = words.log_change(found.estimate)
    sure = found.low > 0 or found.high < 0
    css = tone(found.estimate, text) if sure else ""
    return Cell(text, words.spread(low, high, 2), css, found.estimate)
