"""The assumptions behind a season, in words."""

import pytest

from judge.season.assumptions import Assumptions, assumption_lines


@pytest.mark.parametrize(
    ("simulated", "recorded", "source", "words"),
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
def test_prices_are_named_after_what_they_are_from(
    simulated: bool, recorded: bool, source: str, words: str
) -> None:
    """Recorded prices after their files, and only live ones after a venue."""
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

    assert words in line
    assert "\n" not in line
    assert "\x1b" not in line
