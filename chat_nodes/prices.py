"""What a call costs: tokens times the prices in `prices.json`, in `Decimal`.

A model that is not in the list has no known price, and its cost is None, never zero. Pure but for
`load_prices`, which reads the file beside it.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from fnmatch import fnmatchcase
from pathlib import Path

import orjson

from arena.money import parse_decimal
from chat_nodes.decode import Tokens

PRICES_FILE = Path(__file__).with_name("prices.json")
MILLION = 1_000_000
COST_STEP = Decimal("1E-9")
"""Costs are kept in whole billionths of a dollar."""


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens.

    Attributes:
        models: Model ids, with `*` as in a shell; the first entry that matches counts.
        cached: Of prompt tokens that the provider found in its cache.
        source: Where the figures come from, in words, and as of which day.
    """

    models: tuple[str, ...]
    prompt: Decimal
    cached: Decimal
    completion: Decimal
    source: str

    def cost_usd(self, tokens: Tokens) -> Decimal:
        """USD of a call; reasoning tokens are part of the completion tokens."""
        fresh = tokens.prompt - tokens.cached
        total = fresh * self.prompt + tokens.cached * self.cached
        total += tokens.completion * self.completion
        return (total / MILLION).quantize(COST_STEP, ROUND_HALF_EVEN)


class PriceList:
    """Prices by model id."""

    def __init__(self, prices: tuple[Price, ...]) -> None:
        """Keep the prices in their order."""
        self.prices = prices

    def of(self, model_id: str) -> Price | None:
        """The price of a model, None where it is unknown."""
        for price in self.prices:
            if any(fnmatchcase(model_id, pattern) for pattern in price.models):
                return price
        return None


def parse_prices(text: bytes) -> PriceList:
    """The prices in a `prices.json`.

    Raises:
        ValueError: It is no such file; the message names the entry.
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
    """The prices that come with the chat node."""
    return parse_prices(PRICES_FILE.read_bytes())
