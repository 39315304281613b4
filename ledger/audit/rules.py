"""The trading rules and listings that applied when an order was decided. Pure."""

from collections import defaultdict
from contextlib import suppress
from datetime import datetime
from decimal import ROUND_CEILING

from arena.messages import Epoch, Product, Rules
from arena.money import (
    PriceUnits,
    carried_base_step,
    round_to_units,
    to_price_units,
    to_units,
)
from ledger.audit.decoding import DecodedRecord


class RulesInForce:
    """The rules in the epochs of the account log, and every `Rules` of the roster by time."""

    def __init__(self) -> None:
        """Start without rules."""
        self._found: list[Rules] = []
        self._stated: dict[int, Rules | None] = {}

    def take_epoch(self, decoded: DecodedRecord) -> None:
        """Note an effective epoch: its rules apply in that shard until the next epoch."""
        message = decoded.record.message()
        assert isinstance(message, Epoch), "its header says so"
        self._stated[decoded.record.partition] = message.rules

    def take(self, decoded: DecodedRecord) -> None:
        """Note a record of the roster."""
        if decoded.kind == "Rules" and decoded.record.value is not None:
            message = decoded.record.message()
            assert isinstance(message, Rules), "its header says so"
            self._found.append(message)
            self._found.sort(key=lambda rules: rules.at)

    def at(self, partition: int, moment: datetime) -> Rules | None:
        """Return the rules in a shard's epoch, or else the newest on the roster at a time.

        Epochs of older executors have no rules. The roster keeps the newest record of a key
        forever and older ones for a while; if none is old enough, the oldest one is returned.
        """
        stated = self._stated.get(partition)
        if stated is not None:
            return stated
        older = [rules for rules in self._found if rules.at <= moment]
        return older[-1] if older else next(iter(self._found), None)


Listing = tuple[int, PriceUnits, int]
"""Base increment, quote increment and minimum notional."""


class Listings:
    """Every distinct listing of every product in `market.tickers`."""

    def __init__(self) -> None:
        """Start without listings."""
        self._found: dict[str, dict[Listing, None]] = defaultdict(dict)
        self._quotes: dict[str, set[str]] = defaultdict(set)

    def take(self, decoded: DecodedRecord) -> None:
        """Note a `Product`; one with an increment that cannot be represented is skipped."""
        if decoded.kind != "Product":
            return
        message = decoded.record.message()
        assert isinstance(message, Product), "its header says so"
        with suppress(ArithmeticError, ValueError):
            base = carried_base_step(message.base_increment)
            quote = to_price_units(message.quote_increment)
            if base is not None and quote > 0:
                minimum = round_to_units(message.min_market_funds, ROUND_CEILING)
                self._found[message.product_id][to_units(base), quote, minimum] = None
                self._quotes[message.product_id].add(message.quote_currency)

    def of(self, product_id: str) -> list[Listing]:
        """Return the listings of a product."""
        return [*self._found.get(product_id, ())]

    def quotes_of(self, product_id: str) -> set[str]:
        """Return the currencies in which a product was quoted."""
        return {*self._quotes.get(product_id, ())}
