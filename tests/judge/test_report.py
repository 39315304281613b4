"""The report shows the season, escapes foreign text and has a bounded size."""

import csv
import io
import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from markdown_it import MarkdownIt
from markupsafe import escape

from arena.errors import UsageError
from judge.report import files, formats, plots
from judge.report.agent_sections import ROWS_MAX, ROWS_MIN, TEXT_MAX
from judge.report.facts import Facts, ReportOptions, canonical, figures, make_facts, read_facts
from judge.report.matrix import make_matrix
from judge.report.page import html, markdown
from judge.report.plots import curve_styles, make_charts
from judge.report.write import write_report
from judge.season import SeasonBuilder
from tests.judge.seasons import BASELINES, MATRIX, entry, export_run, make_season

HOSTILE = (
    '</script><script>document.title="owned"</script><img src=x onerror=alert(1)>'
    "\u202e {{ 7*7 }} | `code` [x](javascript:alert(1))"
)
PAGE_BYTES_MAX = 2_500_000


@pytest.fixture(scope="module")
def facts() -> Facts:
    """The facts of twelve agents that write hostile text, and three baselines."""
    return make_facts("2026-11-21T09-12-03", make_season(text=HOSTILE), ReportOptions())


@pytest.fixture(scope="module")
def page(facts: Facts) -> str:
    """The HTML page of these facts."""
    return html(facts)


def body(page: str) -> str:
    """The page without its scripts and styles."""
    return re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)


def test_a_contest_cut_short_is_stopped_not_interim() -> None:
    """Records are exported at the end of a contest; its looks are those of the plan."""
    season = make_season(snapshots=70, entries=(*MATRIX[:2], *BASELINES[:2]))
    plan = replace(season.assumptions, planned=128, rules_changed="the fee changed at snapshot 9")
    short = make_facts("short", replace(season, assumptions=plan), ReportOptions())
    sentence = "Judged on 70 of 128 planned snapshots; claims are those of 1 of 5 looks."

    assert short.board.text.startswith(sentence)
    assert "The fee changed at snapshot 9." in short.board.text
    assert not figures(short)["evaluation"]["interim"]
    assert sentence in markdown(short).replace("\n", " ")
    assert "nterim" not in markdown(short)


def test_the_page_loads_nothing(page: str) -> None:
    """It has no src, no link except the empty icon, and no import."""
    text = body(page)

    assert [] == re.findall(r"<(?:img|iframe|object|embed|video|audio|source|form)\b", text)
    assert ['<link rel="icon" href="data:,">'] == re.findall(r"<link[^>]*>", text)
    assert [] == re.findall(r"<script[^>]+src", page)
    assert [] == [
        h for h in re.findall(r'href="([^"]*)"', text) if not h.startswith(("#", "data:"))
    ]
    assert "default-src 'none'" in page


def test_markup_of_a_model_is_shown_as_text(page: str) -> None:
    """Direction marks are made visible."""
    text = body(page)

    assert "owned" in text
    assert "&lt;script&gt;document.title" in text
    assert "&lt;img src=x" in text
    assert "{{ 7*7 }}" in text
    assert "\u202e" not in page


def test_the_policy_allows_only_the_script(page: str) -> None:
    """The policy has the hash of the script in the page and no other."""
    import base64
    import hashlib

    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    hashes = [
        f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'"
        for s in scripts
    ]
    policy = re.search(r"script-src ([^\"]+)\"", page)

    assert policy is not None
    assert 1 == len(scripts) == page.count("<script")
    assert hashes == policy[1].replace("&#39;", "'").split()


def test_a_name_cannot_become_an_element() -> None:
    """An agent name with markup is text in tables, in charts and in their keys."""
    hostile = entry("</script><b>x", "momentum", "small")
    page = html(make_facts("run", make_season(entries=(hostile, *BASELINES)), ReportOptions()))

    assert "</script><b>x" not in page
    assert "&lt;/script&gt;&lt;b&gt;x" in page[page.index('class="right"') :]


def test_the_page_is_whole_without_its_script(page: str, facts: Facts) -> None:
    """Charts are drawn in the page, each with its figures as a table."""
    text = body(page)
    charts = make_charts(facts, make_matrix(facts))

    assert {"returns", "equity", "drawdowns", "matrix", "costs", "latency", "decisions"} == set(
        charts
    )
    for chart in charts.values():
        for row in chart.rows:
            assert all(escape(cell) in text for cell in row)
    assert 2 * (len(facts.season.names) + 1) == text.count('<path class="line ')
    assert len(facts.board.rows) == text.count('<svg class="interval')


