"""Seasons of accounts in another currency: labels, model costs, and what is not compared."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from arena.errors import UsageError
from arena.messages import Evaluation, RejectReason
from judge.leaderboard import leaderboard
from judge.leaderboard_text import render_leaderboard
from judge.metrics import measure
from judge.refused_orders import refusal_note
from judge.report.compare import compare_runs
from judge.report.facts import ReportOptions, make_facts
from judge.report.page import html
from judge.season import Season
from judge.season.types import LlmSpend, RejectedOrder
from tests.dashboard.scenario import Scenario
from tests.judge.seasons import BASELINES, entry, fold_records, make_season

FEW = (entry("momentum", "momentum", "small"), *BASELINES)
RESAMPLES = 199


def in_currency(season: Season, currency: str) -> Season:
    """The season with accounts in another currency."""
    return replace(season, assumptions=replace(season.assumptions, currency=currency))


def season_of(currency: str) -> Season:
    """Six snapshots of a scripted arena, from its records."""
    return fold_records(Scenario(currency=currency).run(6).records).season()


def evaluation_of(season: Season) -> Evaluation:
    """The evaluation of a season."""
    return leaderboard(season, resamples=RESAMPLES).evaluation


@pytest.mark.parametrize(
    ("currency", "cash", "costs"),
    [
        ("USDT", "Starting cash 100,000.00 USDT", "one is counted as one USDT"),
        ("EUR", "Starting cash 100,000.00 EUR", "as accounts hold EUR"),
        ("BTC", "Starting cash 100,000.00000000 BTC", "as accounts hold BTC"),
    ],
)
def test_an_evaluation_names_the_currency(currency: str, cash: str, costs: str) -> None:
    """In the record, next to the amounts, and in the assumptions."""
    found = evaluation_of(season_of(currency))
    assumptions = " ".join(found.assumptions)

    assert currency == found.currency
    assert f'"currency":"{currency}"' in found.model_dump_json()
    assert f"amounts in {currency}" in render_leaderboard(found)
    assert cash in assumptions
    assert costs in assumptions


def test_an_evaluation_in_dollars_keeps_its_bytes() -> None:
    """A record of USD accounts names no currency."""
    found = evaluation_of(season_of("USD"))

    assert '"currency"' not in found.model_dump_json()
    assert "Model calls cost" not in " ".join(found.assumptions)


def test_returns_do_not_depend_on_the_currency_name() -> None:
    """Accounts in dollars and in tethers differ only by the name."""
    dollars, tethers = season_of("USD"), season_of("USDT")

    assert (dollars.equity == tethers.equity).all()
    assert ("BTC-USDT", "ETH-USDT", "SOL-USDT") == tethers.products


@pytest.mark.parametrize(("currency", "digits"), [("USD", 6), ("USDT", 6), ("BTC", 8)])
def test_means_have_the_step_of_their_currency(currency: str, digits: int) -> None:
    """A millionth of a dollar, and a satoshi."""
    row = evaluation_of(in_currency(make_season(snapshots=20, entries=FEW), currency)).rows[0]

    assert -digits == row.equity_usd.as_tuple().exponent


def test_a_page_shows_the_currency_and_no_dollars() -> None:
    """Curves, costs and figures name the currency of the accounts."""
    season = in_currency(make_season(snapshots=20, entries=FEW), "EUR")
    page = html(make_facts("run", season, ReportOptions()))

    assert "EUR, marked at the best bid" in page
    assert "equity, EUR" in page
    assert "Trading costs, EUR" in page
    assert " USD" not in page.replace("BTC-USD", "").replace("SOL-USD", "")


@pytest.mark.parametrize(
    ("currency", "cost", "known"),
    [
        ("USD", Decimal(5), True),
        ("USDC", Decimal(5), True),
        ("EUR", Decimal(5), False),
        ("EUR", Decimal(0), True),
    ],
)
def test_model_costs_are_subtracted_only_from_dollars(
    currency: str, cost: Decimal, known: bool
) -> None:
    """The judge does not know an exchange rate."""
    season = in_currency(make_season(snapshots=20, entries=FEW), currency)
    spent: Sequence[LlmSpend] = [replace(one, cost_usd=cost) for one in season.llm]
    found = measure(replace(season, llm=tuple(spent)), 0)

    assert known == (found.net_return is not None)


def test_runs_of_two_currencies_are_not_compared() -> None:
    """Their returns differ by an exchange rate that the judge does not know."""
    season = make_season(snapshots=20, entries=FEW)
    before = make_facts("before", season, ReportOptions())
    after = make_facts("after", in_currency(season, "USDT"), ReportOptions())

    with pytest.raises(UsageError, match="of before hold USD, those of after USDT"):
        compare_runs(before, after)


def refused(reasons: Sequence[RejectReason]) -> Season:
    """A season without fills in which orders were refused for these reasons."""
    season = make_season(snapshots=20, entries=FEW)
    at = datetime(2026, 11, 21, 9, tzinfo=UTC)
    own = tuple(
        RejectedOrder(n, n, f"o{n}", f"t{n}", at, "X-USD", "buy", 1, reason, "not \x1b[31mtraded")
        for n, reason in enumerate(reasons)
    )
    nothing = ((),) * (len(season.entries) - 1)
    return replace(season, fills=((), *nothing), rejections=(own, *nothing))


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        (
            [RejectReason.UNKNOWN_PRODUCT] * 3,
            "(3 orders), all for the same reason: unknown product, not ",
        ),
        ([RejectReason.HALTED], "(1 order), all for the same reason: halted, not "),
        (
            [RejectReason.HALTED, RejectReason.NO_PRICE, RejectReason.NO_PRICE],
            "(3 orders): 2 as no price, 1 as halted.",
        ),
    ],
)
def test_a_season_without_fills_names_the_refusals(
    reasons: Sequence[RejectReason], expected: str
) -> None:
    """Returns of zero need an explanation."""
    season = refused(reasons)
    note = refusal_note(season)

    assert expected in note
    assert "\x1b" not in note
    assert note in evaluation_of(season).warnings
    assert note.endswith("The returns here say nothing about the agents.")


def test_a_season_with_a_fill_or_without_orders_has_no_warning() -> None:
    """One filled order is enough."""
    assert "" == refusal_note(refused([]))
    assert "" == refusal_note(make_season(snapshots=20, entries=FEW))
