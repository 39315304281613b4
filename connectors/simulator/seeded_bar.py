"""All steps of a bar of seeded prices at once, in integers. Pure.

It draws the numbers that `SyntheticPricePath` draws step by step, in the same order, and leaves out
what no snapshot shows: sizes of quotes inside the bar, and all decimals.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from connectors.simulator.noise import GAUSS_UNIT, LANES_MAX, Noise, normal
from connectors.simulator.price_path import STEPS

MILLION: Final = 1_000_000
WORDS_MAX: Final = 16 * STEPS
"""Most numbers that the steps of a bar draw."""
WORD_BITS: Final = 64
HALF: Final = 1 << (WORD_BITS - 1)


@dataclass(frozen=True, slots=True)
class StepRegime:
    """A regime with what a step multiplies and compares.

    Attributes:
        noise: Factor of a normal number.
        drift_ppm: Drift in millionths of the price.
        pull_steps: Steps in which a range pulls back; 0 for no pull.
        jump_below: A number of 64 bits up to this one means a jump.
    """

    noise: int
    drift_ppm: int
    pull_steps: int
    jump_below: int


@dataclass(frozen=True, slots=True)
class StepTerms:
    """What does not change from step to step.

    Attributes:
        regimes: The regimes.
        regime_steps: Fewest steps of a regime, and the number of possible lengths.
        home: The first price in units, and the steps of the pull to it.
        jump_ppm: Smallest jump in millionths, and the number of possible sizes.
        common_pct: Share of the noise that all products have.
        increment: Price step in units.
        spread_bps: Usual spread.
        trades_below: A number of 64 bits below this one means a trade.
        sizes: Smallest notional of a trade and the span to the largest, in USD; size units of one
            USD, times the price in units; size step in units.
    """

    regimes: tuple[StepRegime, ...]
    regime_steps: tuple[int, int]
    home: tuple[int, int]
    jump_ppm: tuple[int, int]
    common_pct: int
    increment: int
    spread_bps: int
    trades_below: int
    sizes: tuple[tuple[int, int], int, int]

    def next_regime(self, which: int, how_long: int) -> tuple[int, int]:
        """The number and the length of a regime, from two numbers of 64 bits."""
        least, lengths = self.regime_steps
        number = which * len(self.regimes) >> WORD_BITS
        return number, least + (how_long * lengths >> WORD_BITS)

    def jump(self, mid: int, direction: int, how_far: int) -> int:
        """A jump of the mid price, from two numbers of 64 bits."""
        least, sizes = self.jump_ppm
        ppm = least + (how_far * sizes >> WORD_BITS)
        return (1 if direction >= HALF else -1) * mid * ppm // MILLION


class PathState(NamedTuple):
    """Where a price path is between two steps.

    Attributes:
        own: Numbers that were drawn from its own stream.
        market: The same of the stream of all products.
        mid: Mid price in units.
        anchor: Mid price at which the regime began.
        left: Steps left of the regime.
        regime: Number of the regime.
    """

    own: int
    market: int
    mid: int
    anchor: int
    left: int
    regime: int


class LastTrade(NamedTuple):
    """The newest trade of a bar: price and size in units, and its side."""

    price: int
    size: int
    is_buy: bool


@dataclass(frozen=True, slots=True)
class SeededBar:
    """What the steps of a bar give, in units.

    Attributes:
        state: The state after them.
        quotes: Last bid and ask.
        quoted: The four numbers of the sizes of the last quotes.
        moved: True if the last step trades, or has other quotes than the step before.
        span: Lowest bid or earlier mid price, and highest ask.
        prices: The price of each trade.
        volume: Sum of the sizes of the trades.
        trade: The newest trade; None without any.
    """

    state: PathState
    quotes: tuple[int, int]
    quoted: Sequence[int]
    moved: bool
    span: tuple[int, int]
    prices: Sequence[int]
    volume: int
    trade: LastTrade | None


class Words:
    """The next numbers of a stream, drawn in blocks.

    Args:
        stream: The stream; its position does not move.
    """

    def __init__(self, stream: Noise) -> None:
        """Take the stream."""
        self._stream = stream
        self._first = 0
        self._words: list[int] = []

    def since(self, position: int) -> tuple[list[int], int]:
        """A list with at least `WORDS_MAX` numbers from a position on, and the index of that."""
        end = self._first + len(self._words)
        if self._first <= position and position + WORDS_MAX <= end:
            return self._words, position - self._first
        if self._first <= position <= end:
            del self._words[: position - self._first]
        else:
            self._words, end = [], position
        self._first = position
        while len(self._words) < WORDS_MAX + LANES_MAX:
            self._words += self._stream.block(end)
            end += LANES_MAX
        return self._words, 0


def play_bar(terms: StepTerms, state: PathState, words: Words, market: Noise) -> SeededBar:
    """Play `STEPS` steps from a state; nothing but the result changes.

    Args:
        terms: The terms of the product.
        state: The state before the bar.
        words: The numbers of the product's stream.
        market: The stream of all products.
    """
    drawn, at = words.since(state.own)
    begun = at
    _, _, mid, anchor, left, number = state
    regime, (home, home_steps) = terms.regimes[number], terms.home
    common, own_share = terms.common_pct, 100 - terms.common_pct
    increment, spread_bps, trades_below = terms.increment, terms.spread_bps, terms.trades_below
    (low_usd, span_usd), size_units, size_step = terms.sizes
    quotes = before = (0, 0)
    least, most, volume, size, close, lowest = mid, 0, 0, 0, 0, increment * 2
    closes: list[int] = []
    is_trade = is_buy = False
    for shared in market.normals(state.market, STEPS):
        if left == 0:
            number, left = terms.next_regime(drawn[at], drawn[at + 1])
            regime, anchor = terms.regimes[number], mid
            at += 2
        left -= 1
        both = shared * common + normal(drawn[at], drawn[at + 1]) * own_share
        noise = regime.noise * both // (100 * 100 * GAUSS_UNIT)
        moved = mid * (noise * 141 // 100 + regime.drift_ppm) // MILLION
        moved += (home - mid) // home_steps
        if regime.pull_steps:
            moved += (anchor - mid) // regime.pull_steps
        at += 3
        if drawn[at - 1] <= regime.jump_below:
            moved += terms.jump(mid, drawn[at], drawn[at + 1])
            at += 2
        mid += moved if mid + moved > lowest else lowest - mid
        spread = mid * spread_bps // 10_000
        spread = spread if spread > increment else increment
        spread += spread * (drawn[at] * 60 >> WORD_BITS) // 100
        bid = (mid - spread // 2) // increment * increment
        bid = bid if bid > increment else increment
        ask = -(-(bid + spread) // increment) * increment  # spread >= increment: above the bid
        before, quotes = quotes, (bid, ask)
        least = least if least < bid else bid
        most = most if most > ask else ask
        is_trade = drawn[at + 5] < trades_below
        at += 6
        if not is_trade:
            continue
        is_buy = drawn[at] >= HALF
        close = ask if is_buy else bid
        share = (drawn[at + 1] * 1000 >> WORD_BITS) * (drawn[at + 2] * 1000 >> WORD_BITS)
        units = (low_usd + span_usd * share // MILLION) * size_units // mid
        size = units // size_step * size_step or size_step
        at += 3
        volume += size
        closes.append(close)
    quoted = at - 8 if is_trade else at - 5
    return SeededBar(
        PathState(state.own + at - begun, state.market + 2 * STEPS, mid, anchor, left, number),
        quotes,
        drawn[quoted : quoted + 4],
        is_trade or quotes != before,
        (least, most),
        closes,
        volume,
        LastTrade(close, size, is_buy) if closes else None,
    )
