"""The leaderboard and its words: deterministic, every column there, nothing claimed too much."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from arena.messages import Estimate, LeaderboardRow
from judge.leaderboard import Leaderboard, leaderboard
from judge.leaderboard_words import (
    duration_words,
    interval_words,
    percent,
    rank_words,
    render,
    verdict_words,
)
from judge.season import Season, SeasonBuilder
from tests.dashboard.scenario import Scenario

RESAMPLES = 500


def season_of(scenario: Scenario) -> Season:
    """The season of a scenario's records."""
    builder = SeasonBuilder()
    for record in scenario.records:
        builder.apply(record)
    return builder.season()


@pytest.fixture(scope="module")
def board() -> Leaderboard:
    """The leaderboard of 600 snapshots."""
    return leaderboard(season_of(Scenario().run(600)), resamples=RESAMPLES)


def test_the_same_season_gives_the_same_bytes(board: Leaderboard) -> None:
    """Judged again from its records, a season gives the same message and the same text."""
    again = leaderboard(season_of(Scenario().run(600)), resamples=RESAMPLES)

    assert board.evaluation().model_dump_json() == again.evaluation().model_dump_json()
    assert render(board.evaluation()) == render(again.evaluation())


def test_other_settings_have_another_id(board: Leaderboard) -> None:
    """An evaluation's id names the settings that decide it."""
    other = leaderboard(board.season, seed=2, resamples=RESAMPLES)

    assert board.evaluation().evaluation_id != other.evaluation().evaluation_id


def test_rows_are_in_the_order_of_returns(board: Leaderboard) -> None:
    """The rank set stands beside; who earned more stands higher."""
    returns = [-(row.total_return or 0.0) for row in board.rows]

    assert sorted(returns) == returns
    assert sorted(board.season.names) == sorted(row.agent for row in board.rows)


@pytest.mark.parametrize(
    ("lows", "words"),
    [((1, 1, 3), "cannot separate #1-#2 ({0}, {1})"), ((1, 2, 1), "cannot separate {0}, {2}")],
)
def test_only_leading_ranks_are_called_by_number(
    board: Leaderboard, lows: tuple[int, ...], words: str
) -> None:
    """With wide intervals one may be inseparable from the first and yet not next to it."""
    ranked = [row.agent for row in board.rows]
    low_of = dict(zip(ranked, [*lows, *[9] * len(ranked)], strict=False))
    standings = tuple(
        replace(s, rank_low=low_of[s.name], rank_high=9) for s in board.verdict.standings
    )
    found = verdict_words(board.season, replace(board.verdict, standings=standings), ranked)

    assert words.format(*ranked) in found[0].lower() + found[1:]


def test_every_none_of_a_row_has_a_reason(board: Leaderboard) -> None:
    """A column that is None says why, early and late."""
    early = leaderboard(season_of(Scenario().run(3)), resamples=RESAMPLES)
    nothing = leaderboard(season_of(Scenario()), resamples=RESAMPLES)
    for row in (*board.rows, *early.rows, *nothing.rows):
        none = {n for n in LeaderboardRow.model_fields if getattr(row, n) is None}
        assert none - {"seed"} == set(row.reasons)
        assert all(row.reasons.values())


def test_a_row_has_the_interval_of_its_own_return(board: Leaderboard) -> None:
    """The estimate of the interval is the total return itself."""
    for row in board.rows:
        assert row.return_interval is not None
        assert row.total_return == pytest.approx(row.return_interval.value, rel=1e-9, abs=1e-12)


def test_the_verdict_names_what_cannot_be_separated(board: Leaderboard) -> None:
    """The words give the top set, the smallest difference that was visible, and the span."""
    first = [row.agent for row in board.rows if row.rank_low == 1]

    assert board.words.startswith(f"Cannot separate #1-#{len(first)} ({', '.join(first)}); a")
    assert "could not have been seen in 11 h 59 min. No agent beats buy-and-hold" in board.words


def test_too_early_says_so() -> None:
    """A season of a few snapshots gives no verdict, and everyone shares every rank."""
    early = leaderboard(season_of(Scenario().run(5)), resamples=RESAMPLES)

    assert "No verdict: too early: 5 periods, at least 60 are needed." == early.words
    assert {(1, 6)} == {(row.rank_low, row.rank_high) for row in early.rows}


def test_no_snapshot_is_no_error() -> None:
    """Before the first snapshot there is nothing to judge."""
    empty = leaderboard(SeasonBuilder().season(), resamples=RESAMPLES)

    assert ("No snapshot yet: there is nothing to judge.", ()) == (empty.words, empty.rows)
    assert "Assumptions" in render(empty.evaluation())


def test_one_agent_alone_has_nobody_to_beat() -> None:
    """A single agent is measured but not ranked against anybody."""
    alone = leaderboard(
        season_of(Scenario(agents=(("solo", "momentum", "agent"),)).run(80)), resamples=RESAMPLES
    )

    assert "a single agent has nobody to be compared with" in alone.words
    assert (1, 1) == (alone.rows[0].rank_low, alone.rows[0].rank_high)


def test_too_many_agents_are_told_not_fatal() -> None:
    """More agents than the statistics compare: figures without a verdict."""
    agents = tuple((f"a{place}", "cash", "agent") for place in range(65))
    scenario = Scenario(agents=agents)
    scenario.snapshot()
    crowd = leaderboard(season_of(scenario), resamples=RESAMPLES)

    assert "65 agents are too many to compare" in crowd.words
    assert 65 == len(crowd.rows)


def test_the_text_shows_every_column_the_issue_asks_for(board: Leaderboard) -> None:
    """Figures, costs, method and assumptions stand in one text."""
    text = render(board.evaluation())
    columns = ("rank", "equity", "return", "interval", "vs hold", "drawdown", "Sharpe", "P(best)")
    costs = ("fees", "slippage", "latency", "LLM $", "net of LLM", "win rate", "biggest win")
    more = ("biggest loss", "trades", "invalid", "Method", "Assumptions", "slippage 2 bps")

    assert [] == [word for word in (*columns, *costs, *more) if word not in text]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (40, "40 s"), (120, "2 min"), (7_500, "2 h 5 min"), (1_382_400, "16 days")],
)
def test_durations(seconds: float, words: str) -> None:
    """A span is told in the units people use."""
    assert words == duration_words(seconds)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: percent(0.0414, signed=True), "+4.1 %"),
        (lambda: percent(-0.0012), "-0.12 %"),
        (lambda: percent(None), "-"),
        (lambda: rank_words(1, 3), "1-3"),
        (lambda: rank_words(2, 2), "2"),
        (lambda: interval_words(Estimate(value=0.0, low=-0.01, high=0.02)), "-1.00 .. +2.00"),
    ],
)
def test_words_of_figures(call: Callable[[], str], words: str) -> None:
    """Shares, ranks and intervals as they are printed."""
    assert words == call()
