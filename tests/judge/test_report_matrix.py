"""The matrix in the report: decisions first, pairings only if they are more than chance."""

from dataclasses import replace

import numpy as np
import pytest

from judge.report.document import document
from judge.report.facts import Facts, ReportOptions, make_facts
from judge.report.formats import p_text
from judge.report.matrix import CONTRASTS_SHOWN, make_matrix, matrix_lines
from judge.report.page import html, markdown
from judge.statistics import Interval, MatrixEffects
from judge.statistics.types import Contrast, Effect
from tests.judge.seasons import BASELINES, entry, make_season

NOTHING = MatrixEffects((), (), (), None, None, None, {})
UP = Interval(0.05, 0.02, 0.08)


def contrast(
    a: str,
    b: str,
    *,
    model: bool = False,
    size: Interval | None = UP,
    separated: bool = True,
    over: tuple[str, ...] = ("x", "y"),
    missing: tuple[str, ...] = (),
    reason: str = "",
) -> Contrast:
    """A contrast with its decision."""
    p_adjusted = None if size is None else 0.01
    return Contrast(
        "model" if model else "strategy",
        a, b, size, p_adjusted, separated, 0.1, reason, over, missing,
    )  # fmt: skip


def effects(*contrasts: Contrast, why: str = "", **changes: object) -> MatrixEffects:
    """A matrix with these contrasts."""
    reasons = {"pairings": why} if why else {}
    named: dict[str, object] = {"contrasts": contrasts, "reasons": reasons, **changes}
    return replace(NOTHING, **named)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def facts() -> Facts:
    """A season in which momentum earns more with both models."""
    season = make_season(snapshots=120)
    equity = season.equity.copy()
    for index, one in enumerate(season.entries):
        if one.strategy == "momentum":
            equity[:, index] *= np.exp(2e-3 * np.arange(len(equity)))
    return make_facts("run", replace(season, equity=equity), ReportOptions())


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (effects(contrast("a", "b")), "a beats b over the models."),
        (effects(contrast("a", "b", size=Interval(-0.1, -0.2, 0.0))), "b beats a over the models."),
        (
            effects(contrast("a", "b"), contrast("a", "c"), contrast("x", "y", model=True)),
            "a beats b and c over the models.",
        ),
        (effects(contrast("x", "y", model=True)), "x beats y over the strategies."),
        (effects(contrast("a", "b", over=("gpt",))), "a beats b with gpt."),
        (
            effects(contrast("a", "b", missing=("z",))),
            "a beats b over the 2 models that both have (z left out).",
        ),
        (
            effects(contrast("a", "b", separated=False), contrast("x", "y", model=True,
                    separated=False)),
            "No strategy is separated from another over the models, and no model from another over "
            "the strategies.",
        ),
        (effects(contrast("x", "y", model=True, separated=False)),
         "No model is separated from another."),
        (
            effects(why="they do not exceed the noise between repeats (F test of all, p = 0.310)"),
            "No pairing of a strategy and a model is shown: they do not exceed the noise between "
            "repeats (F test of all, p = 0.310).",
        ),
        (
            effects(pairings=(Effect("a x x", Interval(0.01, 0.005, 0.015)),
                              Effect("b x y", Interval(-0.02, -0.025, -0.015)))),
            "Beyond what strategy and model explain, and beyond the noise between repeats, on this "
            "market: b x y −1.98 % and a x x +1.01 %.",
        ),
    ],
)  # fmt: skip
def test_each_matrix_decision_has_a_sentence(given: MatrixEffects, line: str) -> None:
    """It says which level beats which, what was left out, and which pairings exceed chance."""
    assert line in matrix_lines(given)


def test_a_running_season_names_the_end_of_its_matrix() -> None:
    """Before the planned end the matrix is not decided, and the text says when."""
    why = "strategies and models are compared with each other once"
    open_ = replace(effects(contrast("a", "b", separated=False)), reasons={"contrasts": why})

    assert (f"S{why[1:]}.",) == matrix_lines(open_)


