"""The result of a comparison of the books."""

from arena.messages.base import Message, Utc
from arena.money import WireDecimal


class Drift(Message):
    """A figure that differs between fold, books and read model.

    Attributes:
        owner: An agent, or "house".
        what: "cash", "position", "scraped", "fees", ...
        unit: A currency, such as "USD" or "BTC", or "count".
        fold: Value in the fold of the account log up to the books' offset.
        books: Value in the books.
        dashboard: Value in the read model; None if it does not have this figure.
        dashboard_fold: Value in the fold up to the read model's offset.
        next_offsets: Partition of `account.events` -> next offset of the books.
    """

    owner: str
    what: str
    unit: str
    fold: WireDecimal
    books: WireDecimal
    dashboard: WireDecimal | None = None
    dashboard_fold: WireDecimal | None = None
    next_offsets: dict[int, int]
    at: Utc
