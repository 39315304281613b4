"""`arena connector VENUE|replay` and `arena exchange`: their flags and help.

Each package of `connectors.venues` gives a command of its name.

The implementations in `connectors.market` and `connectors.simulator` are loaded by the
command that needs them.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arena.candle_cache.names import for_each_product
from arena.errors import UsageError
from arena.indicators import FeatureSet, parse_feature_set
from arena.options import LogLevel, LogLevelName, ProcessServers
from arena.pricefiles.formats import SUFFIXES
from arena.products import DEFAULT_VENUE
from arena.settings import Settings
from connectors.cli_context import CONTEXT_EXAMPLE, ContextFiles, context
from connectors.cli_markets import check_replay, read_markets, read_products
from connectors.cli_options import (
    FEATURES,
    START_FORMATS,
    Agents,
    AgentsTimeout,
    Deadline,
    ExchangeMinutes,
    FaultsOption,
    Features,
    HistoricalMinutes,
    LockStep,
    PricesEnd,
    RecordedFrames,
    RecordedSpeed,
    ReplayedVenue,
    ReplayFills,
    ReplayGranularity,
    ReplaySeed,
    ReplayStart,
    SimulatedVenue,
    Snapshots,
    StateOption,
    WaitForJudge,
    price_time,
)
from connectors.venues import load_venue, venue_names

if TYPE_CHECKING:
    from connectors.market.lockstep.run import LockstepOptions
    from connectors.market.options import ConnectorOptions, PlaybackOptions
    from connectors.market.venue import Venue

INTERVAL_S = 60.0


connector_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Interval = Annotated[
    float,
    typer.Option("--min-interval", help="Seconds of venue time between snapshots.", min=0.0),
]
Prices = Annotated[
    list[Path] | None,
    typer.Option(
        "--prices",
        help="Files of candles, one per product (see `arena candles formats`), or cache:VENUE.",
    ),
]
REPLAY_EXAMPLES = (
    "Example: arena connector replay --frames day.jsonl.zst --speed 10\n\n"
    "Example: arena connector replay --lock-step --agents mo --snapshots 120"
)


def _add_venue(venue: "Venue") -> None:
    """Add the command of a venue."""
    some = " ".join(venue.default_products[:2])

    @connector_app.command(
        name=venue.name,
        epilog=f"Example: arena connector {venue.name} --products {some}",
        help=f"""Publish {venue.title} prices: tickers at once, a snapshot every --min-interval.

        Needs no API key. A recording is published as fast as it can be read; `arena connector
        replay` can keep its pace.
        """,
    )
    def live(
        products: Annotated[
            list[str] | None,
            typer.Option(
                "--products",
                help="Product ids: one after another, comma-separated, or the flag repeated. "
                f"[{' '.join(venue.default_products)}]",
            ),
        ] = None,
        more: Annotated[
            list[str] | None, typer.Argument(metavar="[PRODUCT]...", help="More product ids.")
        ] = None,
        min_interval: Interval = INTERVAL_S,
        context: ContextFiles = None,
        features: Features = FEATURES,
        historical_minutes: HistoricalMinutes = None,
        ws_url: Annotated[
            str, typer.Option("--ws-url", help="URL of the venue's WebSocket feed.")
        ] = venue.ws_url,
        rest_url: Annotated[
            str, typer.Option("--rest-url", help="URL of the venue's REST API.")
        ] = venue.rest_url,
        record: Annotated[
            Path | None,
            typer.Option("--record", help="Write each raw frame to this file (.jsonl, .gz, .zst)."),
        ] = None,
        frames: Annotated[
            Path | None, typer.Option("--frames", help="Read this recording instead of the venue.")
        ] = None,
        print_: Annotated[
            bool,
            typer.Option("--print", help="With --frames: print decoded events; needs no broker."),
        ] = False,
        bootstrap_servers: ProcessServers = None,
        log_level: LogLevel = None,
    ) -> None:
        if print_:
            if frames is None:
                raise UsageError("--print needs a recording", remedy="name one with --frames")
            from connectors.market.playback import print_frames

            print_frames(venue, frames)
            return
        settings = _settings(bootstrap_servers, log_level)
        wanted = read_products(venue, products, more)
        chosen = parse_feature_set(features)
        if frames is not None:
            _run_playback(settings, venue, frames, min_interval, None, wanted, context, chosen)
            return
        from connectors.market.options import ConnectorOptions, MarketOptions, history_minutes

        followed = wanted or venue.default_products
        market = MarketOptions(venue, followed, ws_url, rest_url, record)
        minutes = history_minutes(chosen, historical_minutes)
        files = tuple(context or ())
        options = ConnectorOptions((market,), min_interval, files, chosen, minutes)
        _run(venue.name, settings, options)


for _name in venue_names():
    _add_venue(load_venue(_name))


@connector_app.command(
    epilog="Example: arena connector markets --market coinbase=BTC-USD --market binance=BTCUSDT"
)
def markets(
    market: Annotated[
        list[str],
        typer.Option(
            "--market", metavar="VENUE=PRODUCT,...", help="A venue and its products; repeatable."
        ),
    ],
    urls: Annotated[
        list[str] | None,
        typer.Option(
            "--urls",
            metavar="VENUE=WS,REST",
            help="URLs of a venue's feed and REST API instead of the public ones; repeatable.",
        ),
    ] = None,
    min_interval: Interval = INTERVAL_S,
    context: ContextFiles = None,
    features: Features = FEATURES,
    historical_minutes: HistoricalMinutes = None,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record", help="File for the raw frames; each venue has its own: frames-VENUE.jsonl."
        ),
    ] = None,
    bootstrap_servers: ProcessServers = None,
    log_level: LogLevel = None,
) -> None:
    """Publish several venues at once: a snapshot holds them all as of one time."""
    from connectors.market.options import ConnectorOptions, history_minutes

    settings = _settings(bootstrap_servers, log_level)
    venues = read_markets(market, urls, record)
    chosen = parse_feature_set(features)
    minutes = history_minutes(chosen, historical_minutes)
    options = ConnectorOptions(venues, min_interval, tuple(context or ()), chosen, minutes)
    _run(options.venue, settings, options)


@connector_app.command(epilog=REPLAY_EXAMPLES)
def replay(
    frames: RecordedFrames = None,
    speed: RecordedSpeed = 1.0,
    venue: ReplayedVenue = None,
    products: Annotated[
        list[str] | None,
        typer.Option("--products", help="Product ids; with --prices one per file. [all]"),
    ] = None,
    more: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PRODUCT|FILE]...", help="More product ids or price files."),
    ] = None,
    min_interval: Interval = INTERVAL_S,
    context: ContextFiles = None,
    features: Features = FEATURES,
    historical_minutes: HistoricalMinutes = None,
    lock_step: LockStep = False,
    agents: Agents = None,
    prices: Prices = None,
    seed: ReplaySeed = None,
    start: ReplayStart = None,
    end: PricesEnd = None,
    snapshots: Snapshots = None,
    granularity: ReplayGranularity = None,
    fills: ReplayFills = None,
    deadline: Deadline = 60.0,
    agents_timeout: AgentsTimeout = 300.0,
    wait_for_judge: WaitForJudge = False,
    bootstrap_servers: ProcessServers = None,
    log_level: LogLevel = None,
) -> None:
    """Publish recorded prices: frames of the feed at a pace, or candles in step with the agents.

    In lock-step, market time advances when every agent has answered the last snapshot or its
    deadline has passed; the snapshots are the same in every run. A replay that was killed continues
    where it stopped when it is started again, and exits after the last snapshot.
    """
    settings = _settings(bootstrap_servers, log_level)
    check_replay(lock_step, frames, granularity, fills)
    files, ids = _files(prices, more)
    if frames is not None:
        texts = [*(products or ()), *ids]
        _replay_frames(settings, venue, frames, min_interval, speed, texts, context, features)
        return
    wanted = read_products(load_venue(venue or DEFAULT_VENUE), products, ids, of_any_venue=True)
    from connectors.market.lockstep.lockstep_publisher import LockstepTimeouts
    from connectors.market.lockstep.run import LockstepOptions, prepare_lockstep

    options = LockstepOptions(
        agents=tuple(name.strip() for text in agents or () for name in text.split(",") if name),
        products=wanted,
        prices=for_each_product(files, wanted),
        seed=seed,
        start=_utc(start),
        end=_utc(end),
        home=settings.cache_home,
        interval_s=min_interval,
        snapshots=snapshots,
        timeouts=LockstepTimeouts(deadline, agents_timeout, deadline if wait_for_judge else None),
        context=tuple(context or ()),
        features=parse_feature_set(features, None),
        history_minutes=historical_minutes,
        granularity=granularity,
        fills=fills,
    )
    _run("replay", settings, prepare_lockstep(options))


connector_app.command(epilog=CONTEXT_EXAMPLE)(context)


def exchange(
    venue: SimulatedVenue = DEFAULT_VENUE,
    port: Annotated[
        int, typer.Option("--port", help="Port on 127.0.0.1; 0 for a free one.", min=0, max=65535)
    ] = 8765,
    products: Annotated[
        list[str] | None,
        typer.Option("--products", help="Product ids, comma-separated or the flag repeated."),
    ] = None,
    more: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PRODUCT|FILE]...", help="More product ids or price files."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed for the synthetic prices.")] = 7,
    speed: Annotated[
        float, typer.Option("--speed", help="Venue seconds per wall second.", min=0.01, max=3600.0)
    ] = 1.0,
    prices: Prices = None,
    start: Annotated[
        datetime | None,
        typer.Option(
            "--start",
            formats=START_FORMATS,
            callback=price_time,
            help="Venue time (UTC) at the start, or of the first candle from the cache. "
            "[now, or early in the files]",
        ),
    ] = None,
    end: PricesEnd = None,
    historical_minutes: ExchangeMinutes = None,
    state: StateOption = None,
    faults: FaultsOption = None,
    log_level: LogLevel = None,
) -> None:
    """Run a simulated exchange that speaks Coinbase Exchange's WebSocket and REST protocols.

    With `--venue binance` it speaks those of Binance spot's public market data. Products of several
    venues, such as BTC-USD,binance:BTCUSDT, get a server each on following ports, with one time.
    Prints its addresses as one JSON line. It exits when its price files end.

    Example: arena exchange --port 0 --speed 60
    """
    from arena.node import run_node
    from connectors.simulator.faults import parse_fault
    from connectors.simulator.listing import DEFAULT_PRODUCTS
    from connectors.simulator.process import serve
    from connectors.simulator.run import HISTORY_S, PROTOCOLS, ExchangeOptions

    settings = _settings(None, log_level)
    if venue not in PROTOCOLS:
        raise UsageError(f"unknown venue {venue!r}", remedy=f"choose from {', '.join(PROTOCOLS)}")
    files, ids = _files(prices, more)
    simulated = load_venue(venue)
    first = DEFAULT_PRODUCTS if venue == DEFAULT_VENUE else simulated.default_products
    wanted = read_products(simulated, products, ids, of_any_venue=True)
    options = ExchangeOptions(
        venue=venue,
        products=wanted or (() if files else first),
        port=port,
        seed=seed,
        speed=speed,
        prices=for_each_product(files, wanted),
        start=_utc(start),
        end=_utc(end),
        home=settings.cache_home,
        state=state,
        faults=tuple(parse_fault(text) for text in faults or ()),
        history_s=max(HISTORY_S, (historical_minutes or 0) * 60),
    )
    run_node("exchange", "", settings, serve, options)


def _settings(bootstrap_servers: str | None, log_level: LogLevelName | None) -> Settings:
    return Settings().override(bootstrap_servers=bootstrap_servers, log_level=log_level)


def _files(prices: list[Path] | None, more: list[str] | None) -> tuple[tuple[Path, ...], list[str]]:
    """Price files from the flag and the arguments, and the other arguments."""
    words = [Path(word) for word in more or () if word.lower().endswith(SUFFIXES)]
    ids = [word for word in more or () if not word.lower().endswith(SUFFIXES)]
    return (*(prices or ()), *words), ids


def _utc(moment: datetime | None) -> datetime | None:
    """A time from a flag, in UTC if it has no zone."""
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _replay_frames(
    settings: Settings,
    venue: str | None,
    frames: Path,
    interval_s: float,
    speed: float,
    products: list[str],
    context: list[Path] | None,
    features: str,
) -> None:
    """Play a recording of a venue; None for the one that the recording is of."""
    from connectors.market.recorded_venue import venue_of_recording

    played = venue_of_recording(frames) if venue is None else load_venue(venue)
    wanted = read_products(played, products, None)
    chosen = parse_feature_set(features)
    _run_playback(settings, played, frames, interval_s, speed, wanted, context, chosen)


def _run_playback(
    settings: Settings,
    venue: "Venue",
    frames: Path,
    interval_s: float,
    speed: float | None,
    products: tuple[str, ...],
    context: list[Path] | None,
    features: FeatureSet,
) -> None:
    from connectors.market.options import PlaybackOptions

    files = tuple(context or ())
    options = PlaybackOptions(venue, frames, interval_s, speed, products, files, features)
    _run("replay", settings, options)


def _run(
    name: str, settings: Settings, options: "ConnectorOptions | PlaybackOptions | LockstepOptions"
) -> None:
    """Run a connector and exit with the process's exit code."""
    from arena.node import run_node
    from connectors.process import serve

    run_node("connector", name, settings, serve, options)
