"""The assumptions of a season as sentences."""

import pytest

from judge.season.assumptions import Assumptions, assumption_lines


@pytest.mark.parametrize(
    ("simulated", "recorded", "source", "expected"),
    [
        (
            True,
            True,
            "BTC-USD.csv (Kraken); rows 44f052d5f13192e7",
            "Prices: BTC-USD.csv (Kraken); rows 44f052d5f13192e7 (recorded, not a live market)",
        ),
        (True, True, "", "Prices: recorded prices (recorded, not a live market)"),
        (True, True, "a\x1b[2J\nb", "(recorded, not a live market)"),
        (True, False, "", "Prices: a simulation or a recording, not a live market"),
        (False, False, "", "Prices: coinbase (live)"),
    ],
)
def test_prices_are_named_by_their_source(
    simulated: bool, recorded: bool, source: str, expected: str
) -> None:
    """Recorded prices are named by their files, and only live prices by a venue."""
    known = Assumptions(
        venue="coinbase",
        simulated=simulated,
        recorded=recorded,
        source=source,
        speed=1.0,
        pacing="lock-step",
        interval_s=60.0,
        snapshots=0,
        first=None,
        last=None,
        products=("BTC-USD",),
        starting_cash_usd=None,
        fee_schedule="",
        fee_bps=None,
        slippage_bps=None,
    )

    line = next(line for line in assumption_lines(known) if line.startswith("Prices: "))

    assert expected in line
    assert "\n" not in line
    assert "\x1b" not in line
