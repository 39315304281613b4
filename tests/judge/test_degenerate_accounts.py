"""Figures stay finite for accounts that one period decides and for running seasons."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from arena.messages import Evaluation, LeaderboardRow
from judge.claim_text import claim_lines
from judge.entrants import with_entries
from judge.leaderboard import Leaderboard, leaderboard
from judge.leaderboard_rows import AMOUNT_BOUND, UNEXPLAINED
from judge.leaderboard_text import render_leaderboard
from judge.season import FloatArray, Season
from judge.statistics.looks import Horizon
from tests.judge.seasons import BASELINES, entry, make_season

RESAMPLES = 199


def two(curve: FloatArray, snapshots: int = 120, seed: int = 7) -> Season:
    """A season in which the equity of "a" is given, half of it in the market."""
    entries = (entry("a", "a", "gpt"), entry("b", "b", "gpt"), *BASELINES)
    season = make_season(snapshots=snapshots, entries=entries, seed=seed)
    equity, cash, exposure = season.equity.copy(), season.cash.copy(), season.exposure.copy()
    equity[:, 0], cash[:, 0], exposure[:, 0] = curve, curve / 2, 0
    exposure[:, 0, 0] = curve / 2
    return replace(season, equity=equity, cash=cash, exposure=exposure)


def steps(snapshots: int, before: float, after: float) -> FloatArray:
    """An equity curve with one step in its middle."""
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
def test_every_figure_is_finite_or_none(curve: Callable[[int], FloatArray], snapshots: int) -> None:
    """Every None has a reason, and the text has no nan and no infinity."""
    found = leaderboard(two(curve(snapshots), snapshots), resamples=199).evaluation
    text = render_leaderboard(found)
    json = found.model_dump_json()

    assert "NaN" not in json
    assert "Infinity" not in json
    assert not {"nan", "inf", "+inf", "-inf"} & set(text.replace("%", " ").split())
    for row in found.rows:
        none = {n for n in LeaderboardRow.model_fields if getattr(row, n) is None}
        assert none - UNEXPLAINED == set(row.reasons)


@pytest.mark.parametrize("after", [0.5, 1e-5])
def test_a_useless_interval_is_a_dash_with_a_reason(after: float) -> None:
    """One period decides the season of "a": its return is shown, its interval is not."""
    wobble = np.exp(np.random.default_rng(3).normal(0, 1e-3, 121))
    found = leaderboard(two(steps(120, 1e5, 1e5 * after) * wobble), resamples=RESAMPLES)
    row = next(row for row in found.rows if row.agent == "a")

    assert after - 1 == pytest.approx(row.total_return, abs=0.005)
    assert row.return_interval is None
    assert "too wide to say anything: one period decides it" == row.reasons["return_interval"]
    assert all(d.difference <= 10 for d in found.evaluation.detectables)
    assert all(r.return_interval for r in found.rows if r.agent != "a")


def test_an_equity_beyond_the_message_bound_is_cut_and_warned() -> None:
    """A price 10^18 times too high does not end the judge."""
    found = leaderboard(two(steps(60, 1e5, 1e30), 60), resamples=199).evaluation
    row = next(row for row in found.rows if row.agent == "a")

    assert AMOUNT_BOUND == row.equity_usd
    assert any("The equity of a is beyond" in text for text in found.warnings)
    assert Evaluation.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        (steps(120, 1e5, 0.0), "a lost everything: 1 % of it or less was left by snapshot 61,"),
        (steps(120, 1e5, 1.0), "a lost 99.999 % of its account: 1 % of it or less was left by"),
    ],
)
def test_a_lost_account_has_a_warning(curve: FloatArray, expected: str) -> None:
    """The warning names the account, the amount and the time."""
    (warning, *_) = leaderboard(two(curve), resamples=199).evaluation.warnings

    assert warning.startswith(expected)
    assert "2026-11-21 10:00:00 UTC." in warning


@pytest.mark.parametrize(
    ("curve", "joined", "cause"),
    [
        (np.zeros(121), 0, "had nothing to trade with at snapshot 1, 2026-11-21 09:00:00 UTC"),
        (np.full(121, -5.0), 0, "had nothing to trade with at snapshot 1,"),
        (steps(120, 1e5, 0.0)[40:].repeat(2)[:121], 50, "had nothing left at snapshot 51,"),
        (steps(120, 1e5, 0.05)[40:].repeat(2)[:121], 50, "had nothing left at snapshot 51,"),
    ],
)
def test_an_account_without_starting_equity_is_not_ranked(
    curve: FloatArray, joined: int, cause: str
) -> None:
    """It cannot gain or lose, so it would look as good as cash."""
    season = two(curve)
    entries = [replace(e, joined=joined) if e.name == "b" else e for e in season.entries]
    board = leaderboard(replace(season, entries=tuple(entries)), resamples=RESAMPLES)
    (apart,) = board.evaluation.apart

    assert {"b", "cash", "buy_and_hold", "random"} == {row.agent for row in board.rows}
    assert ("a", "no_money") == (apart.agent, apart.code)
    assert apart.cause.startswith(cause)
    assert apart.remedy


@pytest.mark.parametrize(("snapshots", "expected"), [(1, "1 period,"), (2, "2 periods,")])
def test_the_reason_has_the_singular_for_one_period(snapshots: int, expected: str) -> None:
    """The reason for no verdict counts in correct English."""
    found = leaderboard(two(np.full(snapshots + 1, 1e5), snapshots), resamples=RESAMPLES)

    assert f"too early: {expected} at least 60 are needed" in found.text


@pytest.mark.parametrize("left", [0.0, 1.0, 900.0])
def test_a_lost_account_has_no_chance_to_be_the_best(left: float) -> None:
    """The chances of the others add up to 1; the lost account has none and a reason."""
    found = leaderboard(two(steps(120, 1e5, left)), resamples=RESAMPLES)
    chances = {row.agent: row.p_best for row in found.rows}
    (row,) = (row for row in found.rows if row.agent == "a")

    assert (None, "its account is lost") == (chances.pop("a"), row.reasons["p_best"])
    assert 1 == pytest.approx(sum(chance or 0 for chance in chances.values()))


@pytest.mark.parametrize("left", [0.011, 0.5, 0.78, 1.5])
def test_an_entrant_decided_by_one_period_has_no_chance(left: float) -> None:
    """Its error is the jump itself, so its chance is a dash with a reason at any size."""
    wobble = np.exp(np.random.default_rng(3).normal(0, 1e-3, 121))
    found = leaderboard(two(steps(120, 1e5, 1e5 * left) * wobble), resamples=RESAMPLES)
    chances = {row.agent: row.p_best for row in found.rows}
    (row,) = (row for row in found.rows if row.agent == "a")

    assert (None, "one period decides its return") == (chances.pop("a"), row.reasons["p_best"])
    assert "No P(best): a (one period decides its return)." in render_leaderboard(found.evaluation)
    assert all(chance is not None for chance in chances.values())
    assert 1 == pytest.approx(sum(chance or 0 for chance in chances.values()))
    assert 1 == pytest.approx(sum(s.p_best or 0 for s in found.verdict.standings))


def test_the_last_entrant_beside_cash_has_no_chance() -> None:
    """An entry fee of a fifth does not show which of the two is better."""
    paid = np.append(1e5, np.full(120, 8e4)) * np.exp(np.arange(121) % 3 * 1e-4)
    season = two(paid)
    found = leaderboard(with_entries(season, [0, season.names.index("cash")]), resamples=RESAMPLES)

    reasons = {row.agent: (row.p_best, row.reasons["p_best"]) for row in found.rows}
    assert (None, "one period decides its return") == reasons["a"]
    assert (None, "one period decides the return of every other entrant") == reasons["cash"]
    assert "No P(best): cash (one period decides the return of every other" in render_leaderboard(
        found.evaluation
    )


@pytest.mark.parametrize("snapshots", [60, 240])
def test_an_ordinary_field_keeps_its_chances(snapshots: int) -> None:
    """Entrants with fees of single trades, or one small trade beside cash, keep their chances."""
    curve = np.full(snapshots + 1, 1e5)
    curve[30:] -= 120
    for seed in range(4):
        found = leaderboard(two(curve, snapshots, seed), resamples=RESAMPLES)
        assert all(row.p_best is not None for row in found.rows), seed


def test_one_trade_beside_cash_keeps_its_chance() -> None:
    """Its fee is less than the market's movement, though one period decides its return."""
    paid = np.append(1e5, np.full(120, 99_800.0)) * np.exp(np.arange(121) % 3 * 1e-6)
    season = two(paid)
    found = leaderboard(with_entries(season, [0, season.names.index("cash")]), resamples=RESAMPLES)

    assert all(row.p_best is not None for row in found.rows)


