"""How each skin shows evaluations of an agent, and the versions of its prompt."""

import re

from arena.messages.coaching import DIMENSIONS
from dashboard.model.results import EvaluationResult, PromptVersionResult
from dashboard.web.page import coaching, formats
from tests.dashboard.skin_columns import Column, fields, page_rows, rest
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
        lambda s, t: s.pages[f"/agents/{AGENT}"].rows("coaching")[len(t.coaching.evaluations) :],
        _row,
    ),
    "rest": fields(rest(PATH, "prompts"), *VERSION),
    "short": SHORT,
}
