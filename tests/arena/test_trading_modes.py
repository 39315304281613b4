"""Statuses and modes: which take market orders, and what people read."""

import pytest

from arena.trading_modes import condition, restriction, takes_market_orders


@pytest.mark.parametrize(
    ("status", "modes", "words"),
    [
        ("online", (), ""),
        ("online", ("limit_only",), "limit only: market orders are refused"),
        ("online", ("auction_mode",), "in auction mode: market orders are refused"),
        ("online", ("trading_disabled",), "disabled for trading: market orders are refused"),
        ("online", ("view_only",), "view only: market orders are refused"),
        (
            "online",
            ("auction_mode", "cancel_only", "post_only"),
            "in auction mode, cancel only and post only: market orders are refused",
        ),
        ("offline", (), "offline: it cannot be traded"),
        ("delisted", ("trading_disabled",), "delisted: it cannot be traded"),
        ("maintenance", (), "maintenance: it cannot be traded"),
    ],
)
def test_restriction_text(status: str, modes: tuple[str, ...], words: str) -> None:
    """Without one the text is empty; a status comes before modes, and an unknown one is shown."""
    assert words == restriction(status, modes)
    assert takes_market_orders(status, modes) == (not words)


def test_refusal_has_venues_words() -> None:
    """So that users can look them up at the venue."""
    assert "cancel_only and limit_only" == condition("online", ("cancel_only", "limit_only"))
    assert "delisted" == condition("delisted", ("trading_disabled",))