def test_the_page_has_every_leaderboard_column(page: str, facts: Facts) -> None:
    """One row for each entrant; rank and return are the first columns."""
    text = body(page)
    table = text[text.index('class="leaderboard"') :]
    table = table[: table.index("</table>")]
    wanted = (
        "ranks", "return", "vs market", "P(best)", "Sharpe a period", "max drawdown", "gross",
        "fees", "slippage", "latency cost", "net", "LLM $", "net of LLM", "equity", "win rate",
        "biggest win", "biggest loss", "trades", "invalid",
    )  # fmt: skip
    heads = re.findall(r"<button type=\"button\">([^<]+)</button>", table)

    assert ["entry", "ranks", "return"] == heads[:3]
    assert set(wanted) <= set(heads)
    assert len(facts.entrants) == table.count('<th scope="row"')
    assert {e.name for e in facts.season.entries} == set(
        re.findall('<a href="#agent[^>]*>([^<]+)', table)
    )


def test_the_page_begins_with_the_verdict(page: str, facts: Facts) -> None:
    """The verdict is word for word the judge's, before the leaderboard."""
    shown = re.search(r'<p id="verdict"[^>]*>(.*?)</p>', page)

    assert shown is not None
    assert facts.board.text == unescape(re.sub("<[^>]+>", "", shown[1]))
    assert page.index('id="verdict"') < page.index('id="leaderboard"')


def test_the_same_facts_give_the_same_bytes(facts: Facts, page: str) -> None:
    """Page, Markdown and figures depend on no clock and no random number."""
    again = make_facts("2026-11-21T09-12-03", make_season(text=HOSTILE), ReportOptions())

    assert page == html(again)
    assert markdown(facts) == markdown(again)
    assert canonical(figures(facts)) == canonical(figures(again))


def test_a_long_season_has_a_bounded_page() -> None:
    """Thirty agents that write much: curves and tables are bounded, and the page says so."""
    entries = tuple(entry(f"agent-{n}", "momentum", f"m{n}") for n in range(30))
    season = make_season(snapshots=2_500, entries=entries, text="x" * 5_000)
    # The verdict of a short season is enough: this test is about curves and tables.
    facts = make_facts("run", make_season(snapshots=65, entries=entries), ReportOptions())
    page = html(replace(facts, board=replace(facts.board, season=season)))

    assert len(page.encode()) < PAGE_BYTES_MAX
    assert "Of 2,501 points at most 700 of each curve are drawn" in page
    assert "all are in fills.csv" in page
    assert "x" * (TEXT_MAX + 1) not in page
    assert ROWS_MIN <= ROWS_MAX // 30


def test_a_reduced_curve_keeps_its_extremes() -> None:
    """A bounded number of points with the first, last, lowest and highest."""
    values = np.cumsum(np.random.default_rng(3).normal(size=50_000))
    points = plots.thin(values, plots.POINTS_MAX)

    assert len(points) <= plots.POINTS_MAX
    assert {0, 49_999, int(values.argmin()), int(values.argmax())} <= set(points.tolist())
    assert list(range(100)) == plots.thin(values[:100], plots.POINTS_MAX).tolist()


def test_curves_differ_by_more_than_colour(facts: Facts) -> None:
    """Repeats of a cell share a colour and differ by dashes; every two styles differ."""
    found = curve_styles(facts)
    agents = [found[one.name].split() for one in MATRIX]

    assert len(MATRIX) == len({tuple(pair) for pair in agents})
    assert agents[0][0] == agents[1][0]
    assert ["hold", "cash", "grey"] == [found[one.name] for one in BASELINES]


def test_foreign_text_in_markdown_is_escaped() -> None:
    """Foreign text makes no element, link, picture, heading or line."""
    evil = (
        "<img src=http://a.invalid/x onerror=alert(1)>[a](http://a.invalid) ![i](http://a.invalid)"
        " <http://a.invalid> http://a.invalid www.a.invalid a@a.invalid `x` ~~y~~ | **b** &lt; $z$"
        "\n# forged\n- forged\n\n| a |\n|--|\n"
    )
    entries = tuple(entry(f"{evil}{n}", evil, evil) for n in range(3))
    facts = make_facts(
        f"`{evil}", make_season(entries=(*entries, *BASELINES), text=evil), ReportOptions()
    )
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    text = markdown(facts)
    tokens = parser.parse(text)
    kinds = {t.type for token in tokens for t in (token, *(token.children or ()))}
    headings = [tokens[n + 1].content for n, t in enumerate(tokens) if t.type == "heading_open"]

    assert not kinds & {"html_inline", "html_block", "link_open", "image", "s_open", "strong_open"}
    prose = re.sub("`arena compete verify [^`]*`", "", text)
    assert not re.search(r"https?://|www\.|[^\\]@", prose)
    assert "&amp;lt;img" not in text
    assert not [one for one in headings if one.startswith("forged")]


