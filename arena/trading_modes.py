"""Whether a venue accepts market orders in a product, and the text for its restrictions. Pure.

A venue's listing has one status per product, and flags that restrict orders. By Coinbase's
documentation a product with any of `limit_only`, `post_only`, `cancel_only`, `auction_mode`,
`trading_disabled` and `view_only` does not accept market orders. So every restricting flag counts
as forbidding them, and so does an unknown status or flag. Sources: "Market Statuses" and "What is
auction mode?" on help.coinbase.com, "Get all known trading pairs" on docs.cdp.coinbase.com.
"""

from collections.abc import Sequence

ONLINE = "online"
"""The status of a product that trades."""
UNLISTED = "unlisted"
"""Status of a product that the venue does not list."""
UNREADABLE = "unreadable"
"""Status of a product whose entry in the venue's listing cannot be read."""
MARKET_ORDERS_REFUSED = "market orders are refused"
NOT_TRADED = "it cannot be traded"


def takes_market_orders(status: str, modes: Sequence[str]) -> bool:
    """True if the venue accepts market orders in a product.

    Args:
        status: The venue's word, such as "online" or "delisted".
        modes: The venue's active flags, such as "limit_only".
    """
    return status == ONLINE and not modes


def condition(status: str, modes: Sequence[str]) -> str:
    """Why a product cannot be traded, in the venue's words: "cancel_only and limit_only".

    Args:
        status: The venue's word.
        modes: The venue's active flags.
    """
    if status != ONLINE or not modes:
        return status
    return " and ".join([", ".join(modes[:-1]), modes[-1]] if len(modes) > 1 else modes)


def _in_words(mode: str) -> str:
    """A flag as it follows "it is": "limit only", "in auction mode", "disabled for trading"."""
    words = mode.replace("_", " ")
    if mode.endswith("_mode"):
        return f"in {words}"
    thing, _, end = words.rpartition(" ")
    return f"disabled for {thing}" if end == "disabled" else words


def restriction(status: str, modes: Sequence[str]) -> str:
    """A product's restriction as text: "limit only: market orders are refused".

    Args:
        status: The venue's word.
        modes: The venue's active flags.

    Returns:
        "" if market orders are accepted.
    """
    if takes_market_orders(status, modes):
        return ""
    if status != ONLINE:
        return f"{status}: {NOT_TRADED}"
    return f"{condition(status, [_in_words(mode) for mode in modes])}: {MARKET_ORDERS_REFUSED}"
