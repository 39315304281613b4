"""`figures.json`: every figure of a report, and everything its page prints. Pure.

`printed` has the page's texts, table by table, with the figure behind each text. So programs get
everything that a reader sees, and `arena compete verify` compares it.
"""

from dataclasses import fields, is_dataclass

from judge.report.facts import Facts, Figures, figures
from judge.report.matrix import make_matrix
from judge.report.page import make_page
from judge.report.plots import make_charts
from judge.report.tables import ReportTable

PRINTED = "printed"
LAID_OUT = frozenset({"contents", "script_hash", "keys"})
"""Fields of the page without printed figures."""
OF_COACHING = frozenset({"coaching", "coaching_check", "coaching_note"})
"""Fields that are only printed if an agent was coached."""


def document(facts: Facts) -> Figures:
    """Return the whole of `figures.json`."""
    return {**figures(facts), PRINTED: printed(facts)}


def printed(facts: Facts) -> Figures:
    """Return what the page prints, by field of `Page`, and the tables of its charts."""
    matrix = make_matrix(facts)
    page = make_page(facts, matrix)
    texts = {
        field.name: _tree(getattr(page, field.name))
        for field in fields(page)
        if field.name not in LAID_OUT and (facts.coached or field.name not in OF_COACHING)
    }
    charts = {
        name: {"head": list(chart.head), "rows": _tree(chart.rows)}
        for name, chart in make_charts(facts, matrix).items()
    }
    return {**texts, "charts": charts}


def _tree(value: object) -> object:
    if isinstance(value, ReportTable):
        return value.figures()
    if isinstance(value, tuple | list):
        return [_tree(one) for one in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _tree(getattr(value, field.name)) for field in fields(value)}
    return value
