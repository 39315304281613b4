"""`leaderboard.csv`: one line for each entrant, with the figures of the page and the message."""

import csv
import io
from typing import Any

import pytest

from arena.metrics.sharpe import sharpe_ratio
from judge.leaderboard import leaderboard
from judge.report import files
from judge.report.facts import Facts, ReportOptions, figures, make_facts
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


def test_the_csv_has_one_line_per_entrant_in_page_order(facts: Facts) -> None:
    """Repeats of a cell are one line with their number."""
    found = lines(facts)

    assert [row.agent for row in facts.board.rows] == list(found)
    assert {"3", "1"} == {row["repeats"] for row in found.values()}
    (cell,) = (row for row in found.values() if row["repeats"] == "3")
    assert float(cell["repeat_sd"]) > 0.0


def test_the_csv_has_the_figures_of_the_message(facts: Facts) -> None:
    """Every figure of a row is in the file under its own name and at its precision."""
    found = lines(facts)
    renamed = {"drawdown": "max_drawdown"}
    for row in facts.board.evaluation.rows:
        line = found[row.agent]
        for column in ("total_return", "gross_return", "net_return", "excess_return", "fees_usd",
                       "slippage_usd", "latency_usd", "drawdown", "volatility", "turnover",
                       "trades", "psr", "dsr", "p_best"):  # fmt: skip
            given = getattr(row, column)
            recorded = line[renamed.get(column, column)]
            if given is None:
                assert recorded == ""
            else:
                assert float(given) == pytest.approx(float(recorded), abs=6e-7)


def test_gross_less_costs_is_net_in_every_line(facts: Facts) -> None:
    """Gross minus fees minus slippage is the equity to the micro-dollar, also in cells."""
    for line in lines(facts).values():
        costs = float(line["fees_usd"]) + float(line["slippage_usd"])

        assert float(line["equity_usd"]) == pytest.approx(
            float(line["gross_usd"]) - costs, abs=2e-6
        )


def test_the_sharpe_ratio_is_equal_in_all_files() -> None:
    """Message, CSV, figures.json and metrics agree, also in an aggregated season.

    2,100 periods are summed two by two for the resampling; the ratio is that of single periods.
    """
    season = make_season(snapshots=2_100, entries=FIELD[3:])
    facts = make_facts("run", season, ReportOptions())
    index = season.names.index("solo")
    (row,) = (row for row in facts.board.evaluation.rows if row.agent == "solo")
    line, own = lines(facts)["solo"], sharpe_ratio(season.log_returns()[:, index])
    tree: dict[str, Any] = figures(facts)

    assert own is not None
    assert row.sharpe is not None
    assert "period" == facts.board.evaluation.sharpe_unit == line["sharpe_unit"]
    for recorded in (
        row.sharpe.value,
        float(line["sharpe"]),
        tree["entries"][index]["sharpe"],
        facts.metrics[index].sharpe,
    ):
        assert recorded == pytest.approx(own, rel=1e-9)
    assert row.sharpe.low < own < row.sharpe.high


def test_a_long_season_has_annualised_ratios() -> None:
    """From 30 days on the ratio of the message is annualised, as its unit says."""
    season = make_season(snapshots=70, entries=FIELD[3:], interval_s=86_400.0)
    board = leaderboard(season, resamples=199)
    (row,) = (row for row in board.rows if row.agent == "solo")
    own = sharpe_ratio(season.log_returns()[:, season.names.index("solo")])

    assert own is not None
    assert row.sharpe is not None
    assert row.sharpe.value == pytest.approx(own * 365**0.5, rel=1e-9)
    assert "year" == board.evaluation.sharpe_unit
