"""Flags of the commands that publish or simulate a market."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from arena.environment import HISTORY
from arena.indicators import MINUTES_MAX, STANDARD
from arena.messages.market import Fills
from arena.pricefiles.times import require_price_time

FEATURES: Final = STANDARD
"""The indicators without the flag."""
EXCHANGE_MINUTES_MAX: Final = 129_600
"""Ninety days: most minutes of history of a simulated exchange."""
START_FORMATS = [
    "%Y-%m-%d",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S%z",
]


def price_time(moment: datetime | None) -> datetime | None:
    """A time of prices from a flag.

    Raises:
        BadParameter: It is not from 2000 to 2100.
    """
    try:
        return moment and require_price_time(moment)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


Features = Annotated[
    str,
    typer.Option(
        "--features",
        metavar="SET",
        help="Indicators in the snapshots: presets and names, such as standard,rsi_7@1m; or none.",
    ),
]
HistoricalMinutes = Annotated[
    int | None,
    typer.Option(
        "--historical-minutes",
        envvar=HISTORY,
        min=1,
        max=MINUTES_MAX,
        help="Least minutes of candles before the first snapshot. [60, or what indicators need]",
    ),
]
ExchangeMinutes = Annotated[
    int | None,
    typer.Option(
        "--historical-minutes",
        envvar=HISTORY,
        min=1,
        max=EXCHANGE_MINUTES_MAX,
        help="Least minutes of candles before the start; a product takes 0.4 s per day. [300]",
    ),
]
SimulatedVenue = Annotated[
    str, typer.Option("--venue", help="Venue to simulate: coinbase or binance.")
]
ReplayedVenue = Annotated[
    str | None,
    typer.Option(
        "--venue", help="Venue of the recording, and of ids that name none. [the recording's own]"
    ),
]
RecordedFrames = Annotated[
    Path | None, typer.Option("--frames", help="A recording made with --record.")
]
RecordedSpeed = Annotated[
    float,
    typer.Option("--speed", help="With --frames: recorded seconds per wall second.", min=0.001),
]
LockStep = Annotated[
    bool, typer.Option("--lock-step", help="Publish a snapshot when all agents answered the last.")
]
Agents = Annotated[
    list[str] | None,
    typer.Option("--agents", help="Agents to wait for: comma-separated or the flag repeated."),
]
WaitForJudge = Annotated[
    bool,
    typer.Option(
        "--wait-for-judge",
        help="In lock-step: wait for the judge and its coach, too.",
    ),
]
ReplaySeed = Annotated[
    int | None, typer.Option("--seed", help="Seed for synthetic prices, without files. [7]")
]
ReplayStart = Annotated[
    datetime | None,
    typer.Option(
        "--start",
        formats=START_FORMATS,
        callback=price_time,
        help="Venue time (UTC) of the first snapshot, or of the first candle from the cache. "
        "[2026-01-01, or 60 candles into the files]",
    ),
]
PricesEnd = Annotated[
    datetime | None,
    typer.Option(
        "--end",
        formats=START_FORMATS,
        callback=price_time,
        help="Venue time (UTC) by which the last candle that is used ends. [all candles]",
    ),
]
Snapshots = Annotated[
    int | None,
    typer.Option("--snapshots", help="Number of snapshots. [all that the files give]", min=1),
]
ReplayGranularity = Annotated[
    str | None,
    typer.Option(
        "--granularity",
        help="Length of the market's candles: 1m, 5m, 15m, 1h or 1d. [1m, or that of the files]",
    ),
]
ReplayFills = Annotated[
    Fills | None,
    typer.Option(
        "--fills",
        help="Price that orders fill at: close of the candle that ended, or open of the one that "
        "begins. [close with candles of 1m, else open]",
    ),
]
Deadline = Annotated[
    float, typer.Option("--deadline", help="Wall seconds that an agent has for a turn.", min=0.1)
]
AgentsTimeout = Annotated[
    float,
    typer.Option("--agents-timeout", help="Seconds to wait for all agents to start.", min=1.0),
]
StateOption = Annotated[
    Path | None,
    typer.Option(
        "--state",
        help="Keep venue time in FILE; a restart with it continues the market.",
        metavar="FILE",
    ),
]
FaultsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--faults", help="Faults such as stall:at=30,seconds=20 or close:at=60,code=1012."
    ),
]
