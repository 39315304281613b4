"""The dashboard's fold of open orders: every skin shows limits, exits and open orders."""

from decimal import Decimal

import pytest

from arena.fold_checkpoint import FoldPositions
from arena.messages import AgentSpec
from arena.money import to_price_units
from arena.risk_limits import RiskLimits
from dashboard.model.agent_results import agent_standing
from dashboard.model.frame import build_frame
from dashboard.model.risk_rows import LimitRow, risk_row
from dashboard.model.trade_rows import trade_row
from dashboard.model.turn_results import trade
from dashboard.model.view import ArenaView
from dashboard.model.view_checkpoint import pack_view, unpack_view
from tests.ledger.audit.contest_log import EVENTS, TICKERS
from tests.ledger.living_log import AGENT, BTC, OTHER, LivingArena, living_arena
from tests.ledger.wallet_log import NOW


@pytest.fixture(scope="module")
def view() -> ArenaView:
    """The view of agents with limit orders and exits."""
    found = ArenaView()
    arena = living_arena()
    for topic in (TICKERS, EVENTS):
        for record in arena.records[topic]:
            found.apply(record)
    for agent in (AGENT, OTHER):
        found.roster[agent] = AgentSpec(
            agent=agent, strategy=agent, node="rules", prompt_sha256="", joined_at=NOW
        )
    return found


def test_agent_has_its_limits_exits_and_open_orders(view: ArenaView) -> None:
    """What limits did, that it may only sell, and how far its stop is from the bid."""
    rows = {row.agent: row for row in build_frame(view, NOW, points=10, trades=50).ranking}
    shown = agent_standing(rows[AGENT])

    assert "" == view.accounts.broken
    assert ("custom", "max_daily_loss_pct") == (shown.risk.preset, shown.risk.sells_only)
    assert shown.risk.sells_only_until is not None
    assert {"max_symbol_exposure_pct": 1, "max_daily_loss_pct": 1} == shown.risk.rejected
    assert {"max_portfolio_exposure_pct", "max_trades_per_day"} <= {
        one.limit for one in shown.risk.limits
    }
    assert (2, True) == (shown.exits.fired, shown.exits.armed > shown.exits.cancelled)
    (stop,) = shown.orders
    assert ("stop_loss", BTC, None) == (stop.order_type, stop.product_id, stop.quantity)
    assert stop.distance_pct is not None
    assert stop.distance_pct < 0
    assert ("", ()) == (rows[OTHER].risk.preset, rows[OTHER].risk.limits)


def test_only_refusals_look_like_refusals(view: ArenaView) -> None:
    """An accepted, cancelled or expired order is named as such, in rows and in results."""
    events = [event for shard in view.accounts.shards.values() for event in shard.recent]
    rows = [(event["outcome"], trade_row(event, 0)) for event in events]

    for outcome, row in rows:
        assert row.filled == (outcome in ("filled", "part_filled"))
        assert row.words.startswith("rejected") == (outcome == "rejected")
    assert any("stop loss armed at" in row.words for _, row in rows)
    assert {event["outcome"] for event in events} == {trade(event).outcome for event in events}
    listed = view.accounts.newest_orders(100)
    assert {"filled", "part_filled", "rejected"} == {event["outcome"] for event in listed}


def test_counts_survive_a_checkpoint(view: ArenaView) -> None:
    """A restored view has the same limits, exits and orders."""
    packed = pack_view(view, FoldPositions())
    assert packed is not None
    again, _ = unpack_view(packed)

    assert view.accounts.risk == again.accounts.risk
    assert view.accounts.exits == again.accounts.exits
    assert view.accounts.orders_of(AGENT) == again.accounts.orders_of(AGENT)


def limits_of(arena: LivingArena) -> dict[str, LimitRow]:
    """The limits of the agent as the dashboard shows them."""
    found = ArenaView()
    for topic in (TICKERS, EVENTS):
        for record in arena.records[topic]:
            found.apply(record)
    account = found.accounts.by_agent[AGENT]
    bids = {BTC: to_price_units(Decimal(60_000))}
    row = risk_row(found.accounts, AGENT, account, bids, arena.at)
    return {one.limit: one for one in row.limits}


def test_open_limit_buys_count_as_exposure() -> None:
    """They are measured as they are when an order is checked: at their limit price."""
    arena = LivingArena()
    arena.buy(AGENT, BTC, "0.3", limit_price="50000")
    limits = limits_of(arena)

    assert Decimal(15) == limits["max_symbol_exposure_pct"].value
    assert Decimal(15) == limits["max_portfolio_exposure_pct"].value
    assert Decimal(85) == limits["min_cash_pct"].value


def test_losses_in_a_row_are_shown_while_they_stop_buys() -> None:
    """The limit that rejects every buy is full, and no longer once its pause is over."""
    arena = LivingArena(
        RiskLimits.from_json(
            {"loss_streak_max": 2, "loss_streak_cooldown_s": 60, "cooldown_after_loss_s": 30}
        )
    )
    for _ in range(2):
        arena.price(BTC, "60000", seconds=31)
        arena.buy(AGENT, BTC, "0.1")
        arena.sell(AGENT, BTC, "all")
    during = limits_of(arena)
    arena.price(BTC, "60000", seconds=61)
    after = limits_of(arena)

    assert (Decimal(2), 1.0) == (during["loss_streak_max"].value, during["loss_streak_max"].used)
    assert 1.0 == during["cooldown_after_loss_s"].used
    assert after["loss_streak_max"].used < 1
    assert 0.0 == after["cooldown_after_loss_s"].used
