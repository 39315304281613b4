"""How each skin shows evaluations of an agent, and the versions of its prompt."""

import re
from collections.abc import Collection

from arena.messages.coaching import DIMENSIONS
from dashboard import text
from dashboard.model.results import (
    DifferenceResult,
    EvaluationResult,
    PromptVersionResult,
    ShadowResult,
    TrialResult,
)
from dashboard.web.page import coaching, formats
from tests.dashboard.skin_columns import Column, fields, page_rows, rest, words
from tests.dashboard.skins import AGENT, Row, Skins, Truth

SHORT = "the short paths have portfolios, trades and prices"
PATH = f"agents/{AGENT}/coaching"
SCORES = ("overall", "grade", "dimensions", "trend", "trend_change", "failed", "judged")
VERSION = ("version", "state", "author", "reason", "since", "decided_by", "diff", "before")
HEAD = re.compile(r"([0-9a-f]{8}) (.+)")


def _scores(one: EvaluationResult, unknown: str) -> Row:
    shown = (one.overall, *(one.dimensions[name] for name in DIMENSIONS))
    overall, *rest_of = (unknown if value is None else f"{value:.2f}" for value in shown)
    return overall, one.grade or unknown, *rest_of


def _on_screen(one: EvaluationResult) -> Row:
    trend = one.trend if one.trend_change is None else f"{one.trend} {one.trend_change:+.2f}"
    at = f"{one.as_of:%m-%d %H:%M:%S}"
    return at, *_scores(one, "-"), trend, one.cause, str(one.turns), one.version[:8]


def _on_page(one: EvaluationResult) -> Row:
    scores = _scores(one, formats.UNKNOWN)
    trend = coaching.trend(one)
    return formats.stamp(one.as_of), *scores, trend, one.cause, str(one.turns), one.version[:8]


def _pane(skins: Skins) -> list[Row]:
    return skins.pane(f"{AGENT}: coaching", skins.coaching_screen)


def _version_heads(skins: Skins, _: Truth) -> list[Row]:
    heads = ((HEAD.fullmatch(row[0]), row) for row in _pane(skins))
    found = [(*match.groups(), *row[1:]) for match, row in heads if match]
    return [row for row in found if row[1] != "pending"]


def _head(one: PromptVersionResult) -> Row:
    template = f" ({one.template})" if one.template else ""
    since = f"since {one.since:%m-%d %H:%M:%S}"
    return one.version[:8], one.state, f"by {one.author}{template}, {since}"


def _row(one: PromptVersionResult) -> Row:
    decided = f"{one.decided_by}: {one.decided_for}" if one.decided_by else formats.UNKNOWN
    return (
        one.version[:8],
        one.state,
        f"{one.author}, {one.template}" if one.template else one.author,
        formats.stamp(one.since),
        one.reason,
        decided,
        f"{one.before.overall:.2f} before" if one.before else formats.UNKNOWN,
        formats.UNKNOWN if one.added is None else f"+{one.added} −{one.removed}",
    )


def _page(skins: Skins) -> list[Row]:
    return skins.pages[f"/agents/{AGENT}"].rows("coaching")


def _difference(one: DifferenceResult | None, digits: int, form: str, unknown: str) -> str:
    if one is None:
        return unknown
    return form.format(*(f"{v:+.{digits}f}" for v in (one.estimate, one.low, one.high)))


def _trial(one: TrialResult, form: str, unknown: str) -> Row:
    quality = one.quality, one.noise_quality
    gain = one.return_pct, one.noise_return_pct
    points = (_difference(figure, 1, form, unknown) for figure in quality)
    return (*points, *(_difference(figure, 2, form, unknown) for figure in gain))


def _trial_on_screen(one: TrialResult) -> Row:
    state, versions = one.verdict or one.state, (one.challenger[:8], one.champion[:8])
    figures = _trial(one, "{} [{}, {}]", "-")
    return one.trial_id, state, *versions, one.market, str(one.played), *figures


