"""From the flags of `arena exchange` to a running one."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from arena.clock import Clock, SystemClock
from arena.errors import UsageError
from connectors.exchange.faults import Fault
from connectors.exchange.listing import listed
from connectors.exchange.market import MINUTE_S, Market
from connectors.exchange.pricefile import load_tape, product_of
from connectors.exchange.server import ExchangeServer
from connectors.exchange.synthetic import SyntheticTape

HISTORY_S: Final = 5 * 3600
"""Of market before "now": it fills every candle window of a connector that joins at once."""


@dataclass(frozen=True, slots=True)
class ExchangeOptions:
    """What `arena exchange` is asked for.

    Attributes:
        products: Ids; with files one per file, or none to take them from the file names.
        prices: Files of candles, or none for synthetic prices.
        start: Venue time at which clients may join; None for now, or for files `history_s` after
            their first candle (at most half their length).
        history_s: Of market that is played before the start.
    """

    products: tuple[str, ...]
    port: int = 0
    seed: int = 7
    speed: float = 1.0
    prices: tuple[Path, ...] = ()
    start: datetime | None = None
    faults: tuple[Fault, ...] = ()
    history_s: int = HISTORY_S


def build_market(options: ExchangeOptions, now: datetime) -> Market:
    """The market, played up to the moment clients may join.

    Raises:
        UsageError: A file that cannot be used, or a start outside it.
    """
    return _from_files(options) if options.prices else _from_seed(options, now)


def _from_seed(options: ExchangeOptions, now: datetime) -> Market:
    start_s = _minute(options.start or now)
    tapes = [SyntheticTape(listed(product), options.seed) for product in options.products]
    market = Market(tapes, start_s=start_s - options.history_s, seed=options.seed)
    market.advance(start_s)
    return market


def _from_files(options: ExchangeOptions) -> Market:
    products: Sequence[str] = options.products or [product_of(path) for path in options.prices]
    if len(products) != len(options.prices) or len(set(products)) != len(products):
        raise UsageError(
            f"{len(options.prices)} price files for the products {', '.join(products)}",
            remedy="give one product per file, in the same order",
        )
    pairs = zip(options.prices, products, strict=True)
    tapes = [load_tape(path, product) for path, product in pairs]
    first_s = min(tape.first_s for tape in tapes)
    last_s = max(tape.last_s for tape in tapes)
    start_s = first_s + min(options.history_s, _whole_minutes((last_s - first_s) // 2))
    if options.start is not None:
        start_s = _minute(options.start)
    if not first_s <= start_s < last_s:
        raise UsageError(
            f"--start {options.start} lies outside the prices",
            remedy=f"choose a time from {first_s} to {last_s} (Unix seconds)",
        )
    market = Market(tapes, start_s=first_s, end_s=last_s, seed=options.seed)
    market.advance(start_s)
    return market


def _minute(moment: datetime) -> int:
    return _whole_minutes(int(moment.timestamp()))


def _whole_minutes(seconds: int) -> int:
    return seconds - seconds % MINUTE_S


async def run_exchange(options: ExchangeOptions, clock: Clock | None = None) -> None:
    """Serve until the prices end or this is cancelled; prints where it listens as a JSON line."""
    clock = clock or SystemClock()
    label = "recorded candles" if options.prices else f"seed {options.seed}"
    server = ExchangeServer(
        build_market(options, clock.now()),
        speed=options.speed,
        clock=clock,
        faults=options.faults,
        label=label,
    )
    async with await server.listen(options.port):
        about = {
            "event": "listening",
            "ws_url": server.ws_url,
            "rest_url": server.rest_url,
            "products": list(server.market.books),
            "simulated": label,
            "speed": options.speed,
            "venue_time": server.venue_now().isoformat(),
        }
        print(json.dumps(about), flush=True)
        await server.run()
