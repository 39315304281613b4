"""A venue's answer to which of the wanted products it lists. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from arena.messages import Product

UNKNOWN_STEP: Final = Decimal(1)
"""Increment in the rules of a product without known rules; it is not traded."""


@dataclass(frozen=True, slots=True)
class ProductListing:
    """The requested products, as the venue lists them.

    Attributes:
        online: Products with the status "online", which the feed sends. They may be in a mode.
        closed: Products with another status, each once.
        rejected: Product id -> why it has no usable entry: `UNLISTED`, or `UNREADABLE` and the
            reason.
    """

    online: tuple[Product, ...]
    closed: tuple[Product, ...]
    rejected: Mapping[str, str]