def _trial_on_page(one: TrialResult) -> Row:
    figures = (formats.minus(figure) for figure in _trial(one, "{} ({} … {})", formats.UNKNOWN))
    tried = f"{one.challenger[:8]} against {one.champion[:8]}"
    state = one.verdict or one.state
    return one.trial_id, state, tried, one.market, str(one.played), *figures


def _shadow_on_screen(one: ShadowResult) -> Row:
    assert one.return_pct is not None
    counts = str(one.decisions), f"{one.return_pct:+.2f}%", str(one.calls)
    return one.arm, one.agent, *counts, text.cost(one.cost_usd)


def _shadow_on_page(one: ShadowResult) -> Row:
    counts = str(one.decisions), formats.pct(one.return_pct), str(one.calls)
    return one.arm, one.agent, *counts, formats.cost(one.cost_usd)


def _rows_of(skins: Skins, first: Collection[str]) -> list[Row]:
    return [row for row in _pane(skins) if row[0] in first and len(row) > 2]


EVALUATION_COLUMNS: dict[str, Column | str] = {
    "document": "`arena judge evaluations --json` has them",
    "screen": Column(lambda s, t: _pane(s)[1 : len(t.coaching.evaluations) + 1], _on_screen),
    "page": Column(
        lambda s, t: page_rows(f"/agents/{AGENT}", "coaching", most=len(t.coaching.evaluations))(
            s, t
        ),
        _on_page,
    ),
    "rest": fields(rest(PATH, "evaluations"), *SCORES),
    "short": SHORT,
}
VERSION_COLUMNS: dict[str, Column | str] = {
    "document": "`arena prompts list --json` has them",
    "screen": Column(_version_heads, _head),
    "page": Column(
        lambda s, t: _page(s)[len(t.coaching.evaluations) + 3 + len(t.coaching.trials) :],
        _row,
    ),
    "rest": fields(rest(PATH, "prompts"), *VERSION),
    "short": SHORT,
}
TRIAL = (
    "trial_id", "market", "state", "verdict", "played", "quality", "noise_quality", "return_pct",
    "words", "shadows",
)  # fmt: skip
TRIAL_COLUMNS: dict[str, Column | str] = {
    "document": "`arena prompts list --json` has them",
    "screen": Column(
        lambda s, t: _rows_of(s, {one.trial_id for one in t.coaching.trials}), _trial_on_screen
    ),
    "page": Column(
        lambda s, t: _page(s)[len(t.coaching.evaluations) + 3 :][: len(t.coaching.trials)],
        _trial_on_page,
    ),
    "rest": fields(rest(PATH, "trials"), *TRIAL),
    "short": SHORT,
}
SHADOW_COLUMNS: dict[str, Column | str] = {
    "document": "it has what all of them cost",
    "screen": Column(
        lambda s, t: _rows_of(s, ("champion", "challenger", "copy")), _shadow_on_screen
    ),
    "page": Column(lambda s, t: _page(s)[len(t.coaching.evaluations) :][:3], _shadow_on_page),
    "rest": "in `trials`",
    "short": SHORT,
}
SHADOW_COSTS = ("calls", "errors", "tokens", "cost_usd", "calls_of_unknown_price")
SHADOW_COST_COLUMNS: dict[str, Column | str] = {
    "document": fields(lambda s, t: [s.document["shadow_agents"]], *SHADOW_COSTS),
    "screen": words(
        lambda s, t: re.findall(r"of which trials (\S+)", s.screen),
        lambda one: text.cost(one.cost_usd),
    ),
    "page": Column(
        lambda s, t: s.pages["/"].rows("costs", "tfoot")[:1],
        lambda one: (
            "Shadow agents of trials",
            str(one.calls),
            str(one.errors),
            f"{one.tokens:,}",
            formats.cost(one.cost_usd),
        ),
    ),
    "rest": fields(lambda s, t: [s.rest["costs"]["shadows"]], *SHADOW_COSTS),
    "short": SHORT,
}
