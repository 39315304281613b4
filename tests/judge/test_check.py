"""The check of the judge: its markets are what they say, and it can say no."""

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from judge import check, check_runs
from judge.check_intervals import run_intervals, summarise_intervals
from judge.check_markets import LAWS, PERIOD_SD, Market
from judge.check_paper import season_on_paper
from judge.check_runs import (
    Counts,
    Coverage,
    MarketCheck,
    PowerJob,
    count,
    judge,
    run_market,
    run_power,
    summarise,
    summarise_power,
)
from judge.check_tables import market_table, paper_text, power_table, table

FAT = Market("fat", 3, 120)
SHORT = Market("normal", 2, 60)


@pytest.mark.parametrize("law", sorted(LAWS))
def test_markets_have_their_variance_and_correlation(law: str) -> None:
    """Over a long season the deviation and the correlation are those stated, within 6 %."""
    market = Market(law, 2, 60_000, correlation=0.5)
    season = market.season(np.random.default_rng(3))
    deviations = [float(column.std()) for column in season.T]

    assert [PERIOD_SD] * 2 == pytest.approx(deviations, rel=0.06)
    assert 0.5 == pytest.approx(np.corrcoef(season[:, 0], season[:, 1])[0, 1], abs=0.06)
    assert 0.0 == market.true_total


def test_spells_lose_their_fees() -> None:
    """Agents that trade in a market without drift lose what their switches cost, and no more."""
    market = Market("spells", 4, 400)
    totals = [market.season(np.random.default_rng(i)).sum(axis=0) for i in range(400)]
    error = np.std([t.mean() for t in totals]) / np.sqrt(400)

    assert market.true_total < 0.0
    assert abs(np.mean(totals) - market.true_total) < 3.0 * error


def test_autocorrelated_markets_are_autocorrelated() -> None:
    """The AR(1) has its slope, the GARCH none but in its squares."""
    ar = Market("ar", 1, 20_000).season(np.random.default_rng(1))[:, 0]
    garch = Market("garch", 1, 20_000).season(np.random.default_rng(1))[:, 0]

    assert 0.3 == pytest.approx(np.corrcoef(ar[1:], ar[:-1])[0, 1], abs=0.02)
    assert 0.0 == pytest.approx(np.corrcoef(garch[1:], garch[:-1])[0, 1], abs=0.04)
    assert np.corrcoef(garch[1:] ** 2, garch[:-1] ** 2)[0, 1] > 0.04


def test_false_claims_and_coverage_in_a_small_check() -> None:
    """120 fat-tailed seasons: at most 12 false claims (binomial 99.5 % at 5 %), coverage 84-96 %.

    Three pairs a season make 360 dependent intervals, whose share has an error of about 2 %.
    """
    found = summarise(FAT, run_market(FAT, 5, range(120)))

    assert found.false_claims.estimate <= 12 / 120
    assert 0.84 <= found.difference.share <= 0.96
    assert 0.84 <= found.sharpe_difference.share <= 0.96
    assert 0.84 <= found.sharpe.share <= 0.97
    assert 0.84 <= found.strength.share <= 0.97
    assert 0.84 <= found.total.share <= 0.97
    assert found.false_claims.low <= found.false_claims.estimate <= found.false_claims.high


def test_the_same_season_gives_the_same_counts() -> None:
    """How the seasons are cut into tasks changes nothing."""
    whole = run_market(FAT, 1, range(4))

    assert whole == run_market(FAT, 1, range(2)) + run_market(FAT, 1, range(2, 4))


def test_a_difference_of_what_is_detectable_is_found() -> None:
    """At the size called detectable power is 80 %: of 60 seasons 39 to 57 (binomial 99.5 %)."""
    job = PowerJob(2, 0.8, 1.0)
    found = summarise_power(job, run_power(job, 2, range(60)))

    assert 39 <= round(found.found.estimate * 60) <= 57
    assert found.detectable == pytest.approx(job.paper.detectable, rel=0.05)


def test_the_check_can_say_no() -> None:
    """Too many claims, or intervals that are too narrow or too wide, are called by name."""
    counts = [few_claims(i % 10 == 0, (19, 20)) for i in range(100)]
    found = summarise(FAT, counts)

    assert found.missed == (
        "false claims",
        "coverage of difference",
        "coverage of total",
        "coverage of Bradley-Terry",
    )
    assert "MISSED: false claims" in market_table([found])
    assert Coverage(0.8, 0.0) == found.difference


def few_claims(claimed: bool, strength: tuple[int, int]) -> Counts:
    """A season with differences that are covered too seldom, and totals too often."""
    return Counts(claimed, (8, 10), (19, 20), (9, 10), (9, 10), strength, 10)


@pytest.mark.parametrize(("held", "named"), [(19, False), (9, True)])
def test_two_agents_may_have_wide_strengths(held: int, named: bool) -> None:
    """Between two agents a strength moves in steps: too wide is allowed, too narrow is not."""
    found = summarise(Market("fat", 2, 120), [few_claims(False, (held, 20))] * 10)

    assert named == ("coverage of Bradley-Terry" in found.missed)


