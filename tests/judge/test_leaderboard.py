"""The leaderboard and its text are deterministic and complete, and claim only what is decided."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from statistics import stdev

import pytest

from arena.messages import Estimate, LeaderboardRow
from judge.entrants import with_entries
from judge.formatting import duration_text, interval_text, percent, rank_text
from judge.leaderboard import Leaderboard, horizon_of, leaderboard
from judge.leaderboard_rows import UNEXPLAINED
from judge.leaderboard_text import render_leaderboard
from judge.season import Season, SeasonBuilder
from judge.statistics.looks import Horizon
from tests.dashboard.scenario import Scenario
from tests.judge.seasons import BASELINES, entry, fold_records, make_season

RESAMPLES = 500
SNAPSHOTS = 150


def season_of(scenario: Scenario) -> Season:
    """The season of a scenario's records."""
    return fold_records(scenario.records).season()


@pytest.fixture(scope="module")
def board() -> Leaderboard:
    """The leaderboard of a season long enough for a verdict."""
    return leaderboard(season_of(Scenario().run(SNAPSHOTS)), resamples=RESAMPLES)


def test_the_same_season_gives_the_same_bytes(board: Leaderboard) -> None:
    """The same records give the same message and the same text twice."""
    again = leaderboard(season_of(Scenario().run(SNAPSHOTS)), resamples=RESAMPLES)

    assert board.evaluation.model_dump_json() == again.evaluation.model_dump_json()
    assert render_leaderboard(board.evaluation) == render_leaderboard(again.evaluation)


def test_other_options_give_another_id(board: Leaderboard) -> None:
    """An evaluation's id depends on the options that decide it."""
    other = leaderboard(board.season, seed=2, resamples=RESAMPLES)

    assert board.evaluation.evaluation_id != other.evaluation.evaluation_id


def test_rows_are_in_the_order_of_returns(board: Leaderboard) -> None:
    """The entrant with the higher return is first, whatever its rank set."""
    returns = [-(row.total_return or 0.0) for row in board.rows]

    assert sorted(returns) == returns
    assert sorted(board.season.names) == sorted(row.agent for row in board.rows)


def test_every_none_of_a_row_has_a_reason(board: Leaderboard) -> None:
    """A column that is None has a reason, early and late in a season."""
    early = leaderboard(season_of(Scenario().run(3)), resamples=RESAMPLES)
    nothing = leaderboard(season_of(Scenario()), resamples=RESAMPLES)
    for row in (*board.rows, *early.rows, *nothing.rows):
        none = {n for n in LeaderboardRow.model_fields if getattr(row, n) is None}
        assert none - UNEXPLAINED == set(row.reasons)
        assert all(row.reasons.values())


def test_a_row_has_the_interval_of_its_own_return(board: Leaderboard) -> None:
    """The estimate of the interval is the total return."""
    for row in board.rows:
        assert row.return_interval is not None
        assert row.total_return == pytest.approx(row.return_interval.value, rel=1e-9, abs=1e-12)


def test_the_verdict_names_what_cannot_be_separated(board: Leaderboard) -> None:
    """It has the top set, the smallest detectable difference and the length of the season."""
    first = [row.agent for row in board.rows if row.rank_low == 1]

    assert board.text.startswith("Cannot separate ")
    assert first[0] in board.text.split(". ")[0]
    assert "in 4 seasons of 5" in board.text


def test_a_short_season_has_no_verdict() -> None:
    """After a few snapshots every entrant may still have every rank."""
    early = leaderboard(season_of(Scenario().run(5)), resamples=RESAMPLES)

    assert "No verdict: too early: 5 periods, at least 60 are needed." == early.text
    assert {(1, 6)} == {(row.rank_low, row.rank_high) for row in early.rows}


def test_no_snapshot_is_not_an_error() -> None:
    """Before the first snapshot the leaderboard is empty."""
    empty = leaderboard(SeasonBuilder().season(), resamples=RESAMPLES)

    assert ("No snapshot yet: there is nothing to judge.", ()) == (empty.text, empty.rows)
    assert "Assumptions" in render_leaderboard(empty.evaluation)


