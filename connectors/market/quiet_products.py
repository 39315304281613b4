"""Confirms the quotes of quiet products by REST, for a venue whose feed sends no heartbeats.

On such a feed a product without news sends nothing, so its last ticker says nothing about now. When
it was not confirmed for `confirm_after_s`, its quotes are requested, each product in its own task:
a slow request does not delay the others.
"""

from collections.abc import Callable, Iterable
from typing import Final

from arena.clock import Clock
from arena.messages import Ticker
from arena.tasks import task_group
from connectors.market.feed import Feed
from connectors.market.refresh import Refresher

CHECK_S: Final = 0.5


class QuietProducts:
    """Requests the quotes of products that are quiet.

    Args:
        confirm_after_s: Monotonic seconds without a confirmation before quotes are requested.
        products: Returns the ids of the followed products.
        epoch: Returns the number of the connection.
        feed: Knows when a product was last confirmed.
        refresher: Requests the quotes.
        on_ticker: Gets the tickers.
        clock: Monotonic time.
    """

    def __init__(
        self,
        confirm_after_s: float,
        *,
        products: Callable[[], Iterable[str]],
        epoch: Callable[[], int],
        feed: Feed,
        refresher: Refresher,
        on_ticker: Callable[[Ticker], None],
        clock: Clock,
    ) -> None:
        """Create the confirmer; call `run`."""
        self._after_s = confirm_after_s
        self._products = products
        self._epoch = epoch
        self._feed = feed
        self._refresher = refresher
        self._on_ticker = on_ticker
        self._clock = clock
        self._running: set[str] = set()

    async def run(self) -> None:
        """Check twice a second until cancelled."""
        async with task_group() as tasks:
            while True:
                await self._clock.sleep(CHECK_S)
                for product_id in self.due(self._clock.monotonic()):
                    self._running.add(product_id)
                    tasks.create_task(self._confirm(product_id))

    def due(self, now_s: float) -> list[str]:
        """The products whose quotes must be requested now."""
        ages = {
            product_id: self._feed.age_s(product_id, now_s)
            for product_id in self._products()
            if product_id not in self._running
        }
        return [
            product_id
            for product_id, age_s in ages.items()
            if age_s is None or age_s > self._after_s
        ]

    async def _confirm(self, product_id: str) -> None:
        try:
            ticker = await self._refresher.confirm(product_id, self._epoch, every_s=self._after_s)
            if ticker is not None:
                self._on_ticker(ticker)
        finally:
            self._running.discard(product_id)
