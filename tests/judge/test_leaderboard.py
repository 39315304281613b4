"""The leaderboard and its words: deterministic, every column there, nothing claimed too much."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from statistics import stdev

import numpy as np
import pytest

from arena.messages import Estimate, LeaderboardRow
from judge.leaderboard import Leaderboard, horizon_of, leaderboard
from judge.leaderboard_rows import UNEXPLAINED
from judge.leaderboard_words import render
from judge.phrases import duration_words, interval_words, percent, rank_words
from judge.season import FloatArray, Season, SeasonBuilder
from judge.statistics.looks import FINISHED, Horizon
from tests.dashboard.scenario import Scenario
from tests.judge.seasons import BASELINES, entry, make_season

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


def test_every_none_of_a_row_has_a_reason(board: Leaderboard) -> None:
    """A column that is None says why, early and late."""
    early = leaderboard(season_of(Scenario().run(3)), resamples=RESAMPLES)
    nothing = leaderboard(season_of(Scenario()), resamples=RESAMPLES)
    for row in (*board.rows, *early.rows, *nothing.rows):
        none = {n for n in LeaderboardRow.model_fields if getattr(row, n) is None}
        assert none - UNEXPLAINED == set(row.reasons)
        assert all(row.reasons.values())


def test_a_row_has_the_interval_of_its_own_return(board: Leaderboard) -> None:
    """The estimate of the interval is the total return itself."""
    for row in board.rows:
        assert row.return_interval is not None
        assert row.total_return == pytest.approx(row.return_interval.value, rel=1e-9, abs=1e-12)


def test_the_verdict_names_what_cannot_be_separated(board: Leaderboard) -> None:
    """The words give the top set, the smallest difference that was visible, and the span."""
    first = [row.agent for row in board.rows if row.rank_low == 1]

    assert board.words.startswith(f"Cannot separate {', '.join(first)}. Between ")
    assert "in 4 seasons of 5" in board.words
    assert "Separated: buy-and-hold beats brainrot, momentum and random" in board.words


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

    assert "a single agent cannot be compared" in alone.words
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
    columns = ("rank", "equity", "return", "interval", "vs market", "drawdown", "Sharpe", "P(best)")
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


def test_repeats_share_no_chance_and_are_no_twins(cells: Leaderboard) -> None:
    """P(best) is that of the cell; a repeat that is doubled changes nothing but the mean."""
    season = make_season(snapshots=120, entries=REPEATS[1:])
    twins = replace(season, entries=(REPEATS[0], *season.entries[1:]))
    one = leaderboard(replace(twins, entries=REPEATS[1:]), resamples=RESAMPLES)

    assert 1 == pytest.approx(sum(row.p_best or 0 for row in cells.rows))
    assert {row.agent for row in cells.rows} == {row.agent for row in one.rows}


def test_a_cost_that_is_unknown_of_one_repeat_is_unknown() -> None:
    """The model's price of one repeat is not known: the mean of the others is not shown."""
    season = make_season(snapshots=80, entries=REPEATS)
    llm = (replace(season.llm[0], cost_usd=None, paid_usd=None), *season.llm[1:])
    decisions = tuple(replace(d, cost_usd=None) for d in season.decisions[0])
    found = leaderboard(
        replace(season, llm=llm, decisions=(decisions, *season.decisions[1:])), resamples=RESAMPLES
    )
    row = next(row for row in found.rows if row.agent == "momentum-gpt")

    assert (None, None, None) == (row.llm_usd, row.llm_paid_usd, row.net_return)
    assert {"llm_usd", "llm_paid_usd", "net_return"} <= set(row.reasons)


def two(curve: FloatArray, snapshots: int = 120, seed: int = 7) -> Season:
    """A season in which the equity of "a" is given, half of it in the market."""
    entries = (entry("a", "a", "gpt"), entry("b", "b", "gpt"), *BASELINES)
    season = make_season(snapshots=snapshots, entries=entries, seed=seed)
    equity, cash, exposure = season.equity.copy(), season.cash.copy(), season.exposure.copy()
    equity[:, 0], cash[:, 0], exposure[:, 0] = curve, curve / 2, 0
    exposure[:, 0, 0] = curve / 2
    return replace(season, equity=equity, cash=cash, exposure=exposure)


