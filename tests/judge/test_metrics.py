"""Metrics of trades and conduct, and the row of an entry."""

import math
import warnings
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from arena import topics
from arena.messages import Usage
from arena.money import PRICE_SCALE, SCALE
from judge import metrics_conduct as conduct
from judge import metrics_trades as trading
from judge.leaderboard_text import costs
from judge.metrics import WHY_NONE, as_columns, measure
from judge.season import LlmSpend, Season, SeasonBuilder
from judge.statistics.sharpe import sharpe_ratio
from tests.dashboard.scenario import Scenario
from tests.judge.evaluations import row
from tests.judge.seasons import BASELINES, entry, make_season


def season_of(scenario: Scenario) -> Season:
    """The season of a scenario's records."""
    builder = SeasonBuilder()
    for record in scenario.records:
        builder.apply(record)
    return builder.season()


@pytest.fixture(scope="module")
def played() -> tuple[Scenario, Season]:
    """A scenario of 150 snapshots and its season."""
    scenario = Scenario().run(150)
    return scenario, season_of(scenario)


def test_sums_equal_those_of_the_account_fold(played: tuple[Scenario, Season]) -> None:
    """Fees, slippage, latency cost, realised profit and volume are those of the accounts."""
    scenario, season = played
    for place, name in enumerate(season.names):
        account, found = scenario.shard.accounts[name], measure(season, place)
        closed = trading.closed_trades(season.fills[place])

        expected = (account.fees, account.slippage, account.latency_cost, account.realised)
        profit = sum(trade.profit_usd for trade in closed)
        actual = (found.fees_usd, found.slippage_usd, found.latency_usd, profit)
        assert [units / SCALE for units in expected] == pytest.approx(actual, abs=1e-6)
        assert account.volume / SCALE == pytest.approx(trading.traded(season.fills[place]))
        assert (account.fills, account.rejections) == (found.trades, found.rejected)


def test_every_none_has_a_reason(played: tuple[Scenario, Season]) -> None:
    """A figure that is None is named with a reason, and only such a figure."""
    _, season = played
    for place in range(len(season.entries)):
        found = measure(season, place)
        row = as_columns(found)

        assert {name for name, value in row.items() if value is None} == set(found.reasons)
        assert set(WHY_NONE) <= set(row)


def test_an_agent_that_never_trades_has_no_trade_figures(
    played: tuple[Scenario, Season],
) -> None:
    """Cash has a return of zero, and neither a win rate nor a Sharpe ratio."""
    _, season = played
    found = measure(season, season.names.index("cash"))

    assert (0.0, 0.0, 1.0, 1.0) == (
        found.total_return,
        found.max_drawdown,
        found.cash_ratio,
        found.hold_share,
    )
    assert {"win_rate", "sharpe", "profit_factor", "concentration", "average_hold_s"} <= set(
        found.reasons
    )


def test_closed_trades_by_hand() -> None:
    """Win rate, profit factor, expectancy and extremes of four closed trades."""
    profits = np.array([30.0, -10.0, 5.0, -15.0])

    assert (0.5, 1.4, 2.5, 30.0, -15.0) == (
        trading.win_rate(profits),
        trading.profit_factor(profits),
        trading.expectancy(profits),
        trading.biggest_win(profits),
        trading.biggest_loss(profits),
    )


def test_a_hold_is_weighted_by_quantity() -> None:
    """Two buys and one sell: the hold runs from the entry time that quantity weights."""
    desk = Scenario(agents=(("solo", "momentum", "agent"),))
    for action, size in (("buy", "1"), ("buy", "3"), ("sell", "4")):
        desk.advance(60)
        desk.snapshot()
        desk.order("solo", "buy" if action == "buy" else "sell", "SOL-USD", Decimal(size))
    (trade,) = trading.closed_trades(season_of(desk).fills[0])

    assert 60 * 1 / 4 * 2 + 60 * 3 / 4 * 1 == pytest.approx(trade.hold_s)


def test_concentration_and_leverage_by_hand() -> None:
    """One position alone is 1, two equal ones are 1/2, rows without any do not count."""
    exposure = np.array([[0.0, 0.0], [100.0, 0.0], [50.0, 50.0]])
    equity = np.full(3, 200.0)

    assert (0.75, 0.5, 1 / 3, 2 / 3) == pytest.approx(
        (
            conduct.concentration(exposure),
            conduct.max_leverage(exposure, equity),
            conduct.mean_exposure(exposure, equity),
            conduct.time_in_market(exposure),
        )
    )


def test_an_unknown_price_makes_the_cost_unknown() -> None:
    """One call of unknown price: no LLM cost and no net return, rather than a smaller cost."""
    scenario = Scenario(scripted=False).run(3)
    season = season_of(scenario)
    found = measure(season, 0)

    assert (None, None, None) == (found.llm_usd, found.net_return, found.usd_per_decision)
    assert "llm_usd" in found.reasons


def test_llm_cost_lowers_the_net_return() -> None:
    """The net return is the return less the model's cost over the starting cash."""
    scenario = Scenario(scripted=False, agents=(("solo", "cash", "agent"),))
    scenario.snapshot()
    started = scenario.begin_turn("solo")
    usage = Usage(prompt_tokens=10, completion_tokens=5, cost_usd=Decimal("12.5"))
    scenario.llm_call(started, usage=usage)
    scenario.llm_call(started, usage=usage)  # the same call id a second time
    found = measure(season_of(scenario), 0)

    assert (Decimal("12.5"), 15) == (found.llm_usd, found.tokens)
    assert found.net_return == pytest.approx(-12.5 / 100_000)


