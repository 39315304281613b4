"""From the flags of `arena exchange` to a running exchange."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from arena import logs
from arena.candle_cache.range import PriceRange, ends_of, first_snapshot, read_prices
from arena.clock import Clock
from arena.granularities import MINUTE
from arena.indicators.feature_sets import NO_FEATURES, FeatureSet
from arena.pricefiles.bars import bar_of_files, require_minutes
from arena.pricefiles.facts import sources_text
from arena.pricefiles.read import PriceFile
from arena.pricefiles.span import EXCHANGE_HISTORY_S, span_of
from arena.products import DEFAULT_VENUE, split_key
from arena.tasks import run_until_all_end
from connectors.simulator.binance.protocol import BinanceProtocol
from connectors.simulator.coinbase.protocol import CoinbaseProtocol
from connectors.simulator.faults import VenueFault, check_fault
from connectors.simulator.listing import listed_product
from connectors.simulator.price_path import MINUTE_S
from connectors.simulator.recorded_prices import price_path_of
from connectors.simulator.server import ExchangeServer
from connectors.simulator.simulated_market import BARS_MAX, SimulatedMarket
from connectors.simulator.simulator_state import (
    AHEAD_S,
    KEEP_EVERY_S,
    SimulatorState,
    StateFile,
    read_state,
    source_on_venue,
    state_of_venue,
)
from connectors.simulator.synthetic_prices import SyntheticPricePath
from connectors.simulator.venue_protocol import ExchangeProtocol
from connectors.venues import load_venue

HISTORY_S: Final = EXCHANGE_HISTORY_S
"""Seconds of market before "now": they fill every candle window of a connector that joins."""
PROTOCOLS: Final[Mapping[str, Callable[[SimulatedMarket], ExchangeProtocol]]] = {
    "binance": BinanceProtocol,
    "coinbase": CoinbaseProtocol,
}
"""The venues that the exchange can simulate."""
PLAYED_MAX_S: Final = 20 * 86_400
"""Most seconds of synthetic market, over all products, that are played again (takes some 10 s)."""


@dataclass(frozen=True, slots=True)
class ExchangeOptions:
    """Options of `arena exchange`.

    Attributes:
        products: Product ids; with files one per file, or none to take them from the file names.
        port: TCP port; 0 for any free one.
        seed: Seed of the synthetic prices.
        speed: Venue seconds per wall second.
        prices: Files of candles, or "cache:VENUE"; none for synthetic prices.
        start: Venue time at which clients may join; None for now, or for files `history_s` after
            their first candle (at most half their length). With the cache its first candle.
        end: The last candle of files or the cache that is used ends by this time; None for all.
        state: File that keeps venue time, so that a restarted market continues; None for no file.
        faults: Faults that are scheduled.
        history_s: Venue seconds that are played before the start.
        features: Indicators that must be warm at the start; with files only if `length_s` then
            still fits (`arena.pricefiles.span.span_of`).
        length_s: Venue seconds from the start to the last snapshot; None if there is none.
        venue: The venue whose protocols it speaks, one of `PROTOCOLS`.
        home: The home of the cache.
        history_bars: Bars before the start, at least, in a market of bars of any length.
        granularity: The length of the bars of synthetic prices and of those in the cache, and a
            check of those of files; None for minutes, or for what the files have.
        any_bars: True if bars may be longer than a minute: a replay, which serves no candles.
    """

    products: tuple[str, ...]
    port: int = 0
    seed: int = 7
    speed: float = 1.0
    prices: tuple[Path, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    state: Path | None = None
    faults: tuple[VenueFault, ...] = ()
    history_s: int = HISTORY_S
    features: FeatureSet = NO_FEATURES
    length_s: int | None = None
    venue: str = DEFAULT_VENUE
    home: Path = Path(".arena")
    history_bars: int = 0
    granularity: str | None = None
    any_bars: bool = False

    @property
    def label(self) -> str:
        """Short description of where the prices come from."""
        return "recorded candles" if self.prices else f"seed {self.seed}"

    @property
    def price_source(self) -> str:
        """The seed, or the names of the price files; and the venue, if it is not the first."""
        source = " ".join(path.name for path in self.prices) or self.label
        return source_on_venue(source, self.venue)


@dataclass(frozen=True, slots=True)
class StartedMarket:
    """A market played up to the moment at which clients may join.

    Attributes:
        market: The products and their prices.
        venue_s: Venue time of that moment, Unix seconds.
        began_s: Venue time at which its prices began, Unix seconds.
        source: Description of the files its prices come from; "" for synthetic ones.
    """

    market: SimulatedMarket
    venue_s: float
    began_s: int
    source: str = ""


def open_market(
    options: ExchangeOptions, now: datetime, saved: SimulatorState | None = None
) -> StartedMarket:
    """Play a market up to the moment at which clients may join.

    Args:
        options: The options of the exchange.
        now: Wall time.
        saved: State of an earlier run to continue from; None for a new market.

    Raises:
        UsageError: A file cannot be used, or the start is outside it.
    """
    return _from_files(options, saved) if options.prices else _from_seed(options, now, saved)


def _from_seed(
    options: ExchangeOptions, now: datetime, saved: SimulatorState | None
) -> StartedMarket:
    bar_s = _bar_s(options)
    began_s = _whole_bars(int((options.start or now).timestamp()), bar_s)
    venue_s = float(began_s)
    if saved is not None:
        played_s = (saved.venue_s - saved.began_s) * len(options.products)
        if saved.price_source == options.price_source and played_s <= PLAYED_MAX_S:
            began_s, venue_s = saved.began_s, saved.venue_s
        elif saved.venue_s > venue_s:  # The prices differ, but time must not go back.
            began_s, venue_s = _whole_bars(int(saved.venue_s), bar_s), saved.venue_s
    price_paths = [
        SyntheticPricePath(listed_product(product), options.seed, bar_s)
        for product in options.products
    ]
    history_s = max(_history_s(options, bar_s), _needed_s(options, bar_s))
    market = SimulatedMarket(
        price_paths,
        start_s=began_s - history_s,
        seed=options.seed,
        bar_s=bar_s,
        bars_max=BARS_MAX + history_s // bar_s,
    )
    market.advance(int(venue_s))
    return StartedMarket(market, venue_s, began_s)


def _from_files(options: ExchangeOptions, saved: SimulatorState | None) -> StartedMarket:
    used = PriceRange(options.start, options.end, options.home, options.granularity or MINUTE)
    files = list(read_prices(options.prices, options.products, used))
    bar_s = _bar_s(options, [(str(file.path), file.bar_s) for file in files])
    span = span_of(
        ends_of(options.prices, files, used),
        start=first_snapshot(options.prices, used),
        history_s=_history_s(options, bar_s),
        wanted_s=_needed_s(options, bar_s),
        length_s=options.length_s,
        bar_s=bar_s,
    )
    venue_s = float(span.start_s)
    if (
        saved is not None
        and saved.price_source == options.price_source
        and venue_s < saved.venue_s < span.last_s
    ):
        venue_s = saved.venue_s
    names = options.products or tuple(_product_id(options, file) for file in files)
    price_paths = [price_path_of(file, name) for file, name in zip(files, names, strict=True)]
    market = SimulatedMarket(
        price_paths,
        start_s=span.first_s,
        end_s=span.last_s,
        seed=options.seed,
        bar_s=bar_s,
        bars_max=BARS_MAX + int(venue_s - span.first_s) // bar_s,
    )
    market.advance(int(venue_s))
    return StartedMarket(
        market, venue_s, span.first_s, sources_text([file.facts for file in files])
    )


def _product_id(options: ExchangeOptions, file: PriceFile) -> str:
    """The id under which the market has a file's product."""
    if options.venue == DEFAULT_VENUE:
        return file.product_id
    return load_venue(options.venue).read_product(file.product_id)


