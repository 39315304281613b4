"""The report as a value, as HTML and as Markdown. Pure except for reading its own templates.

The HTML is self-contained: plotly's script is inlined, nothing is loaded. A content security policy
allows only the two scripts in the page, by their hashes, so text of a model cannot become one.
"""

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import orjson
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from arena import __version__
from arena.visible_text import visible
from judge.claim_text import claim_lines, look_text, promise_text
from judge.formatting import sentence
from judge.leaderboard_text import detectables_block
from judge.report import formats, plots
from judge.report.agent_figures import agent_figures
from judge.report.agent_sections import NAME_MAX, AgentSection, agent_section, anchor
from judge.report.facts import Facts
from judge.report.leaderboard_table import leaderboard_notes, leaderboard_table
from judge.report.matrix import Matrix, make_matrix
from judge.report.page_tables import (
    dead_table,
    decisions_table,
    latency_bps,
    latency_table,
    offsets_table,
    pairs_table,
    trading_costs,
    trading_entries,
    unranked_title,
)
from judge.report.sentences import (
    ALPHA_NOTE,
    agents_note,
    curves_caption,
    dead_note,
    decisions_note,
    disclaimers,
    facts_line,
    leaderboard_note,
    options_line,
    pairs_note,
    reason_lines,
    sentences_of,
)
from judge.report.tables import ReportTable, markdown_code, markdown_text
from judge.season.assumptions import assumption_lines
from judge.verdict_text import MARKET, detectable_title

COLORS = 8
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star", "hexagon")
CURVES_SHOWN = 10
"""Curves that are visible at first; the others can be switched on."""

CurveStyle = dict[str, str]


@dataclass(frozen=True, slots=True)
class CurveButton:
    """A button that shows or hides a curve."""

    key: str
    name: str
    shown: bool


@dataclass(frozen=True, slots=True)
class Page:
    """The values for the templates; the field names are keys of figures.json."""

    run: str
    name: str
    version: str
    facts: str
    marks: tuple[str, ...]
    contents: tuple[tuple[str, str], ...]
    verdict: tuple[str, ...]
    interim: str
    warnings: tuple[str, ...]
    claims: tuple[str, ...]
    promise: str
    detectables_title: str
    detectables: tuple[str, ...]
    design: tuple[str, ...]
    leaderboard: ReportTable
    leaderboard_note: str
    dead: ReportTable
    dead_note: str
    has_intervals: bool
    returns_caption: str
    curves_caption: str
    keys: tuple[CurveButton, ...]
    pairs: ReportTable
    pairs_note: str
    alpha: ReportTable | None
    alpha_note: str
    matrix_note: str
    matrix_caption: str
    matrix_lines: tuple[str, ...]
    contrasts: ReportTable | None
    effects: ReportTable | None
    has_costs: bool
    has_latency: bool
    latency: ReportTable
    decisions_note: str
    has_llm_cost: bool
    decisions: ReportTable
    agents_note: str
    agents: tuple[AgentSection, ...]
    assumptions: tuple[str, ...]
    method: tuple[str, ...]
    reasons: tuple[str, ...]
    offsets: ReportTable
    digest: str
    options: str
    script_hashes: str


def html(facts: Facts) -> str:
    """Return the page as HTML."""
    matrix = make_matrix(facts)
    plotly = get_plotlyjs().replace("</script", "<\\/script")
    script = _template("page.js")
    page = make_page(facts, matrix, script_hashes=f"{_hash(plotly)} {_hash(script)}")
    # Markup: files of this package, and JSON in which no character can end a script element.
    return _render(
        "page.html.j2",
        escaped=True,
        page=page,
        style=Markup(_template("style.css")),
        script=Markup(script),
        plotly=Markup(plotly),
        charts=_embed(make_charts(facts, matrix)),
        curve_styles=_embed(curve_styles(facts)),
    )


def markdown(facts: Facts) -> str:
    """Return the report as Markdown, without charts."""
    return _render("report.md.j2", escaped=False, page=make_page(facts, make_matrix(facts)))


