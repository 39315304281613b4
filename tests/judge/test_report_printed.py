"""Every figure that the page prints is also in figures.json."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from judge.report.document import document
from judge.report.facts import Facts, ReportOptions, canonical, make_facts
from judge.report.page import html, markdown
from judge.season import Season
from tests.judge.seasons import BASELINES, MATRIX, entry, make_season

FIGURE = re.compile(r"[+−-]?\d[\d,]*(?:\.\d+)?")
VOID = {"meta", "link", "br", "line", "rect", "circle", "path"}


class Shown(HTMLParser):
    """The visible texts of a page except model texts, dates and the labels of axes."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Enter an element."""
        if tag not in VOID:
            css = dict(attrs).get("class") or ""
            words = "w" in css.split() or "long" in css
            self._inside.append("words" if words and tag == "td" else tag)

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        if tag not in VOID:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        """Collect a visible text."""
        if not {"script", "style", "title", "words", "svg"} & set(self._inside):
            self.texts.append(data)


def busy(season: Season) -> Season:
    """A season with a leader, a crash, a late joiner and a plan that is not over."""
    rise = np.exp(np.arange(len(season.times)) * 0.0006)
    equity = season.equity.copy()
    names = season.names
    for repeat in ("momentum-large-1", "momentum-large-2"):
        equity[:, names.index(repeat)] *= rise
    equity[100:, names.index("random")] *= 0.2
    share = equity / season.equity
    late = names.index("scalper-small-2")
    return replace(
        season,
        equity=equity,
        cash=season.cash * share,
        exposure=season.exposure * share[:, :, None],
        entries=tuple(
            replace(one, joined=12) if index == late else one
            for index, one in enumerate(season.entries)
        ),
        assumptions=replace(season.assumptions, planned=288),
    )


@pytest.fixture(scope="module")
def facts() -> Facts:
    """Three quarters of a contest with many events."""
    season = busy(make_season(snapshots=216, entries=MATRIX[4:] + BASELINES))
    return make_facts("2026-11-21T09-12-03", season, ReportOptions(title="Prompt trial"))


def figures_in(text: str) -> set[str]:
    """Every figure of a text without its sign, as a dash may be part of a name."""
    return {found.strip("+−-,") for found in FIGURE.findall(text)}


def test_every_printed_figure_is_in_figures_json(facts: Facts) -> None:
    """Page and Markdown show no figure that figures.json lacks."""
    page = Shown()
    page.feed(html(facts))
    recorded = figures_in(canonical(document(facts)).decode())
    shown = figures_in("\n".join(page.texts))
    printed = figures_in(markdown(facts).replace("\\", ""))

    assert len(shown) > 200
    assert set() == shown - recorded
    assert set() == printed - recorded


def test_the_title_is_the_contest_name(facts: Facts) -> None:
    """The run is named below it; without a contest name the run is the title."""
    unnamed = replace(facts, options=ReportOptions())

    assert "<h1>Prompt trial</h1>" in html(facts)
    assert "run 2026-11-21T09-12-03" in html(facts)
    assert "<h1>2026-11-21T09-12-03</h1>" in html(unnamed)


def test_no_text_needs_a_pointer(facts: Facts) -> None:
    """Notes and legends are always visible."""
    page = html(facts)
    page = page[page.index("<body>") : page.index("<script>")]

    assert " title=" not in page
    assert '<dl class="legend">' in page
    assert "probability that it is truly the best" in page
    assert re.search(r"at this point of the season a look claims at p up to 0\.0\d{3}", page)


def test_repeats_unfold_under_their_cell(facts: Facts) -> None:
    """A cell has one row with its repeats, their returns and their spread."""
    page = html(facts)
    table = page[page.index('class="leaderboard"') :]
    fold = table[table.index("<details") : table.index("</details>")]

    assert re.search(r"<summary>2 repeats, spread \d+\.\d\d %</summary>", fold)
    assert 2 == fold.count('<li><a href="#agent-')


def test_the_verdict_of_a_contest_cut_short_names_its_end(facts: Facts) -> None:
    """The end, the looks it reached and the late joiner are next to the claims."""
    page = html(facts)
    verdict = page[page.index('id="verdict"') : page.index('id="leaderboard"')]

    sentence = "Judged on 216 of 288 planned snapshots; claims are those of 3 of 5 looks."
    assert sentence in verdict
    assert "nterim" not in verdict
    assert "scalper-small-2 joined at snapshot 13" in verdict
    assert "Compared: snapshots 13 to" in page


def test_a_hostile_title_is_escaped() -> None:
    """The name of a contest is escaped like other foreign text."""
    title = "<script>alert(1)</script>\u202e" + "x" * 500
    season = make_season(snapshots=65, entries=(entry("a", "a", "m"), *BASELINES))
    page = html(make_facts("r", season, ReportOptions(title=title)))

    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert "x" * 200 not in page
