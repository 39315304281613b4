"""Decided orders as rows: the change from the price seen to the price paid."""

from decimal import Decimal

import pytest

from dashboard.model.trade_rows import price_move_bps


@pytest.mark.parametrize(
    ("seen", "paid", "move"),
    [
        ("140.04", "140.36", "22.85"),
        ("100", "99.9", "-10.00"),
        ("100", "100", "0.00"),
        (None, "100", None),
        ("100", None, None),
    ],
)
def test_move_is_rounded_once_for_every_skin(
    seen: str | None, paid: str | None, move: str | None
) -> None:
    """22.8506 bps is 22.85 in REST; page and terminal show the same tenth of that."""
    prices = (None if one is None else Decimal(one) for one in (seen, paid))

    assert (None if move is None else Decimal(move)) == price_move_bps(*prices)