def test_a_crash_does_not_change_the_other_pairs() -> None:
    """Pairs without the crashed account keep their detectable difference."""
    calm = leaderboard(two(np.full(121, 1e5)), resamples=RESAMPLES).evaluation
    crashed = leaderboard(two(steps(120, 1e5, 1.0)), resamples=RESAMPLES).evaluation
    pairs = [
        {
            frozenset((d.a, d.b)): d.difference
            for d in evaluations.detectables
            if "a" not in (d.a, d.b)
        }
        for evaluations in (calm, crashed)
    ]

    assert pairs[0].keys() <= pairs[1].keys()
    assert all(pairs[1][pair] < 2 * size for pair, size in pairs[0].items())


def live(snapshots: int, planned: int | None = 240) -> Leaderboard:
    """A season in which "a" earns steadily, cut after a number of snapshots."""
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
    """The look at 120 snapshots has 119 whole periods, and its claims do not change later."""
    before, at, after = live(119).evaluation, live(120).evaluation, live(130).evaluation

    assert [True] * 3 == [one.interim for one in (before, at, after)]
    assert [118, 119, 129] == [one.compared for one in (before, at, after)]
    assert (before.look + 1, 240) == (at.look, at.planned)
    made = {(c.winner, c.loser, c.measure): c.snapshots for c in at.claims}
    assert made
    assert all(snapshots <= 120 for snapshots in made.values())
    assert made == {(c.winner, c.loser, c.measure): c.snapshots for c in after.claims}


