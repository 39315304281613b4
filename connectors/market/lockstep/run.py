"""From the flags of `arena connector replay --lock-step` to a running process."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from arena.errors import UsageError
from arena.fill_assumption import HALF_SPREAD_BPS, assumption_text, default_fills
from arena.granularities import book_bars
from arena.ids import check_name
from arena.indicators.feature_sets import STANDARD, FeatureSet, parse_feature_set
from arena.messages import Fills
from arena.node import Node
from arena.pricefiles.bars import bar_of_files
from arena.pricefiles.rows import MINUTE_S
from arena.pricefiles.span import REPLAY_HISTORY_BARS
from connectors.market.lockstep.lockstep_publisher import LockstepPublisher, LockstepTimeouts
from connectors.market.lockstep.snapshot_replay import SnapshotReplay
from connectors.market.options import history_bars
from connectors.simulator.listing import DEFAULT_PRODUCTS
from connectors.simulator.run import ExchangeOptions, open_market

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""Venue time of the first snapshot of synthetic prices."""
SEED: Final = 7


@dataclass(frozen=True, slots=True)
class LockstepOptions:
    """Options of `arena connector replay --lock-step`.

    Attributes:
        agents: Names of the agents that must answer.
        products: Product ids; with files one per file, or none to take them from the file names.
        prices: Files of candles, or "cache:VENUE"; none for synthetic prices.
        seed: Seed of the synthetic prices; None for `SEED`.
        start: Venue time of the first snapshot, rounded down to a bar; None for `START`, or for
            files `REPLAY_HISTORY_BARS` after their first candle, and later if indicators need more
            candles and `snapshots` still fit. With the cache the first candle that is used.
        end: The last candle of files or the cache that is used ends by this time; None for all.
        home: The home of the cache.
        interval_s: Venue seconds from snapshot to snapshot.
        snapshots: Number of snapshots; None for as many as the files give.
        timeouts: How long to wait for agents and their turns.
        context: Files of dated context that are published before the first snapshot.
        features: The indicators in the snapshots; a preset leaves out what the bars cannot give.
        history_minutes: Least minutes of candles before the first snapshot; None for the default.
        granularity: The length of the bars of synthetic prices; with files it must be theirs. None
            for minutes, or for what the files have.
        fills: Which price orders fill at: the close of the bar that ended or the open of the bar
            that begins; None for "close" in a market of minutes, else "open".
        replay: The replay that `prepare_lockstep` built; None to build it when the process serves.
    """

    agents: tuple[str, ...]
    products: tuple[str, ...]
    prices: tuple[Path, ...]
    seed: int | None
    start: datetime | None
    interval_s: float
    snapshots: int | None
    timeouts: LockstepTimeouts
    context: tuple[Path, ...] = ()
    features: FeatureSet = field(default_factory=lambda: parse_feature_set(STANDARD))
    history_minutes: int | None = None
    granularity: str | None = None
    fills: Fills | None = None
    replay: SnapshotReplay | None = None
    end: datetime | None = None
    home: Path = Path(".arena")


def build_replay(options: LockstepOptions) -> SnapshotReplay:
    """Build the replay, at its first snapshot.

    Raises:
        UsageError: The options contradict each other or the files.
    """
    if options.prices and options.seed is not None:
        raise UsageError("--seed is for synthetic prices", remedy="leave out --seed or --prices")
    start = options.start.replace(second=0, microsecond=0) if options.start else None
    asked_s = (options.history_minutes or 0) * MINUTE_S
    synthetic_bar_s = 0 if options.prices else bar_of_files((), options.granularity)
    exchange = ExchangeOptions(
        products=options.products or (() if options.prices else DEFAULT_PRODUCTS),
        seed=SEED if options.seed is None else options.seed,
        prices=options.prices,
        start=start,
        end=options.end,
        home=options.home,
        history_s=asked_s,
        history_bars=book_bars(synthetic_bar_s) if synthetic_bar_s else REPLAY_HISTORY_BARS,
        features=options.features,
        length_s=_length_s(options),
        granularity=options.granularity,
        any_bars=True,
    )
    started = open_market(exchange, START)
    bar_s = started.market.bar_s
    features = options.features.for_bars(bar_s)
    return SnapshotReplay(
        started.market,
        interval_s=options.interval_s,
        snapshots=options.snapshots,
        recorded=bool(options.prices),
        source=started.source,
        history_bars=history_bars(features, options.history_minutes, bar_s),
        features=features,
        fills=options.fills or default_fills(bar_s),
    )


def _length_s(options: LockstepOptions) -> int | None:
    """Venue seconds from the first snapshot to the last; None if the files decide."""
    if options.snapshots is None:
        return None
    return (options.snapshots - 1) * int(options.interval_s)


def prepare_lockstep(options: LockstepOptions) -> LockstepOptions:
    """Check the options and build the replay, before a broker is needed.

    Raises:
        UsageError: The options contradict each other or the files.
    """
    if not options.agents:
        raise UsageError("--lock-step waits for agents", remedy="name them with --agents")
    for agent in options.agents:
        check_name("agent", agent)
    return replace(options, replay=build_replay(options))


async def serve_lockstep(node: Node, options: LockstepOptions) -> None:
    """Publish the replay in lock-step with its agents, until its end.

    Raises:
        UsageError: The options contradict each other or the files.
    """
    replay = options.replay or build_replay(options)
    source = {"source": replay.source or "synthetic"}
    spread = f"{2 * HALF_SPREAD_BPS} bps if a candle has no quotes"
    node.details |= source | ({"spread": spread} if options.prices else {})
    assumption = assumption_text(
        replay.bar_s, replay.fills, replay.interval_s, recorded=bool(options.prices)
    )
    node.details |= {"assumption": assumption, "simulated": True}
    node.details["products"] = ", ".join(replay.product_ids)
    node.log.info("replay", agents=list(options.agents), start=str(replay.as_of(0)), **source)
    publisher = LockstepPublisher(node, replay, options.agents, options.timeouts, options.context)
    await publisher.serve()
