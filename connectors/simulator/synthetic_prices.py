"""Prices from a seed: regimes, jumps, a spread, a common factor. Pure, integers throughout.

A step moves the mid price by drift + pull + noise, in millionths: the regime gives drift and
volatility (trend up, trend down, range, volatile), a weak pull keeps the price near its first value
in a long run, and half of the noise is shared by all products of a seed. Occasionally it jumps.
The price path depends on the seed, the product and the count of steps, not on the time of day.
In a market of longer bars a step is as many steps of the minute market as it is longer: drift and
lengths of regimes are in proportion, noise grows by the square root, and volume in proportion.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from math import isqrt
from typing import Final, Literal

from arena.money import SCALE_DIGITS, from_units, to_units
from connectors.simulator.listing import ListedProduct
from connectors.simulator.noise import GAUSS_UNIT, Noise
from connectors.simulator.price_path import MINUTE_S, Tick, Trade, WholeBar
from connectors.simulator.seeded_bar import (
    MILLION,
    WORD_BITS,
    LastTrade,
    PathState,
    SeededBar,
    StepRegime,
    StepTerms,
    Words,
    play_bar,
)

EXACT_MAX: Final = 10**24
"""Bars of a larger volume in units are played step by step: sums in 28 digits are not exact."""


@dataclass(frozen=True, slots=True)
class Regime:
    """How prices behave for a while.

    Attributes:
        name: Name of the regime.
        drift_ppm: Drift per step, in millionths of the price.
        noise_ppm: Deviation per step, in millionths of the price.
        pull_steps: Steps in which a range pulls back to where it began; 0 for no pull.
        jump_every: Average number of steps from jump to jump.
    """

    name: str
    drift_ppm: int
    noise_ppm: int
    pull_steps: int
    jump_every: int


REGIMES: Final = (
    Regime("trend up", 30, 150, 0, 3_000),
    Regime("trend down", -30, 150, 0, 3_000),
    Regime("range", 0, 130, 40, 6_000),
    Regime("volatile", 0, 420, 0, 600),
)
REGIME_STEPS: Final = (120, 600)
HOME_STEPS: Final = 20_000
"""Steps of the pull to the first price; it keeps a week of market near that price."""
JUMP_PPM: Final = (4_000, 20_000)
COMMON_PCT: Final = 50
NOTIONAL_USD: Final = (5, 60_000)
QUOTED_USD: Final = (2_000, 60_000)
SIZE_DIGITS: Final = 8
FINER_DIGITS: Final = 6
"""Digits a mid price has beyond the price step, for a coin with more than eight decimals."""


@dataclass(frozen=True, slots=True)
class StepSizes:
    """What one step of a market does.

    Attributes:
        regimes: The regimes, by the step.
        regime_steps: Fewest and most steps of a regime.
        home_steps: Steps of the pull to the first price.
        volume_factor: Steps of the minute market whose volume one trade has.
    """

    regimes: tuple[Regime, ...]
    regime_steps: tuple[int, int]
    home_steps: int
    volume_factor: int


@cache
def step_sizes(factor: int) -> StepSizes:
    """The sizes of a step that is `factor` steps of the minute market long.

    A regime that is shorter than a step lasts one step, with the net drift of the regimes in it; a
    range that pulls back within a step keeps the noise around its anchor; jumps come once a step at
    most.
    """
    usual = sum(REGIME_STEPS) // 2
    drift = factor if factor <= usual else isqrt(factor * usual)
    regimes = []
    for one in REGIMES:
        noise = factor if not one.pull_steps else min(factor, max(1, one.pull_steps // 2))
        regimes.append(
            replace(
                one,
                drift_ppm=one.drift_ppm * drift,
                noise_ppm=isqrt(one.noise_ppm**2 * noise),
                pull_steps=one.pull_steps and max(1, one.pull_steps // factor),
                jump_every=max(1, one.jump_every // factor),
            )
        )
    least, most = REGIME_STEPS
    return StepSizes(
        tuple(regimes),
        (max(1, least // factor), max(1, most // factor)),
        max(1, HOME_STEPS // factor),
        factor,
    )


class SyntheticPricePath:
    """An endless price path of one product.

    Args:
        product: The product.
        seed: The seed of the market.
        bar_s: Length of the market's bars in seconds.

    Attributes:
        regime: The current regime.
    """

    def __init__(self, product: ListedProduct, seed: int, bar_s: int = MINUTE_S) -> None:
        """Start at the product's first price."""
        factor = bar_s // MINUTE_S
        self._sizes = step_sizes(factor)
        quiet = 1000 - product.trades_per_mille
        self._trades_per_mille = 1000 - quiet**factor // 1000 ** (factor - 1)
        self._ahead: Tick | None = None
        self._before: PathState | None = None
        self._bar: SeededBar | None = None
        self._taken: SeededBar | None = None
        self._traded: LastTrade | None = None
        self.product = product
        self._own = Noise(seed, product.product_id)
        self._words = Words(self._own)
        self._market = Noise(seed, "the market")
        step = product.quote_increment.normalize()
        decimals = -int(step.as_tuple().exponent)
        self._digits = SCALE_DIGITS if decimals <= SCALE_DIGITS else decimals + FINER_DIGITS
        self._home = self._mid = self._anchor = int(product.price.scaleb(self._digits))
        self._increment = int(step.scaleb(self._digits))
        self._left = 0
        self._regime = 0
        self._terms = self._step_terms()

    @property
    def regime(self) -> Regime:
        """The current regime."""
        return self._sizes.regimes[self._regime]

    def step(self, at_s: int) -> Tick:
        """The next tick; the time of day is not used."""
        tick, self._ahead = self._ahead or self._next(), None
        return tick

    def open_tick(self, at_s: int) -> Tick:
        """The tick of the next step, without the size of its trade."""
        if self._ahead is None:
            self._before = self._state()
            self._ahead = self._next()
        trade = self._ahead.trade
        return replace(self._ahead, trade=trade and replace(trade, size=Decimal(0)))

    def _next(self) -> Tick:
        self._choose_regime()
        self._mid = max(self._increment * 2, self._mid + self._move())
        spread = max(self._increment, self._mid * self.product.spread_bps // 10_000)
        spread += spread * self._own.below(60) // 100
        bid = (self._mid - spread // 2) // self._increment * self._increment
        bid = max(self._increment, bid)
        ask = max(bid + self._increment, -(-(bid + spread) // self._increment) * self._increment)
        return Tick(
            bid=self._price(bid),
            ask=self._price(ask),
            bid_size=self._size(*QUOTED_USD),
            ask_size=self._size(*QUOTED_USD),
            trade=self._trade(bid, ask),
        )

    def whole_bar(self, at_s: int) -> WholeBar | None:
        """All steps of the next bar; None if its last step changes nothing."""
        state = self._state() if self._ahead is None or self._before is None else self._before
        bar = self._bar = play_bar(self._terms, state, self._words, self._market)
        if not bar.moved or bar.volume > EXACT_MAX:
            return None
        trades = None
        if bar.prices:
            prices = (bar.prices[0], max(bar.prices), min(bar.prices), bar.prices[-1])
            open_, high, low, close = map(self._price, prices)
            trades = (open_, high, low, close, from_units(bar.volume))
        unit, (least, most) = 10.0**-self._digits, bar.span
        widest = 2 * (most * self.product.spread_bps // 10_000 + 2 * self._increment)
        return WholeBar(
            trades,
            least * unit,
            most * unit,
            widest * unit,
            sum(bar.quotes) * unit / 2,
            len(bar.prices),
        )

    def take_bar(self, at_s: int, bar: WholeBar) -> None:
        """Move on by the bar that `whole_bar` gave last."""
        played = self._taken = self._bar
        assert played is not None, "a bar is taken that was not played"
        self._ahead = None
        own, market, self._mid, self._anchor, self._left, self._regime = played.state
        self._own.move_to(own)
        self._market.move_to(market)
        self._traded = played.trade or self._traded

    @property
    def last(self) -> Tick | None:
        """The tick of the last step of the newest whole bar, with the newest trade."""
        if self._taken is None:
            return None
        bid, ask = map(self._price, self._taken.quotes)
        one, two, three, four = (word * 1000 >> WORD_BITS for word in self._taken.quoted)
        trade = None
        if (traded := self._traded) is not None:
            side: Literal["buy", "sell"] = "buy" if traded.is_buy else "sell"
            trade = Trade(self._price(traded.price), from_units(traded.size), side)
        return Tick(
            bid=bid,
            ask=ask,
            bid_size=self._sized(*QUOTED_USD, one * two),
            ask_size=self._sized(*QUOTED_USD, three * four),
            trade=trade,
        )

    def has_bar(self, at_s: int) -> bool:
        """True for every bar."""
        return True

    def _choose_regime(self) -> None:
        if self._left == 0:
            self._regime = self._own.below(len(REGIMES))
            self._left = self._own.between(*self._sizes.regime_steps)
            self._anchor = self._mid
        self._left -= 1

    def _move(self) -> int:
        """The change of the mid price in units."""
        regime = self.regime
        shared = self._market.gauss() * COMMON_PCT + self._own.gauss() * (100 - COMMON_PCT)
        noise = regime.noise_ppm * self.product.volatility_pct * shared // (100 * 100 * GAUSS_UNIT)
        drift = regime.drift_ppm * self.product.volatility_pct // 100
        moved = self._mid * (noise * 141 // 100 + drift) // MILLION
        moved += (self._home - self._mid) // self._sizes.home_steps
        if regime.pull_steps:
            moved += (self._anchor - self._mid) // regime.pull_steps
        if self._own.below(regime.jump_every) == 0:
            sign = 1 if self._own.below(2) else -1
            moved += sign * self._mid * self._own.between(*JUMP_PPM) // MILLION
        return moved

    def _trade(self, bid: int, ask: int) -> Trade | None:
        if self._own.below(1000) >= self._trades_per_mille:
            return None
        side: Literal["buy", "sell"] = "buy" if self._own.below(2) else "sell"
        price = self._price(ask if side == "buy" else bid)
        factor = self._sizes.volume_factor
        return Trade(price, self._size(*(usd * factor for usd in NOTIONAL_USD)), side)

    def _price(self, units: int) -> Decimal:
        """Units as a price with as many digits as its increment."""
        return Decimal(units).scaleb(-self._digits).quantize(self.product.quote_increment)

    def _size(self, low_usd: int, high_usd: int) -> Decimal:
        """Base units worth between `low_usd` and `high_usd`, in whole base increments."""
        return self._sized(low_usd, high_usd, self._own.below(1000) * self._own.below(1000))

    def _sized(self, low_usd: int, high_usd: int, share: int) -> Decimal:
        """The same at a share of the span, in millionths."""
        usd = low_usd + (high_usd - low_usd) * share // MILLION
        units = usd * 10 ** (SIZE_DIGITS + self._digits) // self._mid
        step = to_units(self.product.base_increment)
        return from_units(max(step, units // step * step))

    def _state(self) -> PathState:
        own, market = self._own.position, self._market.position
        return PathState(own, market, self._mid, self._anchor, self._left, self._regime)

    def _step_terms(self) -> StepTerms:
        """The terms of whole bars."""
        sizes, volatility = self._sizes, self.product.volatility_pct
        low, high = (usd * sizes.volume_factor for usd in NOTIONAL_USD)
        least, most = sizes.regime_steps
        return StepTerms(
            regimes=tuple(
                StepRegime(
                    one.noise_ppm * volatility,
                    one.drift_ppm * volatility // 100,
                    one.pull_steps,
                    (2**WORD_BITS - 1) // one.jump_every,
                )
                for one in sizes.regimes
            ),
            regime_steps=(least, most - least + 1),
            home=(self._home, sizes.home_steps),
            jump_ppm=(JUMP_PPM[0], JUMP_PPM[1] - JUMP_PPM[0] + 1),
            common_pct=COMMON_PCT,
            increment=self._increment,
            spread_bps=self.product.spread_bps,
            trades_below=-(-(self._trades_per_mille << WORD_BITS) // 1000),
            sizes=(
                (low, high - low),
                10 ** (SIZE_DIGITS + self._digits),
                to_units(self.product.base_increment),
            ),
        )
