"""The report as a value, as HTML and as Markdown. Pure except for reading its own templates.

The HTML is self-contained: look, charts and script are in it, nothing is loaded. It is whole
without its script, which sorts tables and hides curves. A content security policy allows only that
script, by its hash, so text of a model cannot become one.
"""

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import Environment
from markupsafe import Markup

from arena import __version__
from arena.page.environment import base_style, page_environment
from arena.page.series import MARKET as MARKET_STYLE
from judge.claim_text import claim_lines, look_text, promise_text
from judge.formatting import sentence
from judge.leaderboard_text import detectables_block
from judge.report import formats
from judge.report.agent_figures import agent_figures
from judge.report.agent_sections import NAME_MAX, AgentSection, agent_section, anchor
from judge.report.coaching_tables import (
    COACHING_NOTE,
    CoachingSection,
    coaching_sections,
    evaluations_note,
)
from judge.report.daily_table import daily_note, daily_table
from judge.report.facts import Facts
from judge.report.leaderboard_table import leaderboard_notes, leaderboard_table
from judge.report.matrix import Matrix, make_matrix
from judge.report.page_tables import (
    dead_table,
    decisions_table,
    gates_note,
    gates_table,
    latency_bps,
    latency_table,
    offsets_table,
    pairs_table,
    trading_entries,
    unranked_title,
)
from judge.report.plots import CURVES_SHOWN, curve_styles, decision_costs, make_charts
from judge.report.risk_table import has_risk, risk_note, risk_table
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


@dataclass(frozen=True, slots=True)
class CurveButton:
    """A button that shows or hides a curve."""

    key: int
    name: str
    style: str
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
    gates_note: str
    gates: ReportTable
    risk_note: str
    risk: ReportTable | None
    daily_note: str
    daily: ReportTable | None
    coaching_note: str
    coaching_check: str
    coaching: tuple[CoachingSection, ...]
    agents_note: str
    agents: tuple[AgentSection, ...]
    assumptions: tuple[str, ...]
    method: tuple[str, ...]
    reasons: tuple[str, ...]
    offsets: ReportTable
    digest: str
    options: str
    script_hash: str


def html(facts: Facts) -> str:
    """Return the page as HTML."""
    matrix = make_matrix(facts)
    script = _file("page.js")
    # Markup: files of this package and of the ground.
    return (
        _environment(escaped=True)
        .get_template("page.html.j2")
        .render(
            page=make_page(facts, matrix, script_hash=_hash(script)),
            charts=make_charts(facts, matrix),
            style=Markup(base_style() + _file("report.css")),
            script=Markup(script),
        )
    )


def markdown(facts: Facts) -> str:
    """Return the report as Markdown, without charts."""
    page = make_page(facts, make_matrix(facts))
    return _environment(escaped=False).get_template("report.md.j2").render(page=page)


def make_page(facts: Facts, matrix: Matrix | None, *, script_hash: str = "") -> Page:
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
            has_limits=has_risk(season),
            has_days=bool(facts.daily),
            has_coaching=bool(facts.coached),
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
        returns_caption=_returns_caption(facts),
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
        has_llm_cost=bool(decision_costs(facts)),
        decisions=decisions_table(facts),
        gates_note=gates_note(facts),
        gates=gates_table(facts),
        risk_note=risk_note(facts),
        risk=risk_table(facts) if has_risk(season) else None,
        daily_note=daily_note(facts) if facts.daily else "",
        daily=daily_table(facts) if facts.daily else None,
        coaching_note=COACHING_NOTE if facts.coached else "",
        coaching_check=evaluations_note(facts),
        coaching=coaching_sections(facts),
        agents_note=agents_note(),
        agents=_agent_sections(facts),
        assumptions=assumption_lines(season.assumptions),
        method=facts.verdict.method,
        reasons=reason_lines(facts.verdict.reasons),
        offsets=offsets_table(facts),
        digest=season.account_digest,
        options=options_line(facts),
        script_hash=script_hash,
    )


def _returns_caption(facts: Facts) -> str:
    return (
        f"Dot: return. Bar: its {facts.verdict.confidence:.0%} interval, for that entry alone. "
        "Overlapping bars don't decide who is better; the paired differences below do. An "
        "entry without an interval is not drawn."
    )


def _agent_sections(facts: Facts) -> tuple[AgentSection, ...]:
    known, found = facts.board.evaluation, facts.metrics
    return tuple(
        agent_section(facts.season, n, agent_figures(found[n], known.sharpe_unit, known.currency))
        for n in facts.order
    )


def _keys(facts: Facts) -> tuple[CurveButton, ...]:
    names, found = facts.season.names, curve_styles(facts)
    return (
        *(
            CurveButton(n, formats.quote(names[n], NAME_MAX), found[names[n]], at < CURVES_SHOWN)
            for at, n in enumerate(facts.order)
        ),
        CurveButton(len(names), MARKET, MARKET_STYLE, shown=True),
    )


def _contents(
    *,
    has_claims: bool,
    has_intervals: bool,
    has_matrix: bool,
    has_limits: bool,
    has_days: bool,
    has_coaching: bool,
    unranked: str,
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
        ("gates", "When asked", True),
        ("risk", "Risk and exits", has_limits),
        ("days", "Days", has_days),
        ("coaching", "Coaching", has_coaching),
        ("agents", "Every agent", True),
        ("assumptions", "Assumptions", True),
        ("method", "Method", True),
        ("records", "Records and check", True),
    )
    return tuple((anchor, text) for anchor, text, there in listed if there)


@cache
def _environment(*, escaped: bool) -> Environment:
    environment = page_environment("judge.report", (markdown_text, markdown_code))
    if not escaped:
        environment = environment.overlay(
            autoescape=False, trim_blocks=False, lstrip_blocks=False, keep_trailing_newline=True
        )
    return environment


@cache
def _file(name: str) -> str:
    return (files("judge.report") / "templates" / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"