def test_every_turn_is_in_one_column() -> None:
    """Turns that a stop cut off are counted beside the decisions, in the text as well."""
    scenario = Scenario(agents=(("solo", "cash", "agent"),)).run(3)
    season = season_of(scenario)
    first, *others = season.decisions[0]
    cut = replace(season, decisions=((replace(first, outcome="aborted"), *others),))
    found = measure(cut, 0)
    texts = dict(costs())
    shown = row("solo", 1, 1, decisions=found.decisions, aborted=found.aborted)

    assert (len(others), 1) == (found.decisions, found.aborted)
    assert (str(len(others)), "1") == (texts["decisions"](shown), texts["aborted"](shown))


def test_turns_without_call_records_have_no_known_cost() -> None:
    """Where `llm.calls` was lost, the cost is unknown, not zero."""
    scenario = Scenario(scripted=False).run(2)
    kept = [r for r in scenario.records if r.topic != topics.LLM_CALLS.name]
    builder = SeasonBuilder()
    for record in kept:
        builder.apply(record)
    season = builder.season()

    assert season.llm[0] == LlmSpend()
    assert measure(season, 0).llm_usd is None


@pytest.mark.parametrize(("interval_s", "scale"), [(900.0, 1.0), (86_400.0, math.sqrt(365.0))])
def test_ratios_of_a_short_season_are_per_period(interval_s: float, scale: float) -> None:
    """Under 30 days Sharpe, Sortino and volatility are of a period, from then on of a year."""
    season = make_season(snapshots=40, entries=BASELINES, interval_s=interval_s)
    returns = season.log_returns()[:, 0]
    found, ratio = measure(season, 0), sharpe_ratio(returns)

    assert ratio is not None
    assert found.sharpe == pytest.approx(ratio * scale, rel=1e-12)
    assert found.volatility == pytest.approx(returns.std(ddof=1) * scale, rel=1e-12)
    assert found.sortino is not None
    assert found.sortino == pytest.approx(
        returns.mean() / np.sqrt((np.minimum(returns, 0) ** 2).mean()) * scale, rel=1e-12
    )
    assert (found.annual_return is None) == (scale == 1.0)


def test_gross_is_what_the_same_orders_bring_at_the_best_prices(
    played: tuple[Scenario, Season],
) -> None:
    """Every fill at the best bid or ask, no fee: that is the gross equity, to the micro-dollar."""
    _, season = played
    for place in range(len(season.entries)):
        found, start = measure(season, place), float(season.equity[0, place])
        money, held = start, dict.fromkeys(season.products, 0.0)
        for fill in season.fills[place]:
            size, buys = fill.quantity / SCALE, fill.side == "buy"
            money -= size * fill.ask / PRICE_SCALE if buys else -size * fill.bid / PRICE_SCALE
            held[fill.product_id] += size if buys else -size
        worth = sum(held[p] * season.bids[-1, n] for n, p in enumerate(season.products))

        assert found.gross_usd == pytest.approx(money + worth, abs=1e-6)
        costs = found.fees_usd + found.slippage_usd
        assert found.gross_usd - costs == pytest.approx(found.equity_usd, abs=1e-7)
        assert found.gross_return == pytest.approx(found.gross_usd / start - 1, abs=1e-12)


def _curve(kind: str, marks: int) -> list[float]:
    rest = marks - 2
    return {
        "lost everything": [1000.0, 400.0] + [0.0] * rest,
        "never had anything": [0.0] * marks,
        "all but a cent": [1000.0, 900.0] + [0.01] * rest,
        "all but a micro-dollar": [1000.0, 1e-6] + [1e-6] * rest,
        "came back": [1000.0, 0.0] + [1000.0] * rest,
        "grew a millionfold": [1.0, 1.0] + [1e12] * rest,
        "constant": [1000.0] * marks,
        "the smallest amount": [1e-8] * marks,
        "overdrawn": [1000.0, -5.0] + [-5.0] * rest,
    }[kind]


@pytest.mark.parametrize("interval_s", [60.0, 86_400.0])
@pytest.mark.parametrize(
    "kind",
    [
        "lost everything",
        "never had anything",
        "all but a cent",
        "all but a micro-dollar",
        "came back",
        "grew a millionfold",
        "constant",
        "the smallest amount",
        "overdrawn",
    ],
)
def test_degenerate_accounts_have_finite_figures_or_none(kind: str, interval_s: float) -> None:
    """Whatever an account did, each figure is finite or None with a reason, without a warning."""
    season = make_season(snapshots=60, entries=(entry("one", "s", "m"),), interval_s=interval_s)
    equity = np.array([_curve(kind, 61)]).T
    odd = replace(season, equity=equity, cash=equity, exposure=season.exposure * 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = measure(odd, 0)

    row = as_columns(found)
    assert {name for name, value in row.items() if value is None} == set(found.reasons)
    assert all(math.isfinite(v) for v in row.values() if isinstance(v, float))
    assert found.sharpe is None or abs(found.sharpe) < 20.0