def _bar_s(options: ExchangeOptions, files: Sequence[tuple[str, int]] = ()) -> int:
    """The length of the market's bars in seconds.

    Args:
        options: The options.
        files: Name and length of the bars of each file.

    Raises:
        UsageError: The market cannot have them.
    """
    if not options.any_bars:
        require_minutes(files, options.granularity)
    return bar_of_files(files, options.granularity)


def _whole_bars(seconds: int, bar_s: int) -> int:
    return seconds - seconds % bar_s


def _history_s(options: ExchangeOptions, bar_s: int) -> int:
    """Venue seconds before the start, in whole bars."""
    return max(-(-options.history_s // bar_s), options.history_bars) * bar_s


def _needed_s(options: ExchangeOptions, bar_s: int) -> int:
    """Venue seconds before the start that the indicators need."""
    return options.features.for_bars(bar_s).minutes * MINUTE_S


async def run_exchange(options: ExchangeOptions, clock: Clock) -> None:
    """Serve until the prices end or the task is cancelled; print the addresses as a JSON line.

    Products of several venues get one server each, on following ports, with one venue time.
    """
    parts = options_by_venue(options)
    opened = [_open(part, clock) for part in parts]
    start_s = max(started.venue_s for started in opened)
    servers = [
        _server(part, started, start_s, clock) for part, started in zip(parts, opened, strict=True)
    ]
    async with AsyncExitStack() as stack:
        for part, server in zip(parts, servers, strict=True):
            await stack.enter_async_context(await server.listen(part.port))
        began_s = clock.monotonic()
        for server in servers:
            server.start_time(began_s)
        about = _about(servers[0], options)
        if len(servers) > 1:
            about["venues"] = {
                part.venue: {"ws_url": server.ws_url, "rest_url": server.rest_url}
                for part, server in zip(parts, servers, strict=True)
            }
        print(json.dumps(about), flush=True)
        await run_until_all_end(
            *(
                _play(server, part, started, clock)
                for server, part, started in zip(servers, parts, opened, strict=True)
            )
        )


def options_by_venue(options: ExchangeOptions) -> list[ExchangeOptions]:
    """The options of one server per venue, in the order of the venues' names.

    Raises:
        UsageError: A fault names a product that none of several venues has.
    """
    venues = {split_key(product_id).venue for product_id in options.products}
    if len(venues) < 2:
        return [options]
    for fault in options.faults:
        check_fault(fault, options.products)
    files = dict(zip(options.products, options.prices, strict=bool(options.prices)))
    found = []
    for place, venue in enumerate(sorted(venues)):
        products = tuple(p for p in options.products if split_key(p).venue == venue)
        found.append(
            replace(
                options,
                venue=venue,
                products=products,
                port=options.port and options.port + place,
                prices=tuple(files[p] for p in products if p in files),
                state=options.state and state_of_venue(options.state, venue),
                faults=_faults_of(venue, options.faults),
            )
        )
    return found


def _faults_of(venue: str, faults: tuple[VenueFault, ...]) -> tuple[VenueFault, ...]:
    """The faults of one of several venues: those of its products, and those of no product."""
    return tuple(f for f in faults if not f.product or split_key(f.product).venue == venue)


def _open(options: ExchangeOptions, clock: Clock) -> StartedMarket:
    saved = read_state(options.state) if options.state else None
    started = open_market(options, clock.now(), saved)
    if saved is not None:
        _log_start(saved, started)
    return started


def _server(
    options: ExchangeOptions, started: StartedMarket, start_s: float, clock: Clock
) -> ExchangeServer:
    return ExchangeServer(
        PROTOCOLS[options.venue](started.market),
        speed=options.speed,
        clock=clock,
        faults=options.faults,
        label=f"{options.label} of {started.source}" if started.source else options.label,
        start_s=start_s,
    )


def _about(server: ExchangeServer, options: ExchangeOptions) -> dict[str, object]:
    return {
        "event": "listening",
        "ws_url": server.ws_url,
        "rest_url": server.rest_url,
        "products": list(options.products) or list(server.market.products),
        "simulated": options.label,
        "speed": options.speed,
        "venue_time": server.venue_now().isoformat(),
    }


def _log_start(saved: SimulatorState, started: StartedMarket) -> None:
    venue_time = datetime.fromtimestamp(started.venue_s, UTC).isoformat()
    log = logs.get("exchange")
    if (started.venue_s, started.began_s) == (saved.venue_s, saved.began_s):
        log.info("the market continues where it stopped", venue_time=venue_time)
    else:
        why = "other prices, prices that had ended, or a market too long to play again"
        log.warning("the prices start again", venue_time=venue_time, why=why)


async def _play(
    server: ExchangeServer, options: ExchangeOptions, started: StartedMarket, clock: Clock
) -> None:
    """Play the market; keep its venue time in the state file if there is one."""
    if options.state is None:
        await server.run()
        return
    state_file = StateFile(options.state)

    def keep(ahead_s: float) -> None:
        venue_s = server.venue_now().timestamp() + ahead_s * options.speed
        state_file.write(SimulatorState(options.price_source, started.began_s, venue_s))

    async def write_forever() -> None:
        while True:
            keep(AHEAD_S)
            await clock.sleep(KEEP_EVERY_S)

    keeping = asyncio.create_task(write_forever())
    try:
        await server.run()
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        keep(0.0)