def make_page(facts: Facts, matrix: Matrix | None, *, script_hashes: str = "") -> Page:
    """Return the values of the page, without its charts."""
    season, evaluation = facts.season, facts.board.evaluation
    has_intervals = any(row.return_interval for row in evaluation.rows)
    links = {name: anchor(index) for index, name in enumerate(season.names)}
    return Page(
        run=facts.run,
        name=formats.quote(facts.options.title or facts.run, NAME_MAX),
        version=__version__,
        facts=facts_line(facts),
        marks=disclaimers(facts),
        contents=_contents(
            has_claims=bool(evaluation.claims),
            has_intervals=has_intervals,
            has_matrix=matrix is not None,
            unranked=unranked_title(facts),
        ),
        verdict=sentences_of(evaluation.verdict),
        interim=look_text(evaluation),
        warnings=evaluation.warnings,
        claims=claim_lines(evaluation),
        promise=sentence(promise_text(evaluation)) if evaluation.claims else "",
        detectables_title=detectable_title(evaluation),
        detectables=detectables_block(evaluation),
        design=evaluation.design,
        leaderboard=leaderboard_table(evaluation, links, leaderboard_notes(evaluation)),
        leaderboard_note=leaderboard_note(facts),
        dead=dead_table(facts),
        dead_note=dead_note(facts),
        has_intervals=has_intervals,
        returns_caption=(
            f"Dot: return. Bar: its {facts.verdict.confidence:.0%} interval, for that entry alone. "
            "Overlapping bars don't decide who is better; the paired differences below do. An "
            "entry without an interval is not drawn."
        ),
        curves_caption=curves_caption(facts),
        keys=_keys(facts),
        pairs=pairs_table(facts, evaluation),
        pairs_note=pairs_note(facts),
        alpha=pairs_table(facts, evaluation, alpha=True) if facts.board.alpha else None,
        alpha_note=ALPHA_NOTE,
        matrix_note="" if matrix is None else matrix.note,
        matrix_caption="" if matrix is None else matrix.caption,
        matrix_lines=() if matrix is None else matrix.lines,
        contrasts=None if matrix is None else matrix.contrasts,
        effects=None if matrix is None else matrix.effects,
        has_costs=bool(trading_entries(facts)),
        has_latency=any(latency_bps(facts, n) for n in trading_entries(facts)),
        latency=latency_table(facts),
        decisions_note=decisions_note(facts),
        has_llm_cost=bool(_decision_costs(facts)),
        decisions=decisions_table(facts),
        agents_note=agents_note(),
        agents=_agent_sections(facts),
        assumptions=assumption_lines(season.assumptions),
        method=facts.verdict.method,
        reasons=reason_lines(facts.verdict.reasons),
        offsets=offsets_table(facts),
        digest=season.account_digest,
        options=options_line(facts),
        script_hashes=script_hashes,
    )


def make_charts(facts: Facts, matrix: Matrix | None) -> dict[str, plots.Chart]:
    """Return HTML id -> chart."""
    season = facts.season
    charts = {
        "chart-equity": plots.equity_chart(season),
        "chart-drawdowns": plots.drawdown_chart(season),
    }
    labels = [plots.label(name) for name in season.names]
    rows = [
        (plots.label(row.agent), found.value, found.low, found.high, entrant.places[0])
        for row, entrant in zip(
            facts.board.rows, (facts.entrants[n] for n in facts.ranking), strict=True
        )
        if (found := row.return_interval) is not None
    ]
    if rows:
        window, held = facts.board.window, season.hold
        hold = float(held[window.end] / held[window.begin] - 1)
        charts["chart-returns"] = plots.interval_chart(rows, hold)
    if matrix is not None:
        charts["chart-matrix"] = plots.heat_chart(
            matrix.strategies, matrix.models, matrix.cells, matrix.dead
        )
    if trading := trading_entries(facts):
        names = [labels[n] for n in trading]
        unit = plots.WEALTH_INDEX if season.parts else season.assumptions.currency
        charts["chart-costs"] = plots.cost_chart(names, trading_costs(facts), unit)
        bps = [latency_bps(facts, n) for n in trading]
        if any(bps):
            charts["chart-latency"] = plots.latency_chart(names, bps)
    if costs := _decision_costs(facts):
        charts["chart-decisions"] = plots.decision_chart(
            [plots.label(name) for name in costs], list(costs.values())
        )
    return charts


