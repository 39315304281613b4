"""The money rules and listings that were in force when an order was decided. Pure."""

from collections import defaultdict
from datetime import datetime

from arena.messages import Product, Rules
from arena.money import to_units
from ledger.audit.reading import Seen


class RulesInForce:
    """Every `Rules` record of the roster, by time."""

    def __init__(self) -> None:
        """None is known."""
        self._found: list[Rules] = []

    def take(self, seen: Seen) -> None:
        """Note a record of the roster."""
        if seen.kind == "Rules" and seen.record.value is not None:
            message = seen.record.message()
            assert isinstance(message, Rules), "its header says so"
            self._found.append(message)
            self._found.sort(key=lambda rules: rules.at)

    def at(self, moment: datetime) -> Rules | None:
        """The newest rules not younger than a moment, else the oldest there are.

        The roster keeps the newest record of a key for ever and older ones for a while.
        """
        older = [rules for rules in self._found if rules.at <= moment]
        return older[-1] if older else next(iter(self._found), None)


class Listings:
    """Every listing of every product that stands in `market.tickers`; equal ones once."""

    def __init__(self) -> None:
        """None is known."""
        self._found: dict[str, list[Product]] = defaultdict(list)

    def take(self, seen: Seen) -> None:
        """Note a `Product`."""
        if seen.kind != "Product":
            return
        message = seen.record.message()
        assert isinstance(message, Product), "its header says so"
        if message not in self._found[message.product_id]:
            self._found[message.product_id].append(message)

    def of(self, product_id: str) -> list[tuple[int, int, int]]:
        """Base increment, quote increment and least notional of each listing, in units of 10^-8."""
        return [
            (
                to_units(listing.base_increment),
                to_units(listing.quote_increment),
                to_units(listing.min_market_funds),
            )
            for listing in self._found.get(product_id, ())
        ]
