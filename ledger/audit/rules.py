"""The money rules and listings that were in force when an order was decided. Pure."""

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
    """The rules that epochs of the account log state, and every `Rules` of the roster by time."""

    def __init__(self) -> None:
        """None is known."""
        self._found: list[Rules] = []
        self._stated: dict[int, Rules | None] = {}

    def take_epoch(self, decoded: DecodedRecord) -> None:
        """Note an epoch that counts: its rules hold in that shard until the next one."""
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
        """The rules that a shard's epoch states, else the roster's newest of a moment.

        Logs of older executors state none. The roster keeps the newest record of a key for ever
        and older ones for a while; if none is old enough, the oldest that it has is taken.
        """
        stated = self._stated.get(partition)
        if stated is not None:
            return stated
        older = [rules for rules in self._found if rules.at <= moment]
        return older[-1] if older else next(iter(self._found), None)


Listing = tuple[int, PriceUnits, int]
"""Base increment, quote increment and least notional."""


class Listings:
    """Every listing of every product that stands in `market.tickers`; equal ones once."""

    def __init__(self) -> None:
        """None is known."""
        self._found: dict[str, dict[Listing, None]] = defaultdict(dict)

    def take(self, decoded: DecodedRecord) -> None:
        """Note a `Product`; one with steps that no quantity has is passed over."""
        if decoded.kind != "Product":
            return
        message = decoded.record.message()
        assert isinstance(message, Product), "its header says so"
        with suppress(ArithmeticError, ValueError):
            base = carried_base_step(message.base_increment)
            quote = to_price_units(message.quote_increment)
            if base is not None and quote > 0:
                least = round_to_units(message.min_market_funds, ROUND_CEILING)
                self._found[message.product_id][to_units(base), quote, least] = None

    def of(self, product_id: str) -> list[Listing]:
        """The listings of a product."""
        return [*self._found.get(product_id, ())]
