"""Subscribe messages, and whether the venue's acknowledgements cover them. Pure.

The venue acknowledges channels under other names (`ALIASES`), cumulatively, and in any order: hence
sets. One message names at most `BATCH_PRODUCTS_MAX` products, because the venue closes connections
that subscribe to everything at once.
"""

from collections.abc import Iterable
from typing import Final, Literal

import orjson

BATCH_PRODUCTS_MAX: Final = 50
ALIASES: Final = {"ticker_batch": "ticker_1000", "level2_batch": "level2_50"}
"""Channel as subscribed -> channel as acknowledged."""
CHANNELS: Final = ("ticker_batch", "heartbeat")

Verb = Literal["subscribe", "unsubscribe"]
Pairs = frozenset[tuple[str, str]]


def wire_name(channel: str) -> str:
    """The name under which a channel is acknowledged."""
    return ALIASES.get(channel, channel)


def wanted_pairs(channels: Iterable[str], products: Iterable[str]) -> Pairs:
    """The pairs (channel on the wire, product) that an acknowledgement must cover."""
    listed = list(products)
    return frozenset((wire_name(channel), product) for channel in channels for product in listed)


def subscribe_messages(
    channels: Iterable[str], products: Iterable[str], *, verb: Verb = "subscribe"
) -> list[str]:
    """JSON messages that name the products in batches, each channel with its own list.

    Args:
        channels: Names such as "ticker_batch".
        products: Ids such as "BTC-USD"; sent in this order, without duplicates.
        verb: "subscribe" or "unsubscribe".
    """
    unique = list(dict.fromkeys(products))
    names = list(channels)
    batches = [
        unique[start : start + BATCH_PRODUCTS_MAX]
        for start in range(0, len(unique), BATCH_PRODUCTS_MAX)
    ]
    return [
        orjson.dumps(
            {"type": verb, "channels": [{"name": name, "product_ids": batch} for name in names]}
        ).decode()
        for batch in batches
    ]


def missing_products(wanted: Pairs, acked: Pairs) -> list[str]:
    """Products with a channel that is not acknowledged."""
    return sorted({product for channel, product in wanted if (channel, product) not in acked})
