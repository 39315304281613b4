"""Metrics of trades and conduct, and the row of an entry."""

from decimal import Decimal

import numpy as np
import pytest

from arena import topics
from arena.messages import Usage
from arena.money import SCALE
from judge import metrics_conduct as conduct
from judge import metrics_trades as trading
from judge.metrics import WHY_NONE, as_columns, measure
from judge.season import LlmSpend, Season, SeasonBuilder
from tests.dashboard.scenario import Scenario


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