def test_a_claim_names_winner_loser_and_when() -> None:
    """It counts snapshots of the season, and the first one in which it could be made."""
    found = live(240).evaluation
    claim = next(c for c in found.claims if c.loser == "cash" and c.measure == "return")

    assert (False, 240) == (found.interim, found.compared)
    assert ("a", None) == (claim.winner, claim.withdrawn)
    assert 61 <= claim.snapshots < 240
    assert claim.survives_stress is not None
    assert all(c.survives_stress is None for c in found.claims if c.measure == "alpha")


def test_a_late_joiner_changes_claims_only_at_a_look() -> None:
    """A claim keeps its date; the first look at the new compared part withdraws it."""
    horizon = Horizon(None, over=False)
    evaluations = {
        n: leaderboard(joined_at(115, n), resamples=RESAMPLES, horizon=horizon).evaluation
        for n in (100, 229, 250, 286)
    }
    claims = {
        n: {(c.winner, c.loser, c.measure, c.snapshots): c.withdrawn for c in one.claims}
        for n, one in evaluations.items()
    }

    assert [0, 0, 115, 115] == [one.compared_from for one in evaluations.values()]
    assert ("a", "cash", "alpha", 75) in claims[100]
    assert claims[100].keys() == claims[229].keys() == claims[250].keys()
    assert claims[229] == claims[250]
    assert claims[250].keys() <= claims[286].keys()
    assert 229 == claims[250]["a", "cash", "return", 75]
    assert set(claims[286].values()) <= {229, 286}
    assert "Withdrawn at snapshot 229: a beats cash" in " ".join(claim_lines(evaluations[286]))


def joined_at(joined: int, snapshots: int) -> Season:
    """A season in which "a" earns until soon after "b" joined and then moves at random."""
    rng = np.random.default_rng(2)
    steps_of_a = rng.normal(0, 0.004, 300) + np.where(np.arange(300) < joined + 20, 0.02, 0.0)
    curve = 1e5 * np.exp(np.cumsum(np.append(0, steps_of_a)))
    season = two(curve[: snapshots + 1], snapshots)
    entries = [replace(e, joined=joined) if e.name == "b" else e for e in season.entries]
    there = [n for n, e in enumerate(entries) if e.joined < snapshots]
    return with_entries(replace(season, entries=tuple(entries)), there)
