"""What the page prints is in figures.json: no figure is for readers alone."""

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
VOID = {"meta", "link", "br", "line"}


class Shown(HTMLParser):
    """The texts of a page that a reader sees; what models said and dates are left out."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Go into an element."""
        if tag not in VOID:
            css = dict(attrs).get("class") or ""
            words = "w" in css.split() or "long" in css
            self._inside.append("words" if words and tag == "td" else tag)

    def handle_endtag(self, tag: str) -> None:
        """Leave it."""
        if tag not in VOID:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        """Take a text that is shown."""
        if not {"script", "style", "title", "words"} & set(self._inside):
            self.texts.append(data)


def busy(season: Season) -> Season:
    """A season with everything: a leader, a crash, a late joiner, a plan that is not over."""
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
            replace(one, joined=12) if place == late else one
            for place, one in enumerate(season.entries)
        ),
        assumptions=replace(season.assumptions, planned=288),
    )


@pytest.fixture(scope="module")
def facts() -> Facts:
    """Three quarters of a contest in which much happens."""
    season = busy(make_season(snapshots=216, entries=MATRIX[4:] + BASELINES))
    return make_facts("2026-11-21T09-12-03", season, ReportOptions(title="Prompt trial"))


def figures_in(text: str) -> set[str]:
    """Every figure of a text, without its sign: a dash may be one, or part of a name."""
    return {found.strip("+−-,") for found in FIGURE.findall(text)}


def test_every_printed_figure_is_in_the_figures(facts: Facts) -> None:
    """A figure that the page or the Markdown shows is in figures.json as it is printed."""
    page = Shown()
    page.feed(html(facts))
    told = figures_in(canonical(document(facts)).decode())
    shown = figures_in("\n".join(page.texts))
    printed = figures_in(markdown(facts).replace("\\", ""))

    assert len(shown) > 200
    assert set() == shown - told
    assert set() == printed - told


def test_the_title_is_the_contest(facts: Facts) -> None:
    """A contest's name is the title of its report; its run is named below; without one, the run."""
    unnamed = replace(facts, options=ReportOptions())

    assert "<h1>Prompt trial</h1>" in html(facts)
    assert "run 2026-11-21T09-12-03" in html(facts)
    assert "<h1>2026-11-21T09-12-03</h1>" in html(unnamed)


def test_nothing_waits_for_a_pointer(facts: Facts) -> None:
    """No text is shown only when something is pointed at; notes and legends are in sight."""
    page = html(facts)
    page = page[page.index("<body>") : page.index('<script type="application/json"')]

    assert " title=" not in page
    assert '<dl class="legend">' in page
    assert "probability that it is truly the best" in page
    assert re.search(r"at this point of the season a look claims at p up to 0\.0\d{3}", page)


def test_repeats_unfold_under_their_cell(facts: Facts) -> None:
    """A cell has one row; its repeats, their returns and their spread are in it."""
    page = html(facts)
    table = page[page.index('class="leaderboard"') :]
    fold = table[table.index("<details") : table.index("</details>")]

    assert re.search(r"<summary>2 repeats, spread \d+\.\d\d %</summary>", fold)
    assert 2 == fold.count('<li><a href="#agent-')


def test_a_contest_that_was_cut_short_says_so_in_its_verdict(facts: Facts) -> None:
    """Where it stopped and which looks it reached, and the late joiner, are beside the claims."""
    page = html(facts)
    verdict = page[page.index('id="verdict"') : page.index('id="leaderboard"')]

    said = "Stopped after 216 of 288 planned snapshots; claims are those of 3 of 5 looks."
    assert said in verdict
    assert "nterim" not in verdict
    assert "scalper-small-2 joined at snapshot 13" in verdict
    assert "Compared: snapshots 13 to" in page


def test_a_hostile_title_is_text() -> None:
    """The name of a contest is foreign text like any other."""
    title = "<script>alert(1)</script>\u202e" + "x" * 500
    season = make_season(snapshots=65, entries=(entry("a", "a", "m"), *BASELINES))
    page = html(make_facts("r", season, ReportOptions(title=title)))

    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert "x" * 200 not in page
