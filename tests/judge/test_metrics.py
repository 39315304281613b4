"""Metrics of trades and conduct, and the row of an entry."""

import math
import warnings
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from arena import topics
from arena.messages import Usage
from arena.metrics import exposure as holdings
from arena.metrics import trades as trading
from arena.metrics.sharpe import sharpe_ratio
from arena.money import PRICE_SCALE, SCALE
from judge.leaderboard_text import costs
from judge.metrics import WHY_NONE, as_columns, measure
from judge.season import LlmSpend, Season
from tests.dashboard.scenario import Scenario
from tests.judge.evaluations import row
from tests.judge.seasons import BASELINES, entry, fold_records, make_season


def season_of(scenario: Scenario) -> Season:
    """The season of a scenario's records."""
    return fold_records(scenario.records).season()


@pytest.fixture(scope="module")
def played() -> tuple[Scenario, Season]:
    """A scenario of 150 snapshots and its season."""
    scenario = Scenario().run(150)
    return scenario, season_of(scenario)


def test_sums_equal_those_of_the_account_fold(played: tuple[Scenario, Season]) -> None:
    """Fees, slippage, latency cost, realised profit and volume equal those of the accounts."""
    scenario, season = played
    for index, name in enumerate(season.names):
        account, found = scenario.shard.accounts[name], measure(season, index)
        closed = trading.closed_trades(season.fills[index])

        expected = (account.fees, account.slippage, account.latency_cost, account.realised)
        profit = sum(trade.profit_usd for trade in closed)
        actual = (found.fees_usd, found.slippage_usd, found.latency_usd, profit)
        assert [units / SCALE for units in expected] == pytest.approx(actual, abs=1e-6)
        assert account.volume / SCALE == pytest.approx(trading.traded(season.fills[index]))
        assert (account.fills, account.rejections) == (found.trades, found.rejected)


def test_every_none_has_a_reason(played: tuple[Scenario, Season]) -> None:
    """Every figure that is None has a reason, and no other figure has one."""
    _, season = played
    for index in range(len(season.entries)):
        found = measure(season, index)
        row = as_columns(found)

        assert {name for name, value in row.items() if value is None} == set(found.reasons)
        assert set(WHY_NONE) <= set(row)


def test_an_agent_that_never_trades_has_no_trade_figures(
    played: tuple[Scenario, Season],
) -> None:
    """Cash has a return of zero, no win rate and no Sharpe ratio."""
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


def test_closed_trade_figures_match_hand_calculation() -> None:
    """Win rate, profit factor, expectancy and extremes of four closed trades."""
    profits = np.array([30.0, -10.0, 5.0, -15.0])

    assert (0.5, 1.4, 2.5, 30.0, -15.0) == (
        trading.win_rate(profits),
        trading.profit_factor(profits),
        trading.expectancy(profits),
        trading.biggest_win(profits),
        trading.biggest_loss(profits),
    )


def test_holding_time_is_weighted_by_quantity() -> None:
    """Two buys and one sell: it is counted from the quantity-weighted entry time."""
    scenario = Scenario(agents=(("solo", "momentum", "agent"),))
    for action, size in (("buy", "1"), ("buy", "3"), ("sell", "4")):
        scenario.advance(60)
        scenario.snapshot()
        scenario.order("solo", "buy" if action == "buy" else "sell", "SOL-USD", Decimal(size))
    (trade,) = trading.closed_trades(season_of(scenario).fills[0])

    assert 60 * 1 / 4 * 2 + 60 * 3 / 4 * 1 == pytest.approx(trade.hold_s)


def test_concentration_and_leverage_match_hand_calculation() -> None:
    """One position is 1, two equal ones are 1/2, rows without a position do not count."""
    exposure = np.array([[0.0, 0.0], [100.0, 0.0], [50.0, 50.0]])
    equity = np.full(3, 200.0)

    assert (0.75, 0.5, 1 / 3, 2 / 3) == pytest.approx(
        (
            holdings.concentration(exposure),
            holdings.max_leverage(exposure, equity),
            holdings.mean_exposure(exposure, equity),
            holdings.time_in_market(exposure),
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
    """The net return is the return minus the models' cost over the starting cash."""
    scenario = Scenario(scripted=False, agents=(("solo", "cash", "agent"),))
    scenario.snapshot()
    started = scenario.begin_turn("solo")
    usage = Usage(prompt_tokens=10, completion_tokens=5, cost_usd=Decimal("12.5"))
    scenario.llm_call(started, usage=usage)
    scenario.llm_call(started, usage=usage)  # the same call id for the second time
    found = measure(season_of(scenario), 0)

    assert (Decimal("12.5"), 15) == (found.llm_usd, found.tokens)
    assert found.net_return == pytest.approx(-12.5 / 100_000)


def test_every_turn_is_counted_once() -> None:
    """Turns that a stop interrupted are counted next to the decisions, also in the text."""
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
    """If `llm.calls` was lost, the cost is unknown, not zero."""
    scenario = Scenario(scripted=False).run(2)
    records = [r for r in scenario.records if r.topic != topics.LLM_CALLS.name]
    builder = fold_records(records)
    season = builder.season()

    assert season.llm[0] == LlmSpend()
    assert measure(season, 0).llm_usd is None


@pytest.mark.parametrize(("interval_s", "scale"), [(900.0, 1.0), (86_400.0, math.sqrt(365.0))])
def test_ratios_of_a_short_season_are_per_period(interval_s: float, scale: float) -> None:
    """Under 30 days Sharpe, Sortino and volatility are per period, from 30 days on per year."""
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


def test_gross_is_the_same_orders_at_best_prices_without_fees(
    played: tuple[Scenario, Season],
) -> None:
    """All fills at the best bid or ask without fees equal the gross equity to the micro-dollar."""
    _, season = played
    for index in range(len(season.entries)):
        found, start = measure(season, index), float(season.equity[0, index])
        money, held = start, dict.fromkeys(season.products, 0.0)
        for fill in season.fills[index]:
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
    """Each figure is finite or None with a reason, without a NumPy warning."""
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
