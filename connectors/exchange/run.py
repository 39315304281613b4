"""From the flags of `arena exchange` to a running one."""

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from arena import logs
from arena.clock import Clock, SystemClock
from arena.pricefiles.facts import sources_words
from arena.pricefiles.read import read_price_files
from arena.pricefiles.span import EXCHANGE_HISTORY_S, span_of
from connectors.exchange.faults import Fault
from connectors.exchange.listing import listed
from connectors.exchange.market import MINUTE_S, Market
from connectors.exchange.pricefile import tape_of
from connectors.exchange.server import ExchangeServer
from connectors.exchange.standing import (
    AHEAD_S,
    KEEP_EVERY_S,
    Keeper,
    Standing,
    read_standing,
)
from connectors.exchange.synthetic import SyntheticTape

HISTORY_S: Final = EXCHANGE_HISTORY_S
"""Of market before "now": it fills every candle window of a connector that joins at once."""
PLAYED_MAX_S: Final = 20 * 86_400
"""Of synthetic market, over all products, that is played again at most: some ten seconds."""


@dataclass(frozen=True, slots=True)
class ExchangeOptions:
    """What `arena exchange` is asked for.

    Attributes:
        products: Ids; with files one per file, or none to take them from the file names.
        prices: Files of candles, or none for synthetic prices.
        start: Venue time at which clients may join; None for now, or for files `history_s` after
            their first candle (at most half their length).
        state: Keeps venue time, so that a market which is started again goes on; None for nowhere.
        history_s: Of market that is played before the start.
    """

    products: tuple[str, ...]
    port: int = 0
    seed: int = 7
    speed: float = 1.0
    prices: tuple[Path, ...] = ()
    start: datetime | None = None
    state: Path | None = None
    faults: tuple[Fault, ...] = ()
    history_s: int = HISTORY_S

    @property
    def label(self) -> str:
        """Where the prices come from, in words."""
        return "recorded candles" if self.prices else f"seed {self.seed}"

    @property
    def tape(self) -> str:
        """Where the prices come from, to the file."""
        return " ".join(path.name for path in self.prices) or self.label


@dataclass(frozen=True, slots=True)
class Opening:
    """A market played up to the moment clients may join.

    Attributes:
        market: Its products and prices.
        venue_s: Venue time of that moment, Unix seconds.
        began_s: Venue time its prices are counted from, Unix seconds.
        source: Which files its prices come from, in words; "" for synthetic ones.
    """

    market: Market
    venue_s: float
    began_s: int
    source: str = ""


def open_market(options: ExchangeOptions, now: datetime, left: Standing | None = None) -> Opening:
    """The market, played up to the moment clients may join.

    Args:
        options: What is asked for.
        now: Wall time.
        left: Where it stood when it was left; None for one that begins.

    Raises:
        UsageError: A file that cannot be used, or a start outside it.
    """
    return _from_files(options, left) if options.prices else _from_seed(options, now, left)


def build_market(options: ExchangeOptions, now: datetime) -> Market:
    """The market of `open_market`, from its beginning."""
    return open_market(options, now).market


def _from_seed(options: ExchangeOptions, now: datetime, left: Standing | None) -> Opening:
    began_s = _minute(options.start or now)
    venue_s = float(began_s)
    if left is not None:
        played_s = (left.venue_s - left.began_s) * len(options.products)
        if left.tape == options.tape and played_s <= PLAYED_MAX_S:
            began_s, venue_s = left.began_s, left.venue_s
        elif left.venue_s > venue_s:  # other prices, but time does not go back
            began_s, venue_s = _whole_minutes(int(left.venue_s)), left.venue_s
    tapes = [SyntheticTape(listed(product), options.seed) for product in options.products]
    market = Market(tapes, start_s=began_s - options.history_s, seed=options.seed)
    market.advance(int(venue_s))
    return Opening(market, venue_s, began_s)


def _from_files(options: ExchangeOptions, left: Standing | None) -> Opening:
    files = list(read_price_files(options.prices, options.products))
    ends = [(file.first_s, file.last_s) for file in files]
    span = span_of(ends, start=options.start, history_s=options.history_s)
    venue_s = float(span.start_s)
    if left is not None and left.tape == options.tape and venue_s < left.venue_s < span.last_s:
        venue_s = left.venue_s
    tapes = [tape_of(file) for file in files]
    market = Market(tapes, start_s=span.first_s, end_s=span.last_s, seed=options.seed)
    market.advance(int(venue_s))
    return Opening(market, venue_s, span.first_s, sources_words([file.facts for file in files]))


def _minute(moment: datetime) -> int:
    return _whole_minutes(int(moment.timestamp()))


def _whole_minutes(seconds: int) -> int:
    return seconds - seconds % MINUTE_S


async def run_exchange(options: ExchangeOptions, clock: Clock | None = None) -> None:
    """Serve until the prices end or this is cancelled; prints where it listens as a JSON line."""
    clock = clock or SystemClock()
    left = read_standing(options.state) if options.state else None
    opening = open_market(options, clock.now(), left)
    if left is not None:
        _tell_return(left, opening)
    server = ExchangeServer(
        opening.market,
        speed=options.speed,
        clock=clock,
        faults=options.faults,
        label=f"{options.label} of {opening.source}" if opening.source else options.label,
        start_s=opening.venue_s,
    )
    async with await server.listen(options.port):
        about = {
            "event": "listening",
            "ws_url": server.ws_url,
            "rest_url": server.rest_url,
            "products": list(server.market.books),
            "simulated": options.label,
            "speed": options.speed,
            "venue_time": server.venue_now().isoformat(),
        }
        print(json.dumps(about), flush=True)
        await _play(server, options, opening, clock)


def _tell_return(left: Standing, opening: Opening) -> None:
    venue_time = datetime.fromtimestamp(opening.venue_s, UTC).isoformat()
    log = logs.get("exchange")
    if (opening.venue_s, opening.began_s) == (left.venue_s, left.began_s):
        log.info("the market goes on where it stood", venue_time=venue_time)
    else:
        why = "other prices, an end that was reached, or too long a market to play again"
        log.warning("the prices begin anew", venue_time=venue_time, why=why)


async def _play(
    server: ExchangeServer, options: ExchangeOptions, opening: Opening, clock: Clock
) -> None:
    """Play the market; keep its venue time where that is asked for."""
    if options.state is None:
        await server.run()
        return
    keeper = Keeper(options.state)

    def keep(ahead_s: float) -> None:
        venue_s = server.venue_now().timestamp() + ahead_s * options.speed
        keeper.keep(Standing(options.tape, opening.began_s, venue_s))

    async def keep_for_ever() -> None:
        while True:
            keep(AHEAD_S)
            await clock.sleep(KEEP_EVERY_S)

    keeping = asyncio.create_task(keep_for_ever())
    try:
        await server.run()
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        keep(0.0)
