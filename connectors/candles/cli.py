"""`arena candles fetch`: fills the cache from a venue's public REST API."""

import asyncio
import json
import random
from datetime import UTC, datetime
from typing import Annotated

import typer

from arena import logs
from arena.candle_cache.series import DAY_S, day_of
from arena.clock import SystemClock
from arena.errors import UsageError
from arena.granularities import MINUTE, find_granularity
from arena.options import AsJson
from arena.settings import Settings
from connectors.cli_markets import read_products
from connectors.cli_options import START_FORMATS, price_time
from connectors.venues import load_venue

FirstDay = Annotated[
    datetime,
    typer.Option(
        "--from",
        formats=START_FORMATS,
        callback=price_time,
        metavar="DAY",
        help="First day (UTC).",
    ),
]
DayAfter = Annotated[
    datetime | None,
    typer.Option(
        "--to",
        formats=START_FORMATS,
        callback=price_time,
        metavar="DAY",
        help="Day (UTC) after the last. [now]",
    ),
]


def fetch(
    venue_name: Annotated[str, typer.Option("--venue", help="Venue to ask: coinbase or binance.")],
    start: FirstDay,
    end: DayAfter = None,
    products: Annotated[
        list[str] | None,
        typer.Option("--products", help="Product ids, comma-separated or the flag repeated."),
    ] = None,
    more: Annotated[
        list[str] | None, typer.Argument(metavar="[PRODUCT]...", help="More product ids.")
    ] = None,
    granularity: Annotated[
        str, typer.Option("--granularity", help="Length of the candles: 1m, 5m, 15m, 1h or 1d.")
    ] = MINUTE,
    rest_url: Annotated[
        str | None, typer.Option("--rest-url", help="URL of the venue's REST API.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fetch closed candles of whole days into the cache, without a key.

    Only days that the cache lacks are asked for, so a fetch that was stopped continues. Candles
    that the venue does not have are gaps, and are named.

    Example: arena candles fetch --venue coinbase --from 2026-01-01 BTC-USD
    """
    from arena.progress_bars import draw_progress
    from connectors.candles.fetch import FetchOptions, fetch_candles

    venue = load_venue(venue_name)
    wanted = read_products(venue, products, more)
    if not wanted:
        raise UsageError(
            "no product", remedy=f"name some: --products {','.join(venue.default_products[:2])}"
        )
    find_granularity(granularity)
    settings = Settings()
    logs.configure(settings.override(log_level="WARNING"))
    clock = SystemClock()
    start_s, end_s = _range(start, end, clock.now())
    options = FetchOptions(
        venue=venue,
        rest_url=rest_url or venue.rest_url,
        products=wanted,
        start_s=start_s,
        end_s=end_s,
        granularity=granularity,
        home=settings.cache_home,
    )
    with draw_progress() as progress:
        result = asyncio.run(fetch_candles(options, clock, random.Random(), progress))
    if as_json:
        print(json.dumps(result.as_json(), indent=2))
        return
    print("\n".join(result.lines))


def _range(start: datetime, end: datetime | None, now: datetime) -> tuple[int, int]:
    """The whole days that contain a range, Unix seconds.

    Raises:
        UsageError: It is empty.
    """
    first_s = day_of(int(_utc(start).timestamp()))
    last_s = int(_utc(end or now).timestamp())
    end_s = day_of(last_s - 1) + DAY_S
    if end_s <= first_s:
        raise UsageError(
            f"--to {_utc(end or now):%Y-%m-%d} is not after --from {_utc(start):%Y-%m-%d}",
            remedy="--to is the day after the last one",
        )
    return first_s, end_s


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
