"""Plays a market bar by bar into a feed, with the same result as step by step. Pure.

Nothing looks inside a bar, so only the state at its end counts. A bar whose tickers the feed would
all accept is folded at once; any other is played in its steps. Of the tickers in a row only the
last one before a snapshot is made.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from connectors.market.feed import Feed, ProductFeed, Received
from connectors.market.lockstep.market_events import ticker_seen
from connectors.simulator.price_path import WholeBar
from connectors.simulator.simulated_market import ProductState, SimulatedMarket

EPOCH: Final = 1
NEAR: Final = 0.06
"""If all mid prices of a bar are this near the last close, none is far from another one, also if
the last mid price was beside it (`MOVE_BAND` of `connectors.market.sanity`)."""
BESIDE: Final = 0.02
"""If a price is this near the mid price, it is not far from the spread (`PRICE_BAND`)."""


class BarPlayer:
    """Advances a market and folds its tickers.

    Args:
        market: The market.
        feed: The feed.
        whole: False to play every step, as tests do.
    """

    def __init__(self, market: SimulatedMarket, feed: Feed, *, whole: bool = True) -> None:
        """Take the market and the feed."""
        self._market = market
        self._feed = feed
        self._whole = whole
        self._quotes: dict[str, tuple[Decimal, Decimal]] = {}
        self._mids: dict[str, float] = {}  # product -> about its last mid price, while one is due
        self._due: dict[str, int] = {}  # product -> venue time of a ticker that is not made yet

    def play(self, until_s: int) -> None:
        """Play to a venue time in Unix seconds, at most to the end of the bar.

        Args:
            until_s: A multiple of the market's step.
        """
        market, begin_s = self._market, self._market.now_s
        end_s = begin_s - begin_s % market.bar_s + market.bar_s
        if begin_s % market.bar_s or until_s < end_s:
            end_s = min(end_s, until_s)
            self._make_all_due()
            while market.now_s < end_s:
                market.advance(market.now_s + market.step_s)
                self.fold_tickers()
            return
        for product_id, state in market.products.items():
            market.now_s = begin_s
            bar = state.price_path.whole_bar(begin_s) if self._whole else None
            if bar is None or not self._fits(product_id, bar):
                self._play_steps(product_id, state, end_s)
                continue
            if bar.is_quiet:
                self._make_due(product_id)
                state.fold_bar(bar, begin_s)
                state.settle(end_s - market.step_s)
                continue
            state.price_path.take_bar(begin_s, bar)
            state.fold_bar(bar, begin_s)
            self._due[product_id] = end_s
        market.now_s = end_s

    def fold_tickers(self) -> None:
        """Fold a ticker of each product that traded, or whose quotes moved."""
        self._make_all_due()
        for product_id, state in self._market.products.items():
            self._fold_ticker(product_id, state)

    def _fits(self, product_id: str, bar: WholeBar) -> bool:
        """True if the feed would accept every ticker of the bar; notes its last mid price."""
        if bar.is_quiet:
            return True
        mid = self._mids.get(product_id)
        if mid is None:
            known: ProductFeed | None = self._feed.products.get(product_id)
            if known is None or known.suspect is not None or known.last_mid is None:
                return False
            mid = float(known.last_mid)
        near = mid * (1 - NEAR) <= bar.low and bar.high <= mid * (1 + NEAR)
        if not near or bar.distance > BESIDE * mid:
            return False
        self._mids[product_id] = bar.mid
        return True

    def _play_steps(self, product_id: str, state: ProductState, end_s: int) -> None:
        """Play the steps of one product."""
        self._make_due(product_id)
        market = self._market
        while market.now_s < end_s:
            tick = state.price_path.step(market.now_s)
            if tick is not None:
                state.fold(tick, market.now_s)
            market.now_s += market.step_s
            self._fold_ticker(product_id, state)

    def _make_all_due(self) -> None:
        for product_id in list(self._due):
            self._make_due(product_id)

    def _make_due(self, product_id: str) -> None:
        """Make the ticker of the last bar, with the state and the time of its end."""
        at_s = self._due.pop(product_id, None)
        if at_s is None:
            return
        market, state = self._market, self._market.products[product_id]
        now_s, market.now_s = market.now_s, at_s
        state.settle(at_s - market.step_s)
        del self._mids[product_id]
        if state.tick is not None:
            # All tickers before it are as near to each other: the feed need not see them.
            self._feed.products[product_id].last_mid = (state.tick.bid + state.tick.ask) / 2
        self._fold_ticker(product_id, state)
        market.now_s = now_s

    def _fold_ticker(self, product_id: str, state: ProductState) -> None:
        if state.tick is None:
            return
        quotes = (state.tick.bid, state.tick.ask)
        if not state.changed and quotes == self._quotes.get(product_id):
            return
        state.changed = False
        self._quotes[product_id] = quotes
        seen = ticker_seen(self._market, product_id)
        if seen is not None:
            now_s = self._market.now_s
            at = datetime.fromtimestamp(now_s, UTC)
            self._feed.apply(seen, Received(at, float(now_s), EPOCH))