def test_markdown_has_the_same_rows(facts: Facts) -> None:
    """Each entrant is in the Markdown, and hostile names do not break its tables."""
    text = markdown(facts)
    board = text[text.index("| entry") : text.index("## Who beats whom")].splitlines()
    table = [line for line in board if line.startswith("|")]

    assert len(facts.entrants) + 2 == len(table)
    assert 1 == len({row.replace("\\|", "").count("|") for row in table})


def test_tables_have_every_row(facts: Facts, tmp_path: Path) -> None:
    """CSV and Parquet files have each entrant, fill and mark."""
    write_report(facts, tmp_path / "report")
    board = list(csv.DictReader(io.StringIO((tmp_path / "report/leaderboard.csv").read_text())))
    fills = list(csv.DictReader(io.StringIO((tmp_path / "report/fills.csv").read_text())))
    equity = pq.read_table(tmp_path / "report/equity.parquet")

    assert [row.agent for row in facts.board.rows] == [row["name"] for row in board]
    assert sum(map(len, facts.season.fills)) == len(fills)
    assert fills == [{k: v or "" for k, v in r.items()} for r in
                     pq.read_table(tmp_path / "report/fills.parquet").to_pylist()]  # fmt: skip
    assert facts.season.equity.size == equity.num_rows
    assert np.array_equal(facts.season.equity.ravel(), equity["equity_usd"].to_numpy())
    assert json.loads((tmp_path / "report/figures.json").read_text())["run"] == facts.run


def test_rewriting_a_report_keeps_other_files(facts: Facts, tmp_path: Path) -> None:
    """Writing twice replaces the report's files and leaves no temporary file."""
    write_report(facts, tmp_path / "report")
    (tmp_path / "report/notes.txt").write_text("mine")
    write_report(replace(facts, run="other"), tmp_path / "report")

    assert ["report"] == [path.name for path in tmp_path.iterdir()]
    assert "mine" == (tmp_path / "report/notes.txt").read_text()
    assert "other" == json.loads((tmp_path / "report/figures.json").read_text())["run"]


async def test_a_report_is_made_from_exported_records(tmp_path: Path) -> None:
    """The facts have the offsets and hashes of the records."""
    directory = await export_run(tmp_path / "one", snapshots=70)
    facts = read_facts(directory, ReportOptions(pacing="lock-step"))
    recorded = figures(facts)

    assert 70 == recorded["season"]["snapshots"]
    assert {"0": 70} == recorded["ends"]["market.snapshots"]
    assert 64 == len(recorded["records"]["account.events"])
    assert "market.tickers" in recorded["records"]
    assert "scalper" in html(facts)


def test_a_season_without_agents_is_refused() -> None:
    """The error has a remedy."""
    empty = SeasonBuilder().season()

    with pytest.raises(UsageError, match="has 0 agents"):
        make_facts("run", empty, ReportOptions())


def test_a_short_season_has_no_intervals() -> None:
    """With too few snapshots the page gives the reason."""
    page = html(make_facts("run", make_season(snapshots=5), ReportOptions()))

    assert "too early" in page
    assert 'id="returns"' not in page


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (formats.change(-0.0299), "−2.99 %"),
        (formats.change(-0.0), "0.00 %"),
        (formats.change(0.00412), "+0.41 %"),
        (formats.money(100412.774), "100,412.77"),
        (formats.gain(-12.444), "−12.44"),
        (formats.llm_usd(0.00312), "$0.0031"),
        (formats.llm_usd(0.0), "$0.00"),
        (formats.share(None), "–"),
        (formats.duration(0.0311), "31 ms"),
        (formats.duration(4_350), "1 h 12 min"),
        (formats.number(4.5e27), "over 100,000"),
        (formats.number(-137.921), "−137.92"),
        (formats.ranks(1, 4), "1–4"),
        (formats.ranks(2, 2), "2"),
        (formats.spread(-4.53, 1.4, 2), "−4.53 … +1.40"),
        (formats.quote("a\x1b[31m\u202eb", 80), r"a\u001b[31m\u202eb"),
        (formats.quote("abcdef", 3), "abc …"),
    ],
)
def test_figures_have_separators_and_signs(text: str, shown: str) -> None:
    """A minus sign, not a hyphen, and a dash for an unknown figure."""
    assert shown == text


def test_csv_fields_are_plain() -> None:
    """An unknown figure is empty, a flag is true or false, a float keeps every digit."""
    season = make_season(snapshots=65)
    row = next(
        csv.DictReader(io.StringIO(files.leaderboard_csv(make_facts("r", season, ReportOptions()))))
    )

    assert row["scripted"] in ("true", "false")
    assert float(row["equity_usd"]) in season.equity[-1].tolist()
