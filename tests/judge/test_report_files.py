"""`leaderboard.csv`: one line an entrant, with the figures of the page and of the message."""

import csv
import io
from typing import Any

import pytest

from judge.leaderboard import leaderboard
from judge.report import files
from judge.report.facts import Facts, ReportOptions, figures, make_facts
from judge.statistics.sharpe import sharpe_ratio
from tests.judge.seasons import entry, make_season

CELL = tuple(entry(f"dip-{k}", "dip", "m", seed=k) for k in (1, 2, 3))
FIELD = (*CELL, entry("solo", "trend", "m"), entry("cash", "cash", "baselines", baseline=True))


def lines(facts: Facts) -> dict[str, dict[str, str]]:
    """The file's lines by name."""
    return {row["name"]: row for row in csv.DictReader(io.StringIO(files.leaderboard_csv(facts)))}


@pytest.fixture(scope="module")
def facts() -> Facts:
    """A cell of three repeats, one agent and cash."""
    return make_facts("run", make_season(snapshots=80, entries=FIELD), ReportOptions())


def test_one_line_an_entrant_in_the_order_of_the_page(facts: Facts) -> None:
    """Repeats of a cell are one line, and say how many they are."""
    found = lines(facts)

    assert [row.agent for row in facts.board.rows] == list(found)
    assert {"3", "1"} == {row["repeats"] for row in found.values()}
    (cell,) = (row for row in found.values() if row["repeats"] == "3")
    assert float(cell["repeat_sd"]) > 0.0


def test_the_lines_hold_what_the_message_holds(facts: Facts) -> None:
    """Every figure of a row is in the file under its own name, at its precision."""
    found = lines(facts)
    renamed = {"drawdown": "max_drawdown"}
    for row in facts.board.evaluation.rows:
        line = found[row.agent]
        for column in ("total_return", "gross_return", "net_return", "excess_return", "fees_usd",
                       "slippage_usd", "latency_usd", "drawdown", "volatility", "turnover",
                       "trades", "psr", "dsr", "p_best"):  # fmt: skip
            given = getattr(row, column)
            told = line[renamed.get(column, column)]
            if given is None:
                assert told == ""
            else:
                assert float(given) == pytest.approx(float(told), abs=6e-7)


def test_gross_less_costs_is_net_in_every_line(facts: Facts) -> None:
    """Gross less fees less slippage is the equity, to the micro-dollar, in cells as well."""
    for line in lines(facts).values():
        costs = float(line["fees_usd"]) + float(line["slippage_usd"])

        assert float(line["equity_usd"]) == pytest.approx(
            float(line["gross_usd"]) - costs, abs=2e-6
        )


def test_one_sharpe_ratio_everywhere() -> None:
    """Message, CSV, figures.json and metrics have the same ratio, in a season that is thinned too.

    2,100 periods are summed two by two for the resampling; the ratio is that of single periods.
    """
    season = make_season(snapshots=2_100, entries=FIELD[3:])
    facts = make_facts("run", season, ReportOptions())
    place = season.names.index("solo")
    (row,) = (row for row in facts.board.evaluation.rows if row.agent == "solo")
    line, own = lines(facts)["solo"], sharpe_ratio(season.log_returns()[:, place])
    tree: dict[str, Any] = figures(facts)

    assert own is not None
    assert row.sharpe is not None
    assert "period" == facts.board.evaluation.sharpe_unit == line["sharpe_unit"]
    for told in (
        row.sharpe.value,
        float(line["sharpe"]),
        tree["entries"][place]["sharpe"],
        facts.metrics[place].sharpe,
    ):
        assert told == pytest.approx(own, rel=1e-9)
    assert row.sharpe.low < own < row.sharpe.high


def test_a_long_season_is_of_a_year() -> None:
    """From 30 days on the ratio of the message is annualised, as its unit says."""
    season = make_season(snapshots=70, entries=FIELD[3:], interval_s=86_400.0)
    board = leaderboard(season, resamples=199)
    (row,) = (row for row in board.rows if row.agent == "solo")
    own = sharpe_ratio(season.log_returns()[:, season.names.index("solo")])

    assert own is not None
    assert row.sharpe is not None
    assert row.sharpe.value == pytest.approx(own * 365**0.5, rel=1e-9)
    assert "year" == board.evaluation.sharpe_unit