def test_one_agent_alone_is_not_compared() -> None:
    """A single agent has figures and no verdict."""
    alone = leaderboard(
        season_of(Scenario(agents=(("solo", "momentum", "agent"),)).run(80)), resamples=RESAMPLES
    )

    assert "a single agent cannot be compared" in alone.text
    assert (1, 1) == (alone.rows[0].rank_low, alone.rows[0].rank_high)


def test_too_many_agents_have_figures_without_a_verdict() -> None:
    """The statistics compare a bounded number of agents; the reason says so."""
    agents = tuple((f"a{index}", "cash", "agent") for index in range(65))
    scenario = Scenario(agents=agents)
    scenario.snapshot()
    crowd = leaderboard(season_of(scenario), resamples=RESAMPLES)

    assert "65 agents are too many to compare" in crowd.text
    assert 65 == len(crowd.rows)


def test_the_text_has_figures_costs_method_and_assumptions(board: Leaderboard) -> None:
    """One text has all of them."""
    text = render_leaderboard(board.evaluation)
    columns = ("rank", "equity", "return", "interval", "vs market", "drawdown", "Sharpe", "P(best)")
    costs = ("fees", "slippage", "latency", "LLM $", "net of LLM", "win rate", "biggest win")
    more = ("biggest loss", "trades", "invalid", "Method", "Assumptions", "slippage 2 bps")

    assert [] == [word for word in (*columns, *costs, *more) if word not in text]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0 s"), (40, "40 s"), (120, "2 min"), (7_500, "2 h 5 min"), (1_382_400, "16 days")],
)
def test_durations_have_readable_units(seconds: float, expected: str) -> None:
    """Minutes, hours and days."""
    assert expected == duration_text(seconds)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: percent(0.0414, signed=True), "+4.1 %"),
        (lambda: percent(-0.0012), "-0.12 %"),
        (lambda: percent(None), "-"),
        (lambda: rank_text(1, 3), "1-3"),
        (lambda: rank_text(2, 2), "2"),
        (lambda: interval_text(Estimate(value=0.0, low=-0.01, high=0.02)), "-1.00 .. +2.00"),
    ],
)
def test_figures_are_formatted(call: Callable[[], str], expected: str) -> None:
    """Shares, ranks and intervals as they are printed."""
    assert expected == call()


REPEATS = (
    *(entry(f"momentum-gpt-{k}", "momentum", "gpt", seed=k) for k in (1, 2, 3)),
    entry("scalper", "scalper", "gpt"),
    *BASELINES,
)


@pytest.fixture(scope="module")
def cells() -> Leaderboard:
    """The leaderboard of a cell with three repeats, an agent and three baselines."""
    return leaderboard(make_season(snapshots=120, entries=REPEATS), resamples=RESAMPLES)


def test_a_cell_is_one_row_of_means(cells: Leaderboard) -> None:
    """Amounts, counts and returns are means over the repeats, which are listed in the row."""
    row = next(row for row in cells.rows if row.agent == "momentum-gpt")
    own = cells.metrics[:3]
    equity = sum((Decimal(repr(m.equity_usd)) for m in own), Decimal(0)) / 3

    assert 5 == len(cells.rows) == len(cells.verdict.standings) == len(cells.entrants)
    assert (10, 5) == (len(cells.verdict.pairs), row.rank_high)
    assert [1, 2, 3] == [one.seed for one in row.repeats]
    assert [m.total_return for m in own] == [one.total_return for one in row.repeats]
    assert equity.quantize(Decimal("0.000001")) == row.equity_usd
    assert round(sum(m.trades for m in own) / 3) == row.trades
    assert sum(m.total_return or 0 for m in own) / 3 == pytest.approx(row.total_return)
    assert stdev([m.total_return or 0 for m in own]) == pytest.approx(row.repeat_sd)
    assert row.return_interval is not None
    assert None is next(r.repeat_sd for r in cells.rows if r.agent == "cash")


