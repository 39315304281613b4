"""What a replay of candles assumes about fills, in one sentence. Pure."""

from typing import Final

from arena.durations import duration_text
from arena.granularities import GRANULARITIES, MINUTE, granularity_of
from arena.messages import Fills

HALF_SPREAD_BPS: Final = 1
"""Distance of bid and ask from the price, if a file has no quotes."""


def default_fills(bar_s: int) -> Fills:
    """Which price orders fill at in a market of bars of a length in seconds."""
    return "close" if bar_s == GRANULARITIES[MINUTE] else "open"


def assumption_text(bar_s: int, fills: Fills, interval_s: float, *, recorded: bool) -> str:
    """The sentence about a replay.

    Args:
        bar_s: Length of the bars in seconds.
        fills: Which price orders fill at.
        interval_s: Seconds from snapshot to snapshot.
        recorded: True if the prices are in files.
    """
    which = "close of the bar that ended" if fills == "close" else "open of the bar that begins"
    spread = (
        f"the file's quotes moved to that price, {HALF_SPREAD_BPS} bps beside it without quotes"
        if recorded
        else "those of the simulated market"
    )
    return (
        f"Fills: bars of {granularity_of(bar_s)}, at the {which} at the snapshot, buys at the ask "
        f"and sales at the bid ({spread}); limit orders, stops and targets are checked at "
        f"snapshots, every {duration_text(interval_s)}, not inside bars."
    )