def test_the_true_sharpe_ratio_is_that_of_a_long_season() -> None:
    """Over 400,000 periods the ratio comes within three standard errors of the closed form."""
    market = Market("spells", 2, 400_000)
    season = market.season(np.random.default_rng(3))
    found = season.mean(axis=0) / season.std(axis=0)

    assert [market.true_sharpe] * 2 == pytest.approx(found, abs=3 / np.sqrt(400_000))
    assert market.true_sharpe == pytest.approx(-0.00154, abs=0.00001)
    spread = np.sqrt((season**2).mean())
    assert market.true_total / market.periods / market.true_sharpe == pytest.approx(
        spread, rel=0.02
    )


def test_a_verdict_is_held_against_the_truth() -> None:
    """Intervals are counted by whether they hold the true value, missing ones not at all."""
    season = FAT.season(np.random.default_rng(1))
    season[:, 2] = season[:, 1]
    season[:, 0] += 0.01
    found = count(judge(season, seed=1), FAT)

    assert found.claimed
    # The twins differ by exactly 0; the two other pairs miss it.
    assert (1, 3) == found.difference
    assert (0, 2) == found.sharpe_difference
    assert (2, 3) == found.total == found.sharpe
    assert (0, 3) == found.strength


def test_tables_line_up() -> None:
    """Every line of a table is as long as the others, the figures to the right."""
    lines = table(("market", "n"), [("normal", "1,000"), ("fat", "2")]).splitlines()

    assert "| market |     n |" == lines[0]
    assert "|--------|------:|" == lines[1]
    assert 1 == len({len(line) for line in lines})


def test_the_season_on_paper_agrees_with_the_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the verdict prints for simulated seasons is what paper says, however often marked.

    And the closed forms in the document are those of the code.
    """
    monkeypatch.setattr("judge.check_paper.MARKED_SEASONS", 3)
    paper = season_on_paper(1)
    expected = paper.seasons[paper.field][paper.correlations.index(0.5)].detectable
    text = paper_text(paper)

    assert [expected] * 3 == pytest.approx([d for _, _, d in paper.marks], rel=0.12)
    assert paper.seeds[1][0] == pytest.approx(paper.seeds[3][0] * np.sqrt(3.0))
    assert paper.waits["2 Sharpe"][0] == pytest.approx(4.0 * paper.waits["5 Sharpe"][0] * 25 / 16)
    assert "| 2,304     |" in text
    document = (Path(check.__file__).parents[1] / "docs" / "verdict.md").read_text("utf-8")
    for part in text.split("\n\n")[:6]:
        assert part in document


def small(monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    """The command with one market and one point of a power curve."""
    monkeypatch.setattr(check_runs, "MARKETS", (SHORT,))
    monkeypatch.setattr(check_runs, "POWER_JOBS", (PowerJob(2, 0.8, 1.5),))
    app = typer.Typer()
    app.command()(check.verdict_check)
    return app


def test_the_command_prints_tables_and_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Tables, a JSON file, and exit code 1 because a promise was missed."""
    app, path = small(monkeypatch), tmp_path / "check.json"
    monkeypatch.setattr(MarketCheck, "missed", ("false claims",))
    ran = CliRunner().invoke(app, ["--seasons", "25", "--workers", "1", "--json", str(path)])
    figures = json.loads(path.read_text(encoding="utf-8"))
    counts = run_market(SHORT, 1, range(25))

    assert 1 == ran.exit_code
    assert "MISSED: false claims" in ran.output
    assert "0 of 1 markets kept every promise" in ran.output
    assert 25 == figures["markets"][0]["seasons"]
    assert 20 == figures["power"][0]["seasons"]
    assert summarise(SHORT, counts).difference.share == figures["markets"][0]["difference"]["share"]


def test_the_command_prints_a_season_on_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--paper` prints the plan of a season and nothing can be missed."""
    monkeypatch.setattr("judge.check_paper.MARKED_SEASONS", 1)
    ran = CliRunner().invoke(small(monkeypatch), ["--paper"])

    assert 0 == ran.exit_code
    assert "What a season of 16 days can see" in ran.output


def test_a_point_of_a_power_curve_is_a_line() -> None:
    """The table shows the true difference as a return, beside both detectable effects."""
    job = PowerJob(2, 0.8, 1.0)
    checked = summarise_power(job, [(True, 0.2), (False, 0.2)])

    assert 0.5 == checked.found.estimate
    assert 0.0126 == pytest.approx(checked.found.low, abs=1e-4)
    assert 0.9874 == pytest.approx(checked.found.high, abs=1e-4)
    assert "| 50.0% (1.3%-98.7%) |" in power_table([checked])


def test_candidates_for_the_interval_are_compared_on_the_same_seasons() -> None:
    """With autocorrelation the percentile interval is the narrower: it holds the truth no oftener.

    60 seasons, decided by the same resamples; the summary is the plain share.
    """
    hits = run_intervals(Market("ar", 2, 120), 1, range(60))
    percentile, _, _, studentised = summarise_intervals(hits)

    assert percentile.share < studentised.share
    assert sum(h[3] for h in hits) / 60 == studentised.share
    assert 60 == len(hits)
