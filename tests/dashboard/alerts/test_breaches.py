"""The alert about an account that lost more than a limit of risk allows."""

from dataclasses import replace
from datetime import timedelta

from dashboard.alerts.conditions import Situation, find_alerts, find_ended
from dashboard.alerts.drawdowns import DrawdownFold
from dashboard.alerts.drifts import DriftFold
from dashboard.model.view import ArenaView
from tests.dashboard.alerts.situations import limits
from tests.ledger.audit.contest_log import EVENTS, TICKERS
from tests.ledger.living_log import AGENT, living_arena
from tests.ledger.wallet_log import NOW

SUBJECT = f"loss-limit:{AGENT}"


def test_account_that_may_only_sell_is_an_alert_until_the_next_day() -> None:
    """It is sent once per breach, and ends when the account may buy again."""
    view = ArenaView()
    arena = living_arena()
    for topic in (TICKERS, EVENTS):
        for record in arena.records[topic]:
            view.apply(record)
    situation = Situation(view, DriftFold(), DrawdownFold(), NOW, limits("loss-limit"))

    (alert,) = find_alerts(situation)
    assert (SUBJECT, "loss-limit") == (alert.subject, alert.kind)
    assert "lost more than max_daily_loss_pct allows and may only sell until" in alert.text
    assert [] == find_ended(situation, {SUBJECT: NOW})

    arena.price("BTC-USD", "57000", seconds=24 * 3600)
    view.apply(arena.records[TICKERS][-1])
    later = replace(situation, now=NOW + timedelta(days=1))
    assert [] == find_alerts(later)
    assert [f"{AGENT} may buy again"] == [one.text for one in find_ended(later, {SUBJECT: NOW})]
