"""The report's section on the model x strategy matrix. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from arena.messages import Estimate
from arena.plural import counted
from judge.claim_text import look_text
from judge.formatting import joined_names, sentence
from judge.report import formats
from judge.report.agent_sections import NAME_MAX
from judge.report.facts import Facts, matrix_entries
from judge.report.tables import (
    ReportTable,
    TableCell,
    TableHead,
    TableRow,
    name_cell,
    notes_of,
    plain,
    tone,
)
from judge.simple_returns import TOO_WIDE, simple_detectable, simple_interval, simple_return
from judge.statistics import Effect, MatrixEffects
from judge.statistics.types import Contrast

LINES_SHOWN = 12
"""Most decisions that are printed as sentences."""

NAMES_LISTED = 6
"""Most losers in such a sentence."""

CONTRASTS_SHOWN = 60
"""Most rows of the table of contrasts."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """The matrix as the page shows it.

    Attributes:
        cells: [strategies][models] mean simple return of the repeats; None without a ranked agent.
        effects: Table of the decomposition.
        contrasts: Table of strategies compared over models, and models over strategies.
        lines: Sentences about the decisions.
        dead: Row and column of each cell whose agents are all dead.
    """

    strategies: tuple[str, ...]
    models: tuple[str, ...]
    cells: tuple[tuple[float | None, ...], ...]
    note: str
    caption: str
    effects: ReportTable | None
    contrasts: ReportTable | None = None
    lines: tuple[str, ...] = ()
    dead: frozenset[tuple[int, int]] = frozenset()


def make_matrix(facts: Facts) -> Matrix | None:
    """Return the matrix of the competing agents; None with fewer than two cells."""
    found: dict[tuple[str, str], list[float]] = {}
    for index in matrix_entries(facts.season):
        entry, gain = facts.season.entries[index], facts.metrics[index].total_return
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
        strategies=tuple(formats.quote(name, NAME_MAX) for name in strategies),
        models=tuple(formats.quote(name, NAME_MAX) for name in models),
        cells=tuple(
            tuple(
                float(np.mean(found[s, m])) if (s, m) in found else None for m in models
            )
            for s in strategies
        ),
        note=_note(facts.effects),
        caption=(
            f"Mean return over up to {repeats} repeats of each cell." if repeats > 1
            else "Return of each cell; with one agent a cell, its chance is not known."
        ),
        effects=None if facts.effects is None else _effects_table(facts.effects),
        contrasts=None if facts.effects is None else _contrast_table(facts.effects.contrasts),
        lines=(
            () if facts.effects is None
            else matrix_lines(facts.effects, look_text(facts.board.evaluation))
        ),
        dead=frozenset((strategies.index(s), models.index(m)) for s, m in dead),
    )  # fmt: skip


def _note(effects: MatrixEffects | None) -> str:
    if effects is None or effects.shares is None:
        why = "" if effects is None else effects.reasons.get("shares", "")
        return "What the strategy, the model and their pairing each add" + (
            f"; how much of the spread each explains is unknown: {why}." if why else "."
        )
    named = (("strategy", "the strategy"), ("model", "the model"),
             ("interaction", "their pairing"), ("seed", "chance between repeats"))  # fmt: skip
    shares = ", ".join(
        f"{text} {formats.share(effects.shares[key], 0)}"
        for key, text in named
        if key in effects.shares
    )
    tests = ", ".join(
        f"{text} {formats.p_text(effects.p_values[key])}"
        for key, text in named
        if effects.p_values is not None and key in effects.p_values
    )
    words_of_tests = (
        f" F tests against the repeats, on this market alone: {tests}." if tests else ""
    )
    return f"Shares of the variance between agents: {shares}.{words_of_tests}"


def matrix_lines(effects: MatrixEffects, look: str = "") -> tuple[str, ...]:
    """Return sentences about the decisions on the matrix.

    Args:
        effects: Effects of the matrix.
        look: Text of the current look in a season without a planned end; "" otherwise.
    """
    claimed = [one for one in effects.contrasts if one.separated and one.difference is not None]
    lines = _claim_lines(claimed, look)
    if (more := len(lines) - LINES_SHOWN) > 0:
        lines = [*lines[:LINES_SHOWN], f"The table has more: {counted(more, 'further winner')}."]
    if why := effects.reasons.get("contrasts"):
        lines.append(sentence(why))
    elif not claimed and any(one.difference is not None for one in effects.contrasts):
        lines.append(_undecided_line(effects))
    if effects.pairings:
        lines.append(_pairings_line(effects.pairings))
    elif why := effects.reasons.get("pairings"):
        lines.append(sentence(f"no pairing of a strategy and a model is shown: {why}"))
    return tuple(lines)


def _claim_lines(claimed: Sequence[Contrast], look: str) -> list[str]:
    """Return one sentence per winner and set of levels it is compared over."""
    losers: dict[tuple[str, str], list[str]] = {}
    for one in claimed:
        assert one.difference is not None
        pair = (one.a, one.b) if one.difference.estimate > 0 else (one.b, one.a)
        winner, loser = (formats.quote(name, NAME_MAX) for name in pair)
        losers.setdefault((winner, f"{_over(one)}{_left_out(one)}"), []).append(loser)
    mark = f" ({look})" if look else ""
    return [
        f"{winner} beats {joined_names(names, NAMES_LISTED)} {over}{mark}."
        for (winner, over), names in losers.items()
    ]


def _undecided_line(effects: MatrixEffects) -> str:
    factors = {one.factor for one in effects.contrasts if one.difference is not None}
    if len(factors) == 2:
        return (
            "No strategy is separated from another over the models, and no model from another over "
            "the strategies."
        )
    return f"No {factors.pop()} is separated from another."


def _pairings_line(pairings: Sequence[Effect]) -> str:
    sizes = {one.name: one.size.estimate for one in pairings if one.size is not None}
    ordered = sorted(sizes, key=lambda name: -abs(sizes[name]))
    shown = [
        f"{formats.quote(name, 2 * NAME_MAX)} {formats.change(simple_return(sizes[name]))}"
        for name in ordered
    ]
    return (
        "Beyond what strategy and model explain, and beyond the noise between repeats, on this "
        f"market: {joined_names(shown)}."
    )


def _over(one: Contrast) -> str:
    others = "models" if one.factor == "strategy" else "strategies"
    if len(one.over) == 1:
        return f"with {formats.quote(one.over[0], NAME_MAX)}"
    return (
        f"over the {len(one.over)} {others} that both have" if one.missing else f"over the {others}"
    )


def _left_out(one: Contrast) -> str:
    if not one.missing:
        return ""
    return f" ({joined_names([formats.quote(name, NAME_MAX) for name in one.missing])} left out)"


def _contrast_table(contrasts: Sequence[Contrast]) -> ReportTable | None:
    if not contrasts:
        return None
    heads = (
        TableHead(
            "contrast",
            "w stick",
            "Two strategies compared over the models, or two models over "
            "the strategies; returns are paired, a cell is the mean of its repeats.",
        ),
        TableHead(
            "difference",
            note="First less second, over the season, with the interval of this contrast alone.",
        ),
        TableHead(
            "decision",
            "w",
            "Decided over all contrasts of both kinds at once; p is adjusted for their number.",
        ),
        TableHead(
            "found in 4 of 5",
            note="The true difference that the decision would have found in 4 seasons of 5.",
        ),
    )
    shown = sorted(contrasts, key=lambda one: not one.separated)[:CONTRASTS_SHOWN]
    rows = tuple(_contrast_row(one) for one in shown)
    notes = notes_of(
        ("Difference", f"{one.a} - {one.b}", _reason(one)) for one in shown if _reason(one)
    )
    if (more := len(contrasts) - len(shown)) > 0:
        notes = (*notes, f"{more:,} more contrasts are in figures.json.")
    return ReportTable("Contrasts", heads, rows, kind="fit", notes=notes)


def _contrast_row(one: Contrast) -> TableRow:
    name = f"{formats.quote(one.a, NAME_MAX)} {formats.MINUS} {formats.quote(one.b, NAME_MAX)}"
    found = simple_interval(one.difference)
    least = simple_detectable(one.detectable)
    return TableRow(
        (
            name_cell(name, f"{_over(one)}{_left_out(one)}" if one.missing and one.over else ""),
            plain(formats.UNKNOWN) if found is None else _change(found, sure=one.separated),
            TableCell(_decision(one), _p_value(one), "w"),
            plain(formats.change(least).lstrip("+"), least),
        )
    )


def _decision(one: Contrast) -> str:
    if not one.separated or one.difference is None:
        return "not separated" if one.p_adjusted is not None else formats.UNKNOWN
    return f"{formats.quote(one.a if one.difference.estimate > 0 else one.b, NAME_MAX)} is better"


def _p_value(one: Contrast) -> str:
    return "" if one.p_adjusted is None else formats.p_text(one.p_adjusted)


def _reason(one: Contrast) -> str:
    """Return why a contrast shows no difference; "" if it does."""
    if one.difference is None:
        return one.reason
    return TOO_WIDE if simple_interval(one.difference) is None else one.reason


def _effects_table(effects: MatrixEffects) -> ReportTable | None:
    groups: Mapping[str, tuple[Effect, ...]] = {
        "strategy": effects.strategies,
        "model": effects.models,
        "pairing": effects.pairings,
    }
    heads = (
        TableHead("part", "w stick"),
        TableHead(
            "against the mean",
            note="Over the season, with the interval from the whole matrix; for a "
            "pairing, from the noise between repeats.",
        ),
    )
    rows = [
        TableRow((name_cell(formats.quote(effect.name, 2 * NAME_MAX), kind), _size(effect)))
        for kind, group in groups.items()
        for effect in group
        if effect.size is not None
    ]
    return ReportTable("Effects", heads, tuple(rows), kind="fit") if rows else None


def _size(effect: Effect) -> TableCell:
    found = simple_interval(effect.size)
    if found is None:
        return plain(formats.UNKNOWN)
    return _change(found, sure=found.low > 0 or found.high < 0)


def _change(found: Estimate, *, sure: bool) -> TableCell:
    """Return the cell of a simple return and its interval, coloured if it is certain."""
    text = formats.change(found.value)
    ends = formats.spread(found.low * 100, found.high * 100, 2)
    return TableCell(text, ends, tone(found.value, text) if sure else "", found.value)
