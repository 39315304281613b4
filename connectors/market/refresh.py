"""Keeps candle books current and fetches missing quotes by REST, one product at a time.

Each product has a task, so that a failure of one does not delay the others; they share the client's
token bucket. Polls follow venue time: a book is due when a minute has closed.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Final

from arena import logs
from arena.clock import Clock
from arena.granularities import BOOK_BARS
from arena.messages import Candle, Ticker
from arena.money import decimal_text
from connectors.market.candles import MINUTE_S, CandleBook, floor_s, pages
from connectors.market.feed import Dropped, Feed, Received
from connectors.market.http_client import RestFailed
from connectors.market.rate_limits import Uniform
from connectors.market.trades import Backfill, FilledGap, TradeGap, with_trades
from connectors.market.venue import MarketRest

POLL_CHECK_S: Final = (0.02, 2.0)
"""Least and most wall seconds between two checks of a book."""
START_JITTER_S: Final = 0.5
FAILED_PAUSE_S: Final = 5.0
REPAIR_EVERY_S: Final = 15.0
UNFILLED_NAMED_MAX: Final = 10
"""Most runs of missing trade ids in one log line."""


class Refresher:
    """Fills the candle books of a connector.

    Args:
        rest: The venue's REST API.
        feed: Source of venue time; gets repaired tickers.
        history_minutes: Minutes of candles in a book.
        clock: Wall and monotonic time.
        rng: Random source of the jitter.
        counters: Gets `candle_polls`, `candle_failures`, `repairs`, `quotes_confirmed`,
            `trades_missed` and `trades_backfilled`.

    Attributes:
        books: Product id -> candles.
        changed: Notified after each poll.
    """

    def __init__(
        self,
        rest: MarketRest,
        feed: Feed,
        history_minutes: int = BOOK_BARS,
        *,
        clock: Clock,
        rng: Uniform,
        counters: Counter[str],
    ) -> None:
        """Create a refresher without products."""
        self._history_minutes = history_minutes
        self.books: dict[str, CandleBook] = {}
        self.changed = asyncio.Condition()
        self._rest = rest
        self._feed = feed
        self._clock = clock
        self._rng = rng
        self._counters = counters
        self._repaired_s: dict[str, float] = {}
        self._following: dict[str, object] = {}
        self._log = logs.get("candles")

    async def follow(self, product_id: str) -> None:
        """Keep the book of a product current until cancelled or `forget` is called."""
        self.books[product_id] = CandleBook(self._history_minutes)
        # A product that is dropped and followed again at once must not have two pollers.
        token = self._following[product_id] = object()
        await self._clock.sleep(self._rng.uniform(0.0, START_JITTER_S / self._rest.origin.speed))
        while self._following.get(product_id) is token:
            now = self._feed.clock.now
            if now is not None and self.books[product_id].due(now):
                if not await self._poll(product_id, now):
                    await self._clock.sleep(FAILED_PAUSE_S)
                continue
            await self._clock.sleep(self._pause_s(now))

    def forget(self, product_id: str) -> None:
        """Stop following a product and drop its book."""
        self.books.pop(product_id, None)
        self._following.pop(product_id, None)

    def restart(self) -> None:
        """Empty every book, after the venue's clock went back."""
        for product_id in self.books:
            self.books[product_id] = CandleBook(self._history_minutes)

    async def wait_until_current(self, venue_now: datetime, timeout_s: float) -> bool:
        """Wait until every book has the last closed minute, at most `timeout_s` wall seconds."""
        wanted_s = floor_s(venue_now, MINUTE_S)

        def current() -> bool:
            return all((book.known_until_s or 0) >= wanted_s for book in self.books.values())

        try:
            async with self._clock.timeout(timeout_s), self.changed:
                await self.changed.wait_for(current)
        except TimeoutError:
            return False
        return True

    async def repair(self, product_id: str, epoch: int) -> Ticker | None:
        """Fetch the quotes and trades of a product whose ticker is missing or outdated.

        Quotes are fetched before the trades since the last ticker, because trades carry no quotes:
        so the newest trade, with its side, is always among the fetched ones.

        Returns:
            The ticker to publish, or None; a product is fetched at most every `REPAIR_EVERY_S`.
        """
        if not self._may_repair(product_id, REPAIR_EVERY_S):
            return None
        gap = self._feed.gap(product_id)
        try:
            seen = await self._rest.ticker(product_id)
        except RestFailed as error:
            error.log(self._log, "repair failed", product=product_id)
            return None
        filled = None if gap is None else (await self._backfill(gap)).filled(seen)
        if filled is not None:
            seen = with_trades(seen, filled)
        received = Received(self._clock.now(), self._clock.monotonic(), epoch)
        outcome = self._feed.repair(seen, received)
        self._counters["repairs"] += 1
        if isinstance(outcome, Dropped):
            self._log.info("repair dropped", product=product_id, why=outcome.why)
        if not isinstance(outcome, Ticker):
            return None
        if filled is not None:
            self._log_backfill(product_id, filled)
        return outcome

    async def confirm(
        self, product_id: str, epoch: Callable[[], int], *, every_s: float
    ) -> Ticker | None:
        """Fetch the quotes of a product whose feed is quiet.

        Args:
            product_id: Id of the product.
            epoch: Returns the number of the connection.
            every_s: Least monotonic seconds between two requests for one product.

        Returns:
            The ticker to publish, or None if it is too early, the request failed, or the feed sent
            a ticker or lost its connection meanwhile: that one may be newer than the response.
        """
        if not self._may_repair(product_id, every_s):
            return None
        before = self._received_at(product_id), epoch()
        try:
            seen = await self._rest.ticker(product_id)
        except RestFailed as error:
            error.log(self._log, "quotes not confirmed", product=product_id)
            return None
        if before != (self._received_at(product_id), epoch()):
            return None
        # If every product is quiet, venue time comes from these responses alone.
        self._feed.clock.observe(seen.time)
        received = Received(self._clock.now(), self._clock.monotonic(), epoch())
        outcome = self._feed.repair(seen, received)
        self._counters["quotes_confirmed"] += 1
        if isinstance(outcome, Dropped):
            self._log.info("confirmation dropped", product=product_id, why=outcome.why)
        return outcome if isinstance(outcome, Ticker) else None

    def _may_repair(self, product_id: str, every_s: float) -> bool:
        """True if the last request of the product's quotes was long enough ago; notes this one."""
        now_s = self._clock.monotonic()
        if now_s - self._repaired_s.get(product_id, -every_s) < every_s:
            return False
        self._repaired_s[product_id] = now_s
        return True

    def _received_at(self, product_id: str) -> datetime | None:
        """Wall time at which the product's last ticker arrived."""
        known = self._feed.products.get(product_id)
        return known.ticker.received_at if known is not None and known.ticker else None

    async def _backfill(self, gap: TradeGap) -> Backfill:
        """Fetch the trades in a gap; those that cannot be fetched stay missing."""
        backfill = Backfill(gap)
        try:
            while not backfill.done:
                backfill.take(await self._rest.trades(gap.product_id, backfill.after))
        except RestFailed as error:
            error.log(self._log, "no trades", product=gap.product_id)
        return backfill

    def _log_backfill(self, product_id: str, filled: FilledGap) -> None:
        """Count and log the result of a backfill."""
        self._counters["trades_missed"] += filled.missed
        self._counters["trades_backfilled"] += len(filled.trades)
        unfilled = filled.unfilled
        log = self._log.warning if unfilled else self._log.info
        log(
            "trades backfilled",
            product=product_id,
            missed=filled.missed,
            backfilled=len(filled.trades),
            volume=decimal_text(filled.volume),
            last_trade_id=filled.last_trade_id,
            unfilled=[f"{first}-{last}" for first, last in unfilled[:UNFILLED_NAMED_MAX]],
        )

    async def _poll(self, product_id: str, now: datetime) -> bool:
        """Poll once, with as many requests as the range needs; return False if one failed."""
        book = self.books[product_id]
        start_s, end_s = book.request(now)
        candles: list[Candle] = []
        try:
            for first_s, last_s in pages(start_s, end_s):
                self._counters["candle_polls"] += 1
                candles += await self._rest.candles(product_id, first_s, last_s)
        except RestFailed as error:
            self._counters["candle_failures"] += 1
            error.log(self._log, "no candles", product=product_id)
            return False
        taken = book.merge(candles, end_s, now)
        self._log.debug("candles", product=product_id, taken=taken, until=end_s)
        async with self.changed:
            self.changed.notify_all()
        return True

    def _pause_s(self, now: datetime | None) -> float:
        """Wall seconds until the next minute of venue time closes, within bounds."""
        low, high = POLL_CHECK_S
        if now is None:
            return low
        left_s = MINUTE_S - now.timestamp() % MINUTE_S
        return min(max(left_s / self._rest.origin.speed, low), high)