def steps(snapshots: int, before: float, after: float) -> FloatArray:
    """A curve with one step in its middle."""
    return np.where(np.arange(snapshots + 1) < snapshots // 2, before, after)


CURVES: dict[str, Callable[[int], FloatArray]] = {
    "all cash": lambda n: np.full(n + 1, 1e5),
    "nothing": lambda n: np.zeros(n + 1),
    "lost everything": lambda n: steps(n, 1e5, 0.0),
    "-99.999 %": lambda n: steps(n, 1e5, 1.0),
    "a millionfold": lambda n: steps(n, 1.0, 1e6),
    "burned": lambda n: np.cumprod(np.full(n + 1, 0.9)) * 1e5,
    "up and down": lambda n: np.where(np.arange(n + 1) % 2, 1e-3, 1e5),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("snapshots", [1, 60, 120])
@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
def test_no_account_breaks_the_judge(curve: Callable[[int], FloatArray], snapshots: int) -> None:
    """Every figure is finite, or None with a reason; the text has no nan and no infinity."""
    found = leaderboard(two(curve(snapshots), snapshots), resamples=199).evaluation()
    text = render(found)
    json = found.model_dump_json()

    assert "NaN" not in json
    assert "Infinity" not in json
    assert not {"nan", "inf", "+inf", "-inf"} & set(text.replace("%", " ").split())
    for row in found.rows:
        none = {n for n in LeaderboardRow.model_fields if getattr(row, n) is None}
        assert none - UNEXPLAINED == set(row.reasons)


@pytest.mark.parametrize("after", [0.5, 1e-5])
def test_an_interval_that_says_nothing_is_a_dash_with_a_reason(after: float) -> None:
    """One period decides the whole season of "a": its return is told, an interval is not."""
    wobble = np.exp(np.random.default_rng(3).normal(0, 1e-3, 121))
    found = leaderboard(two(steps(120, 1e5, 1e5 * after) * wobble), resamples=RESAMPLES)
    row = next(row for row in found.rows if row.agent == "a")

    assert after - 1 == pytest.approx(row.total_return, abs=0.005)
    assert row.return_interval is None
    assert "too wide to say anything: one period decides it" == row.reasons["return_interval"]
    assert all(d.difference <= 10 for d in found.said.detectables)
    assert all(r.return_interval for r in found.rows if r.agent != "a")


@pytest.mark.parametrize(
    ("curve", "words"),
    [
        (steps(120, 1e5, 0.0), "a lost everything: 1 % of it or less was left by snapshot 61,"),
        (steps(120, 1e5, 1.0), "a lost 99.999 % of its account: 1 % of it or less was left by"),
        (np.zeros(121), "a had nothing from the start."),
    ],
)
def test_who_lost_everything_is_said(curve: FloatArray, words: str) -> None:
    """A warning names the account, how much and when."""
    (warning, *_) = leaderboard(two(curve), resamples=199).said.warnings

    assert warning.startswith(words)
    assert words.endswith("start.") or "2026-11-21 10:00:00 UTC." in warning


def test_the_others_are_judged_beside_a_crash() -> None:
    """Pairs without the account that crashed keep their detectable difference."""
    calm = leaderboard(two(np.full(121, 1e5)), resamples=RESAMPLES).said
    crashed = leaderboard(two(steps(120, 1e5, 1.0)), resamples=RESAMPLES).said
    pairs = [
        {frozenset((d.a, d.b)): d.difference for d in said.detectables if "a" not in (d.a, d.b)}
        for said in (calm, crashed)
    ]

    assert pairs[0].keys() <= pairs[1].keys()
    assert all(pairs[1][pair] < 2 * size for pair, size in pairs[0].items())


@pytest.mark.parametrize(
    ("planned", "periods", "open_ended", "horizon"),
    [
        (None, 100, False, FINISHED),
        (None, 100, True, Horizon(None, over=False)),
        (864, 100, False, Horizon(864, over=False)),
        (864, 864, True, Horizon(864, over=True)),
        (100, 120, False, Horizon(100, over=True)),
    ],
)
def test_how_long_a_season_is(
    planned: int | None, periods: int, open_ended: bool, horizon: Horizon
) -> None:
    """The plan of the records counts; without one the caller says whether more may come."""
    season = make_season(snapshots=periods, entries=BASELINES)
    planning = replace(season.assumptions, planned=planned)

    assert horizon == horizon_of(replace(season, assumptions=planning), open_ended=open_ended)


def live(snapshots: int, planned: int | None = 240) -> Leaderboard:
    """A season in which "a" earns steadily, as far as it is known after so many snapshots."""
    rng = np.random.default_rng(5)
    curve = 1e5 * np.exp(np.cumsum(rng.normal(0.004, 0.004, 241)))
    season = two(curve, 240)
    season = replace(
        season,
        equity=np.vstack([season.equity[:snapshots], season.equity[snapshots - 1 : snapshots]]),
        cash=np.vstack([season.cash[:snapshots], season.cash[snapshots - 1 : snapshots]]),
        exposure=np.concatenate(
            [season.exposure[:snapshots], season.exposure[snapshots - 1 : snapshots]]
        ),
        times=season.times[: snapshots + 1],
        hold=season.hold[: snapshots + 1],
        snapshot_ids=season.snapshot_ids[:snapshots],
        assumptions=replace(season.assumptions, planned=planned, snapshots=snapshots),
        fills=tuple(() for _ in season.entries),
    )
    return leaderboard(season, resamples=199)


def test_a_live_season_decides_at_its_looks_and_from_whole_periods() -> None:
    """The look after 120 periods needs 121 snapshots, and its claims stay what they are."""
    before, at, after = live(120).said, live(121).said, live(130).said

    assert [True] * 3 == [one.interim for one in (before, at, after)]
    assert [119, 120, 129] == [one.compared for one in (before, at, after)]
    assert (before.look + 1, 240) == (at.look, at.planned)
    made = {(c.winner, c.loser, c.measure): c.snapshots for c in at.claims}
    assert made
    assert all(snapshots <= 121 for snapshots in made.values())
    assert made == {(c.winner, c.loser, c.measure): c.snapshots for c in after.claims}


def test_a_claim_names_winner_loser_and_when() -> None:
    """It counts snapshots of the season, the first one in which it could be made."""
    found = live(240).said
    claim = next(c for c in found.claims if c.loser == "cash" and c.measure == "return")

    assert (False, 240) == (found.interim, found.compared)
    assert ("a", None) == (claim.winner, claim.withdrawn)
    assert 61 <= claim.snapshots < 240
    assert claim.survives_stress is not None
    assert all(c.survives_stress is None for c in found.claims if c.measure == "alpha")


def test_a_late_joiner_moves_what_is_compared() -> None:
    """Rows are sorted by the compared part, and claims count the season's snapshots."""
    season = make_season(snapshots=200, entries=REPEATS[3:])
    late = replace(season.entries[0], joined=60)
    found = leaderboard(
        replace(season, entries=(late, *season.entries[1:])), resamples=RESAMPLES
    ).said
    order = [row.return_interval.value for row in found.rows if row.return_interval]

    assert (60, 140) == (found.compared_from, found.compared)
    assert sorted(order, reverse=True) == order
    assert all(60 < claim.snapshots <= 200 for claim in found.claims)
    assert found.warnings[0].startswith("scalper joined at snapshot 61 of 200")


def test_who_came_too_late_has_no_row(cells: Leaderboard) -> None:
    """It is apart with its cause, and has no part in the figures of the others."""
    season = make_season(snapshots=120, entries=REPEATS)
    late = replace(season.entries[3], joined=90)
    entries = (*season.entries[:3], late, *season.entries[4:])
    found = leaderboard(replace(season, entries=entries), resamples=RESAMPLES)

    assert ["scalper"] == [one.agent for one in found.said.apart]
    assert "scalper" not in {row.agent for row in found.rows}
    assert "joined at snapshot 91 of 120" in found.words
    assert (0, 120) == found.window
    kept = [(row.agent, row.total_return) for row in cells.rows if row.agent != "scalper"]
    assert kept == [(row.agent, row.total_return) for row in found.rows]