def test_more_repeats_change_no_other_figure() -> None:
    """More repeats that do the same change no rank, no chance and no figure of another entrant."""
    season = make_season(snapshots=120, entries=REPEATS)
    indices = [0, 1, 2, 0, 1, 2, *range(3, len(REPEATS))]
    more = with_entries(season, indices)
    named = [
        replace(e, name=f"momentum-gpt-{n + 1}", seed=n + 1) if n < 6 else e
        for n, e in enumerate(more.entries)
    ]
    few = leaderboard(season, resamples=RESAMPLES).evaluation
    many = leaderboard(replace(more, entries=tuple(named)), resamples=RESAMPLES).evaluation

    assert 6 == len(many.rows[[row.agent for row in many.rows].index("momentum-gpt")].repeats)
    for one, other in zip(few.rows, many.rows, strict=True):
        figures = ("agent", "rank_low", "rank_high", "p_best", "dsr", "psr", "trades")
        assert [getattr(one, f) for f in figures] == pytest.approx(
            [getattr(other, f) for f in figures]
        )


def test_an_unknown_cost_of_one_repeat_makes_the_mean_unknown() -> None:
    """The mean of the other repeats is not shown."""
    season = make_season(snapshots=80, entries=REPEATS)
    llm = (replace(season.llm[0], cost_usd=None, paid_usd=None), *season.llm[1:])
    decisions = tuple(replace(d, cost_usd=None) for d in season.decisions[0])
    found = leaderboard(
        replace(season, llm=llm, decisions=(decisions, *season.decisions[1:])), resamples=RESAMPLES
    )
    row = next(row for row in found.rows if row.agent == "momentum-gpt")

    assert (None, None, None) == (row.llm_usd, row.llm_paid_usd, row.net_return)
    assert {"llm_usd", "llm_paid_usd", "net_return"} <= set(row.reasons)


@pytest.mark.parametrize(
    ("planned", "periods", "open_ended", "horizon"),
    [
        (None, 100, False, Horizon(None, over=True)),
        (None, 100, True, Horizon(None, over=False)),
        (864, 100, False, Horizon(864, over=False)),
        (864, 864, True, Horizon(864, over=True)),
        (100, 120, False, Horizon(100, over=True)),
    ],
)
def test_the_planned_length_comes_from_the_records(
    planned: int | None, periods: int, open_ended: bool, horizon: Horizon
) -> None:
    """Without a recorded plan the caller says whether more snapshots may come."""
    season = make_season(snapshots=periods, entries=BASELINES)
    planning = replace(season.assumptions, planned=planned)

    assert horizon == horizon_of(replace(season, assumptions=planning), open_ended=open_ended)


def test_a_late_joiner_moves_the_compared_part() -> None:
    """Rows are sorted by the compared part, and claims count the season's snapshots."""
    season = make_season(snapshots=200, entries=REPEATS[3:])
    late = replace(season.entries[0], joined=60)
    found = leaderboard(
        replace(season, entries=(late, *season.entries[1:])), resamples=RESAMPLES
    ).evaluation
    order = [row.return_interval.value for row in found.rows if row.return_interval]

    assert (60, 140) == (found.compared_from, found.compared)
    assert sorted(order, reverse=True) == order
    assert all(60 < claim.snapshots <= 200 for claim in found.claims)
    assert found.warnings[0].startswith("scalper joined at snapshot 61 of 200")


def test_an_entry_that_came_too_late_has_no_row(cells: Leaderboard) -> None:
    """It is listed with its cause and does not change the figures of the others."""
    season = make_season(snapshots=120, entries=REPEATS)
    late = replace(season.entries[3], joined=90)
    entries = (*season.entries[:3], late, *season.entries[4:])
    found = leaderboard(replace(season, entries=entries), resamples=RESAMPLES)

    assert ["scalper"] == [one.agent for one in found.evaluation.apart]
    assert "scalper" not in {row.agent for row in found.rows}
    assert "joined at snapshot 91 of 120" in found.text
    assert (0, 120) == found.window
    others = [(row.agent, row.total_return) for row in cells.rows if row.agent != "scalper"]
    assert others == [(row.agent, row.total_return) for row in found.rows]
