"""Products that the venue does not let trade are rejected, with the venue's word."""

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
def test_untradable_product_is_rejected_with_the_reason(
    reason: str, changes: dict[str, Any], detail: str, action: Side
) -> None:
    """The venue must take market orders for it, and accounts must be able to settle it."""
    asked, found = order("0.1", action), market(**changes)
    outcome = decide(account(held="1", cost="1"), call(), asked, found, TradingRules(), NOW).outcome

    assert isinstance(outcome, Rejection)
    assert reason == outcome.reason
    assert f"BTC-USD is {detail}" in outcome.detail


def test_orders_are_filled_after_a_mode_ends() -> None:
    """The newest record of the product counts, in both directions."""
    found = market(modes=("limit_only",))
    found.note(product(), 0, 2)

    fill = decide(account(), call(), order("0.1"), found, TradingRules(), NOW)
    assert isinstance(fill.outcome, Fill)
    assert (0, 2) == (fill.listing and fill.listing.place)
