"""Whether a venue takes market orders in a product, and in which words. Pure.

A venue's listing has one status per product, and flags that restrict what is accepted. By the
words of Coinbase none of `limit_only`, `post_only`, `cancel_only`, `auction_mode`,
`trading_disabled` and `view_only` takes market orders. So every flag that restricts counts as one
that forbids them, and so does a status or a flag that is not known here. Sources: "Market
Statuses" and "What is auction mode?" on help.coinbase.com, "Get all known trading pairs" on
docs.cdp.coinbase.com.
"""

from collections.abc import Sequence

ONLINE = "online"
"""The status of a product that trades."""
UNLISTED = "unlisted"
"""Status of a product that the venue does not list any more, or never did."""
UNREADABLE = "unreadable"
"""Status of a product whose entry in the venue's listing cannot be read."""
MARKET_ORDERS_REFUSED = "market orders are refused"
NOT_TRADED = "it cannot be traded"


def takes_market_orders(status: str, modes: Sequence[str]) -> bool:
    """True if the venue takes market orders in a product.

    Args:
        status: The venue's word, such as "online" or "delisted".
        modes: The venue's flags that are on, such as "limit_only".
    """
    return status == ONLINE and not modes


def condition(status: str, modes: Sequence[str]) -> str:
    """What keeps a product from being traded, in the venue's words: "cancel_only and limit_only".

    Args:
        status: The venue's word.
        modes: The venue's flags that are on.
    """
    if status != ONLINE or not modes:
        return status
    return " and ".join([", ".join(modes[:-1]), modes[-1]] if len(modes) > 1 else modes)


def _in_words(mode: str) -> str:
    """A flag as the end of "it is ...": "limit only", "in auction mode", "disabled for trading"."""
    words = mode.replace("_", " ")
    if mode.endswith("_mode"):
        return f"in {words}"
    thing, _, end = words.rpartition(" ")
    return f"disabled for {thing}" if end == "disabled" else words


def restriction(status: str, modes: Sequence[str]) -> str:
    """A product's restriction as people read it: "limit only: market orders are refused".

    Args:
        status: The venue's word.
        modes: The venue's flags that are on.

    Returns:
        "" if market orders are taken.
    """
    if takes_market_orders(status, modes):
        return ""
    if status != ONLINE:
        return f"{status}: {NOT_TRADED}"
    return f"{condition(status, [_in_words(mode) for mode in modes])}: {MARKET_ORDERS_REFUSED}"