def test_an_interim_matrix_claim_names_its_look() -> None:
    """A claim made during the season has its look."""
    assert ("a beats b over the models (interim, look 5 of 11).",) == matrix_lines(
        effects(contrast("a", "b")), "interim, look 5 of 11"
    )


def test_a_short_season_has_no_matrix_sentence() -> None:
    """Too short a season has no sentence about separation."""
    assert () == matrix_lines(effects(contrast("a", "b", size=None, separated=False)))


def test_page_and_markdown_show_the_matrix_decisions(facts: Facts) -> None:
    """Sentences and contrasts come before the sizes of the effects."""
    matrix, text, page = make_matrix(facts), markdown(facts), html(facts)

    assert matrix is not None
    assert "momentum beats brainrot and scalper over the models." in matrix.lines
    for shown in (text, page):
        assert "momentum beats brainrot and scalper over the models." in shown
        assert "found in 4 of 5" in shown
        assert shown.index("over the models.") < shown.index("against the mean")


def test_the_page_has_the_adjusted_differences(facts: Facts) -> None:
    """The second primary measure has its table and figures, with or without claims."""
    text, page, tree = markdown(facts), html(facts), document(facts)

    for shown in (text, page):
        assert "Beyond what market exposure explains" in shown
    assert len(facts.board.alpha) == len(tree["alpha"]) > 0
    assert len(facts.entrants) == len(tree["printed"]["alpha"]["rows"])
    assert tree["printed"]["alpha"]["rows"] != tree["printed"]["pairs"]["rows"]


def test_contrasts_have_levels_and_reasons(facts: Facts) -> None:
    """A contrast names omitted levels; one that is too wide or unknown has a reason below."""
    assert facts.effects is not None
    wide = contrast("wide", "b", size=Interval(1.0, -20.0, 22.0), separated=False)
    part = contrast("a", "b", missing=("z",))
    unknown = contrast(
        "gone", "b", size=None, separated=False, over=(), reason="no model in common"
    )
    matrix = make_matrix(
        replace(facts, effects=replace(facts.effects, contrasts=(unknown, wide, part)))
    )
    assert matrix is not None
    assert matrix.contrasts is not None
    rows = [[cell.text for cell in row.cells] for row in matrix.contrasts.rows]

    assert ["a − b", "+5.13 %", "a is better", "10.52 %"] == rows[0]
    name = matrix.contrasts.rows[0].cells[0]
    assert "over the 2 models that both have (z left out)" == name.under
    assert "–" == rows[1][1] == rows[1][2] == rows[2][1]
    assert "Difference of gone - b: no model in common" in matrix.contrasts.notes
    assert any("too wide to say anything" in note for note in matrix.contrasts.notes)


def test_many_contrasts_are_cut_with_a_count() -> None:
    """The separated contrasts come first, and the omitted ones are counted."""
    entries = tuple(entry(f"s{k}", f"s{k}", "small") for k in range(13))
    facts = make_facts(
        "run", make_season(snapshots=70, entries=(*entries, *BASELINES)), ReportOptions()
    )
    matrix = make_matrix(facts)

    assert matrix is not None
    assert matrix.contrasts is not None
    assert CONTRASTS_SHOWN == len(matrix.contrasts.rows)
    assert f"{78 - CONTRASTS_SHOWN} more contrasts are in figures.json." in matrix.contrasts.notes


def test_a_lost_account_has_unknown_effects(facts: Facts) -> None:
    """Sizes beyond any percentage are unknown and do not overflow."""
    assert facts.effects is not None
    huge = Effect("momentum", Interval(900.0, 800.0, 1000.0))
    matrix = make_matrix(
        replace(
            facts,
            effects=replace(facts.effects, strategies=(huge,), pairings=(huge,), contrasts=()),
        )
    )

    assert matrix is not None
    assert matrix.effects is not None
    assert "–" == matrix.effects.rows[0].cells[1].text


@pytest.mark.parametrize(("p_value", "text"), [(0.034, "p = 0.034"), (0.0001, "p < 0.001")])
def test_no_p_value_is_zero(p_value: float, text: str) -> None:
    """A small p-value is printed as a bound, not as 0."""
    assert text == p_text(p_value)
