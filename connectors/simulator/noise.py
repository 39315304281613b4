"""Seeded random integers that are the same on every machine and Python (splitmix64). Pure.

Generator: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.
"""

from functools import cache, lru_cache
from hashlib import blake2b
from struct import Struct
from sys import byteorder
from typing import Final

_MASK: Final = 2**64 - 1
_GAMMA: Final = 0x9E3779B97F4A7C15
_GAMMA_INVERSE: Final = pow(_GAMMA, -1, 2**64)
GAUSS_UNIT: Final = 1000
"""One standard deviation of `Noise.gauss`."""
_MEAN: Final = 8 * 65535 // 2
_DEVIATION: Final = 53510
"""Standard deviation of the sum of eight uniform 16-bit numbers: 65536 * sqrt(8 / 12)."""


LANES_MAX: Final = 768
"""Most numbers that are drawn at once."""
_ALL_LANES: Final = Struct("<" + "Q8x" * LANES_MAX)
BLOCKS_KEPT: Final = 64
"""Blocks of normal numbers that are kept, because the products of a seed share them."""


@cache
def _lanes(count: int) -> tuple[int, int, int]:
    """For `count` parts of 128 bits: ones, the multiples of gamma from 1 on, and masks of 64."""
    ones = sum(1 << 128 * i for i in range(count))
    gammas = sum((_GAMMA * (i + 1) & _MASK) << 128 * i for i in range(count))
    return ones, gammas, ones * _MASK


def _mixed(state: int, lanes: int) -> int:
    """The numbers that follow a state, side by side in one integer, each with 128 bits.

    Ten times as fast as one by one; 128 bits are enough for any product.
    """
    ones, gammas, mask = _lanes(lanes)
    z = (state * ones + gammas) & mask
    z = (z ^ (z >> 30 & mask)) * 0xBF58476D1CE4E5B9 & mask
    z = (z ^ (z >> 27 & mask)) * 0x94D049BB133111EB & mask
    return z ^ (z >> 31 & mask)


def _separate(numbers: int) -> tuple[int, ...]:
    """The `LANES_MAX` numbers of an integer."""
    return _ALL_LANES.unpack(numbers.to_bytes(_ALL_LANES.size, "little"))


def normal(one: int, other: int) -> int:
    """A nearly normal number from two numbers of 64 bits: the sum of their eight parts."""
    total = (one & 0xFFFF) + (one >> 16 & 0xFFFF) + (one >> 32 & 0xFFFF) + (one >> 48)
    total += (other & 0xFFFF) + (other >> 16 & 0xFFFF) + (other >> 32 & 0xFFFF) + (other >> 48)
    return (total - _MEAN) * GAUSS_UNIT // _DEVIATION


class Noise:
    """An endless stream of random integers.

    Args:
        parts: Values that name the stream, such as a seed and a product; equal parts give equal
            streams.
    """

    def __init__(self, *parts: object) -> None:
        """Start the stream that `parts` name."""
        digest = blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
        self._state = self._first = int.from_bytes(digest, "big")

    @property
    def position(self) -> int:
        """How many numbers of 64 bits were drawn."""
        return (self._state - self._first) * _GAMMA_INVERSE & _MASK

    def move_to(self, position: int) -> None:
        """Continue as if so many numbers had been drawn."""
        self._state = (self._first + _GAMMA * position) & _MASK

    def block(self, position: int) -> tuple[int, ...]:
        """`LANES_MAX` numbers of 64 bits from a position on; nothing is drawn."""
        return _separate(_mixed(self._first + _GAMMA * position & _MASK, LANES_MAX))

    def normals(self, position: int, count: int) -> list[int]:
        """What `count` calls of `gauss` would return from an even position on; nothing is drawn."""
        found: list[int] = []
        while len(found) < count:
            block, skipped = divmod(position // 2 + len(found), LANES_MAX // 2)
            found += _normal_block(self._first, block)[skipped:]
        return found[:count]

    def bits(self) -> int:
        """The next 64 bits."""
        self._state = (self._state + _GAMMA) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def below(self, bound: int) -> int:
        """A number from 0 to `bound` - 1."""
        return (self.bits() * bound) >> 64

    def between(self, low: int, high: int) -> int:
        """A number from `low` to `high`, both inclusive."""
        return low + self.below(high - low + 1)

    def sum_between(self, low: int, high: int, count: int) -> int:
        """The sum of `count` numbers of `between`, drawn at once."""
        total = low * count
        while count > 0:
            lanes = min(count, LANES_MAX)
            mask = _lanes(lanes)[2]
            numbers = (_mixed(self._state, lanes) * (high - low + 1)) >> 64 & mask
            words = memoryview(numbers.to_bytes(16 * lanes, byteorder)).cast("Q")
            total += sum(words.tolist())
            self._state = (self._state + _GAMMA * lanes) & _MASK
            count -= lanes
        return total

    def gauss(self) -> int:
        """A nearly normal number around 0, in `GAUSS_UNIT`s per deviation (eight uniforms)."""
        return normal(self.bits(), self.bits())


@lru_cache(maxsize=BLOCKS_KEPT)
def _normal_block(first: int, number: int) -> list[int]:
    """A block of normal numbers of the stream with a first state."""
    stream = Noise()
    stream._first = first
    words = stream.block(number * LANES_MAX)
    return [normal(one, other) for one, other in zip(words[::2], words[1::2], strict=True)]
