"""Asks a venue for the days that the cache lacks, and stores each one when it is complete.

A fetch that is killed leaves the days before; the next one asks for the rest only.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from arena.candle_cache.manifest import SIMULATED, Manifest
from arena.candle_cache.series import DAY_S, Series, checked_series, days_of
from arena.candle_cache.spans import Span, within
from arena.candle_cache.store import CandleStore, NewDay
from arena.clock import Clock
from arena.durations import elapsed_text
from arena.errors import ArenaError, DependencyMissing, UsageError
from arena.plural import counted
from arena.pricefiles.times import time_text
from arena.products import split_key
from arena.progress import Progress, Step
from arena.trading_modes import UNLISTED
from connectors.candles.pages import DayCollector, closed_until, pages_of
from connectors.candles.report import FetchResult, SeriesResult
from connectors.market.bans import BanFile, BanTimer
from connectors.market.connection_errors import OFFLINE_REST, host_of
from connectors.market.http_client import HttpClient, RestFailed
from connectors.market.rate_limits import Uniform
from connectors.market.venue import MarketRest, Venue

STEP: Final = "candles"
BANS: Final = "bans"
REFUSED: Final = (400, 404)
"""Statuses that say that the request is wrong."""
AGAIN: Final = "run the same command again: it asks for the missing days only"


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """What to fetch.

    Attributes:
        venue: The venue.
        rest_url: URL of its REST API.
        products: Ids of the products.
        start_s: Start of the first day, Unix seconds.
        end_s: End of the last day.
        granularity: Length of the candles.
        home: The home of the cache.
    """

    venue: Venue
    rest_url: str
    products: tuple[str, ...]
    start_s: int
    end_s: int
    granularity: str
    home: Path

    @property
    def series(self) -> list[Series]:
        """The series of the products."""
        return [
            checked_series(self.venue.name, split_key(product).symbol, self.granularity)
            for product in self.products
        ]


async def fetch_candles(
    options: FetchOptions, clock: Clock, rng: Uniform, progress: Progress
) -> FetchResult:
    """Fetch what the cache lacks.

    Args:
        options: What to fetch.
        clock: Wall and monotonic time.
        rng: Random source of the jitter of retries.
        progress: Called with the number of requests made and needed.

    Raises:
        UsageError: The venue does not have a product or the time, or a cached file was changed.
        DependencyMissing: The venue cannot be reached, or asks for no requests.
    """
    store = CandleStore(options.home)
    lacking = {one: _missing(store, one, options) for one in options.series}
    result = FetchResult(options.start_s, options.end_s, options.end_s)
    if any(lacking.values()):
        fetcher = _Fetcher(options, store, clock, rng, progress)
        try:
            await fetcher.run({one: days for one, days in lacking.items() if days}, result)
        except RestFailed as failed:
            raise fetcher.error(failed) from None
        finally:
            await fetcher.rest.close()
    done = {one.series: one for one in result.series}
    result.series = [_finished(store, one, done.get(one), result) for one in options.series]
    return result


def _missing(store: CandleStore, series: Series, options: FetchOptions) -> list[int]:
    manifest = store.whole_days(series, options.start_s, options.end_s)
    return manifest.missing(options.start_s, options.end_s)


def _finished(
    store: CandleStore, series: Series, done: SeriesResult | None, result: FetchResult
) -> SeriesResult:
    """The result of a series, with what the cache has in the range now."""
    span = (result.start_s, result.end_s)
    days = days_of(*span)
    found = done or SeriesResult(series, len(days), cached=len(days))
    manifest = store.manifest(series)
    found.rows = sum(manifest.days[day].rows for day in days if day in manifest.days)
    found.gaps = within(manifest.gaps, *span)
    return found


class _Fetcher:
    """The requests of one fetch."""

    def __init__(
        self,
        options: FetchOptions,
        store: CandleStore,
        clock: Clock,
        rng: Uniform,
        progress: Progress,
    ) -> None:
        self._options = options
        self._store = store
        self._clock = clock
        self._progress = progress
        self._counters: Counter[str] = Counter()
        venue = options.venue
        bans = BanFile(options.home / BANS / f"{venue.name}.json")
        self._ban = BanTimer(options.rest_url, clock, bans)
        self._ban.restore()
        http = HttpClient(
            options.rest_url,
            venue.rate_limit(),
            clock=clock,
            rng=rng,
            counters=self._counters,
            ban=self._ban,
            offline=OFFLINE_REST,
        )
        self.rest: MarketRest = venue.rest(http, self._counters)
        self._made = 0
        self._needed = 0
        self._began_s = clock.monotonic()

    async def run(self, lacking: dict[Series, list[int]], result: FetchResult) -> None:
        """Fetch the missing days of series."""
        options = self._options
        now = await self.rest.time()
        await self._require_listed(list(lacking))
        self._require_one_origin(list(lacking))
        step_s = options.series[0].step_s
        result.end_s = min(options.end_s, closed_until(now.timestamp(), step_s))
        if result.end_s <= options.start_s:
            raise UsageError(
                f"no candle from {time_text(options.start_s)} on is closed: "
                f"{options.venue.title} has {now:%Y-%m-%d %H:%M} UTC",
                remedy="choose an earlier --from",
            )
        plans = {one: self._plan(one, result) for one in lacking}
        self._needed = sum(len(pages) for _, pages in plans.values())
        self._began_s = self._clock.monotonic()
        days = sum(found.days - found.cached for found, _ in plans.values())
        if self._needed:
            missing, needed = counted(days, "missing day"), counted(self._needed, "request")
            self._report(f"{missing} of {len(plans)} series, {needed}")
        for series, (found, pages) in plans.items():
            result.series.append(found)
            await self._fetch(series, found, pages, result.end_s)
        result.refused = self._counters["rest_rows_refused"]
        if self._needed:
            self._report(f"{counted(self._made, 'request')} made", finished=True)

    def error(self, failed: RestFailed) -> ArenaError:
        """The error of a command whose request failed."""
        if text := self._ban.long_text:
            return DependencyMissing(text, remedy=AGAIN)
        if failed.status in REFUSED:
            return UsageError(
                f"{host_of(self._options.rest_url)} refused {failed.path}: {failed.detail}",
                remedy="check --products, --granularity and --rest-url",
            )
        return DependencyMissing(f"{failed}", remedy=AGAIN)

    async def _require_listed(self, lacking: Sequence[Series]) -> None:
        """Check that the venue has the products; one that it has closed may still have candles."""
        listing = await self.rest.products([series.product_id for series in lacking])
        unknown = [product for product, why in listing.rejected.items() if why == UNLISTED]
        if unknown:
            venue = self._options.venue
            raise UsageError(
                f"{venue.title} has no product {', '.join(unknown)}",
                remedy=f"its ids are such as {', '.join(venue.default_products[:2])}",
            )

    def _require_one_origin(self, lacking: Sequence[Series]) -> None:
        """Check that a series does not mix simulated candles with those of a real market."""
        simulated = self.rest.origin.simulated
        for series in lacking:
            for entry in self._store.manifest(series).days.values():
                if entry.is_simulated != simulated:
                    raise UsageError(
                        f"the cache has candles of {series} from {entry.source}, and "
                        f"{self._source} is {'' if simulated else 'not '}a simulated exchange",
                        remedy="use another ARENA_HOME for one of them",
                    )

    @property
    def _source(self) -> str:
        host, origin = host_of(self._options.rest_url), self.rest.origin
        if not origin.simulated:
            return host
        return f"{host} {SIMULATED}{', recorded prices' if origin.recorded else ''})"

    def _plan(self, series: Series, result: FetchResult) -> tuple[SeriesResult, list[Span]]:
        manifest: Manifest = self._store.whole_days(series, result.start_s, result.end_s)
        days = manifest.missing(result.start_s, result.end_s)
        total = len(days_of(result.start_s, result.end_s))
        pages = pages_of(days, result.end_s, series.step_s, self._options.venue.candles_max)
        return SeriesResult(series, total, cached=total - len(days)), pages

    async def _fetch(
        self, series: Series, found: SeriesResult, pages: Sequence[Span], end_s: int
    ) -> None:
        collector = DayCollector(end_s, series.step_s)
        for page in pages:
            candles = await self.rest.candles(series.product_id, *page, series.step_s)
            self._made += 1
            found.requests += 1
            if done := collector.take(page, candles):
                self._store.replace(
                    series,
                    {
                        day: NewDay(lines, ((day, min(day + DAY_S, end_s)),), self._source)
                        for day, lines in done.items()
                    },
                    self._clock.now(),
                )
                found.fetched += len(done)
            self._report(self._progress_text(series))

    def _progress_text(self, series: Series) -> str:
        """Requests, the time that is left at the rate so far, and the product."""
        seconds = self._clock.monotonic() - self._began_s
        left_s = seconds / self._made * (self._needed - self._made)
        left = f", {elapsed_text(left_s)} left" if self._made < self._needed else ""
        return f"{self._made:,}/{self._needed:,} requests{left}, {series.symbol}"

    def _report(self, detail: str, *, finished: bool = False) -> None:
        self._progress(Step(STEP, detail, self._made, self._needed, finished))
