"""What the venue does not let anybody trade is refused, with the venue's word for it."""

from typing import Any

import pytest

from arena.messages import Side
from tests.trading_tools.helpers import product
from tests.trading_tools.test_decide import NOW, account, call, market, order
from trading_tools.decide import Fill, Rejection, decide
from trading_tools.rules import TradingRules


@pytest.mark.parametrize(
    ("reason", "changes", "detail"),
    [
        ("not_tradable", {"status": "delisted"}, "delisted at the venue; traded are nothing yet"),
        ("not_tradable", {"status": "offline"}, "offline at the venue;"),
        ("not_tradable", {"status": "paused"}, "paused at the venue;"),
        (
            "not_tradable",
            {"modes": ("limit_only",)},
            "limit_only at the venue: market orders are refused; traded are nothing yet",
        ),
        (
            "not_tradable",
            {"modes": ("cancel_only", "closing_mode", "post_only")},
            "cancel_only, closing_mode and post_only at the venue: market orders are refused;",
        ),
        ("unknown_product", {"quote_currency": "EUR"}, "quoted in EUR, accounts hold USD"),
    ],
)
@pytest.mark.parametrize("action", ["buy", "sell"])
def test_what_cannot_be_traded_is_refused_with_the_reason(
    reason: str, changes: dict[str, Any], detail: str, action: Side
) -> None:
    """The venue must take market orders in it, and accounts must be able to pay for it."""
    asked, found = order("0.1", action), market(**changes)
    outcome = decide(account(held="1", cost="1"), call(), asked, found, TradingRules(), NOW).outcome

    assert isinstance(outcome, Rejection)
    assert reason == outcome.reason
    assert f"BTC-USD is {detail}" in outcome.detail


def test_a_mode_that_ends_lets_orders_through() -> None:
    """The newest record of the product counts, in both directions."""
    found = market(modes=("limit_only",))
    found.note(product(), 0, 2)

    fill = decide(account(), call(), order("0.1"), found, TradingRules(), NOW)
    assert isinstance(fill.outcome, Fill)
    assert (0, 2) == (fill.listing and fill.listing.place)
