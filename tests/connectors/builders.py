"""Events, candles and clocks for the tests of connectors."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from arena.messages import Candle
from arena.pricefiles.read import read_price_file
from connectors.market.events import HeartbeatSeen, TickerSeen
from connectors.market.feed import Received
from connectors.simulator.recorded_prices import RecordedPricePath, price_path_of
from connectors.simulator.run import ExchangeOptions, open_market
from connectors.simulator.simulated_market import SimulatedMarket

FIXTURES = Path(__file__).parent / "fixtures"
T0 = datetime(2026, 9, 10, 0, 0, tzinfo=UTC)


def build_market(options: ExchangeOptions, now: datetime) -> SimulatedMarket:
    """The market of an exchange that starts at this time."""
    return open_market(options, now).market


def load_price_path(path: Path, product_id: str) -> RecordedPricePath:
    """The price path of a file of candles."""
    return price_path_of(read_price_file(path, product_id))


def ticker(
    price: str = "100",
    *,
    sequence: int = 1,
    product: str = "BTC-USD",
    bid: str | None = None,
    ask: str | None = None,
    trade_id: int | None = None,
    at: datetime | None = T0,
) -> TickerSeen:
    """A ticker with a tight spread around its price."""
    middle = Decimal(price)
    return TickerSeen(
        product_id=product,
        price=middle,
        best_bid=Decimal(bid) if bid else middle * Decimal("0.999"),
        best_ask=Decimal(ask) if ask else middle * Decimal("1.001"),
        sequence=sequence,
        time=at,
        trade_id=trade_id,
    )


def heartbeat(
    last_trade_id: int = 0, *, product: str = "BTC-USD", at: datetime = T0
) -> HeartbeatSeen:
    """A heartbeat."""
    return HeartbeatSeen(product, sequence=1, last_trade_id=last_trade_id, time=at)


def received(monotonic_s: float = 0.0, *, epoch: int = 1) -> Received:
    """A moment `monotonic_s` seconds after `T0`, by the wall and the monotonic clock."""
    return Received(T0 + timedelta(seconds=monotonic_s), monotonic_s, epoch)


def candle(start_s: int, close: str = "10", *, volume: str = "1") -> Candle:
    """A flat candle."""
    price = Decimal(close)
    start = datetime.fromtimestamp(start_s, UTC)
    return Candle(
        start=start, open=price, high=price, low=price, close=price, volume=Decimal(volume)
    )


class FastClock:
    """The machine's clock, `factor` times as fast, so that tests need not wait as long."""

    def __init__(self, factor: float) -> None:
        """Start a clock that runs `factor` times as fast."""
        self.factor = factor
        self._wall = datetime.now(UTC)
        self._start_s = time.monotonic()

    def now(self) -> datetime:
        """The start plus the seconds of this clock."""
        return self._wall + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Seconds of this clock since its start."""
        return (time.monotonic() - self._start_s) * self.factor

    def boot_s(self) -> float:
        """Seconds of this clock since its start."""
        return self.monotonic()

    async def sleep(self, delay_s: float) -> None:
        """Sleep `delay_s` seconds of this clock."""
        await asyncio.sleep(delay_s / self.factor)

    def timeout(self, delay_s: float | None) -> asyncio.Timeout:
        """Limit a block to seconds of the machine's clock, because it waits for real sockets."""
        return asyncio.timeout(delay_s)
