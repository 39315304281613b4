"""Costs of model calls: tokens times the prices in `prices.json`, in `Decimal`.

A model that is not in the list has no known price, and its cost is None, never zero. A chat node
can be given the price of its model (`price_per_million`), which overrides the list. Pure except for
`load_prices`, which reads the file beside this module.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

import orjson

from arena.money import parse_decimal

PRICES_FILE = Path(__file__).with_name("prices.json")
MILLION = 1_000_000
COST_STEP = Decimal("1E-9")
"""Costs are rounded to billionths of a dollar."""
PRICE_MAX = Decimal(1_000_000)
"""USD per million tokens; a higher price is a mistake."""
PRICE_KEYS = ("input", "output", "cached")
EVERY_MODEL = ("*",)


class CountedTokens(Protocol):
    """The tokens of a call; cached ones are part of the prompt."""

    @property
    def prompt(self) -> int:
        """Tokens of the prompt."""
        ...

    @property
    def cached(self) -> int:
        """Prompt tokens that the provider found in its cache."""
        ...

    @property
    def completion(self) -> int:
        """Tokens of the answer, reasoning included."""
        ...


@dataclass(frozen=True, slots=True)
class Price:
    """Prices of a model in USD per million tokens.

    Attributes:
        models: Model ids, with `*` as in a shell; the first entry that matches counts.
        cached: Price of prompt tokens that the provider found in its cache.
        source: Source of the prices, and their date.
    """

    models: tuple[str, ...]
    prompt: Decimal
    cached: Decimal
    completion: Decimal
    source: str

    def cost_usd(self, tokens: CountedTokens) -> Decimal:
        """Cost of a call in USD; reasoning tokens are part of the completion tokens."""
        fresh = tokens.prompt - tokens.cached
        total = fresh * self.prompt + tokens.cached * self.cached
        total += tokens.completion * self.completion
        return (total / MILLION).quantize(COST_STEP, ROUND_HALF_EVEN)


class PriceList:
    """Prices by model id."""

    def __init__(self, prices: tuple[Price, ...]) -> None:
        """Take the prices, in their order."""
        self.prices = prices

    def of(self, model_id: str) -> Price | None:
        """The price of a model; None if unknown."""
        for price in self.prices:
            if any(fnmatchcase(model_id, pattern) for pattern in price.models):
                return price
        return None


def own_price(prompt: Decimal, completion: Decimal, cached: Decimal | None = None) -> Price:
    """A price given by the operator of a chat node, in USD per million tokens.

    Args:
        prompt: Price of input.
        completion: Price of output.
        cached: Price of cached input; None for the price of other input.
    """
    return Price(EVERY_MODEL, prompt, prompt if cached is None else cached, completion, "as given")


def parse_own_price(text: str) -> Price:
    """Parse a price such as `input=0.1,output=0.4` or `input=0.1,output=0.4,cached=0.05`.

    Raises:
        ValueError: The text is not such a price.
    """
    example = "write input=0.1,output=0.4 in USD per million tokens; cached=... is optional"
    found: dict[str, Decimal] = {}
    for part in text.split(","):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or key not in PRICE_KEYS or key in found:
            raise ValueError(f"{part.strip()!r} is not one of input=, output=, cached=; {example}")
        try:
            found[key] = parse_decimal(value)
        except ValueError:
            raise ValueError(f"{key} is {value!r}, not a number; {example}") from None
        if not 0 <= found[key] <= PRICE_MAX:
            raise ValueError(f"{key} is {value}, not between 0 and {PRICE_MAX:,}; {example}")
    if "input" not in found or "output" not in found:
        missing = "input" if "input" not in found else "output"
        raise ValueError(f"{missing} is missing; {example}")
    return own_price(found["input"], found["output"], found.get("cached"))


def parse_prices(text: bytes) -> PriceList:
    """Parse a `prices.json`.

    Raises:
        ValueError: An entry cannot be read; the message names it.
    """
    found = orjson.loads(text)
    prices = []
    for entry in found["prices"]:
        try:
            usd = entry["usd_per_million_tokens"]
            prices.append(
                Price(
                    models=tuple(entry["models"]),
                    prompt=parse_decimal(usd["prompt"]),
                    cached=parse_decimal(usd["cached"]),
                    completion=parse_decimal(usd["completion"]),
                    source=f"{entry['source']}, {entry['as_of']}",
                )
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"price entry {entry!r} lacks {error}") from None
    return PriceList(tuple(prices))


def load_prices() -> PriceList:
    """Load the prices that are shipped with the arena."""
    return parse_prices(PRICES_FILE.read_bytes())
