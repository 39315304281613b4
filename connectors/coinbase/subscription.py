"""What to ask the venue for, and whether its answer covers it.

The venue acknowledges under other names than it is asked under (`ALIASES`), cumulatively, and in
any order: hence sets. One message asks for at most `BATCH_PRODUCTS_MAX` products, because a
subscription to everything at once is answered with a close.
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
    """The name a channel is acknowledged under."""
    return ALIASES.get(channel, channel)


def wanted_pairs(channels: Iterable[str], products: Iterable[str]) -> Pairs:
    """The set an acknowledgement must cover, as (channel on the wire, product)."""
    listed = list(products)
    return frozenset((wire_name(channel), product) for channel in channels for product in listed)


def subscribe_messages(
    channels: Iterable[str], products: Iterable[str], *, verb: Verb = "subscribe"
) -> list[str]:
    """JSON texts that ask for the products in batches, each channel with its own list.

    Args:
        channels: Names such as "ticker_batch".
        products: Ids such as "BTC-USD"; sent in this order, doubles once.
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
    """Products of which some channel is not acknowledged under either of its names."""
    return sorted({product for channel, product in wanted if (channel, product) not in acked})
