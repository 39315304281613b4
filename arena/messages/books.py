"""What a comparison of the books found."""

from arena.messages.base import Message, Utc
from arena.money import WireDecimal


class Drift(Message):
    """One figure that is not the same in fold, books and read model.

    Attributes:
        owner: An agent, or "house". what: "cash", "position", "scraped", "fees", ... unit: A
            currency, such as "USD" or "BTC", or "count".
        fold: Of the account log up to where the books stand. books: what they hold there.
        dashboard: What the read model shows, None where it does not tell this figure.
            dashboard_fold: the fold up to where the read model stands.
        next_offsets: Partition of `account.events` -> where the books stand.
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