def _agent_sections(facts: Facts) -> tuple[AgentSection, ...]:
    known, found = facts.board.evaluation, facts.metrics
    return tuple(
        agent_section(facts.season, n, agent_figures(found[n], known.sharpe_unit, known.currency))
        for n in facts.order
    )


def curve_styles(facts: Facts) -> list[CurveStyle]:
    """Return colour, dash and symbol of each entry.

    The repeats of a cell share colour and symbol and differ by dash; baselines are grey. If every
    pair of colour and dash is used, they repeat.
    """
    found: list[CurveStyle] = []
    cells: dict[tuple[str, str], int] = {}
    repeats: dict[tuple[str, str], int] = {}
    for entry in facts.season.entries:
        group = ("", "") if entry.kind == "baseline" else (entry.strategy, entry.model)
        repeat = repeats[group] = repeats.get(group, -1) + 1
        if entry.kind == "baseline":
            color, turn = "--base", repeat + 1
        else:
            cell = cells.setdefault(group, len(cells))
            color, turn = f"--c{cell % COLORS}", repeat + cell // COLORS
        symbol = SYMBOLS[(repeat if entry.kind == "baseline" else cells[group]) % len(SYMBOLS)]
        found.append({"color": color, "dash": DASHES[turn % len(DASHES)], "symbol": symbol})
    return found


def _keys(facts: Facts) -> tuple[CurveButton, ...]:
    names = [formats.quote(name, NAME_MAX) for name in facts.season.names]
    many = len(names) > CURVES_SHOWN
    return (
        *(
            CurveButton(str(n), names[n], not many or at < CURVES_SHOWN)
            for at, n in enumerate(facts.order)
        ),
        CurveButton("hold", MARKET, shown=True),
    )


def _contents(
    *, has_claims: bool, has_intervals: bool, has_matrix: bool, unranked: str
) -> tuple[tuple[str, str], ...]:
    listed = (
        ("verdict", "Verdict", True),
        ("leaderboard", "Leaderboard", True),
        ("claims", "Claims", has_claims),
        ("dead", unranked, bool(unranked)),
        ("returns", "Returns", has_intervals),
        ("equity", "Equity", True),
        ("drawdowns", "Drawdowns", True),
        ("pairs", "Who beats whom", True),
        ("matrix", "Strategy × model", has_matrix),
        ("costs", "Trading costs", True),
        ("decisions", "Cost of decisions", True),
        ("agents", "Every agent", True),
        ("assumptions", "Assumptions", True),
        ("method", "Method", True),
        ("records", "Records and check", True),
    )
    return tuple((anchor, text) for anchor, text, there in listed if there)


def _decision_costs(facts: Facts) -> dict[str, float]:
    """Return name -> dollars per decision, for entries with a cost, most expensive first."""
    found = {
        facts.season.names[n]: cost
        for n in facts.order
        if (cost := facts.metrics[n].usd_per_decision)
    }
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _render(name: str, *, escaped: bool, **given: object) -> str:
    environment = Environment(
        autoescape=escaped,
        undefined=StrictUndefined,
        trim_blocks=False,
        keep_trailing_newline=True,
        finalize=_finalize,
    )
    environment.filters |= {"text": markdown_text, "code": markdown_code}
    return environment.from_string(_template(name)).render(**given)


@cache
def _template(name: str) -> str:
    return (files("judge.report") / "templates" / name).read_text(encoding="utf-8")


def _finalize(value: object) -> object:
    """Make invisible characters visible in everything that a template prints."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _embed(tree: Any) -> Markup:  # Any: a JSON tree.
    text = orjson.dumps(tree, option=orjson.OPT_SERIALIZE_NUMPY).decode()
    for mark in "<>&\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return Markup(text)


def _hash(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"
