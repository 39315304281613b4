"""Warning about positions that could not be sold at the end of the season. Pure."""

from decimal import Decimal
from typing import Final

from arena.currency import cash_words
from arena.plural import counted, noun
from judge.season.types import Season

POSITIONS_SHOWN: Final = 5
"""Most positions that are named."""


def unsellable_note(season: Season) -> str:
    """Return a sentence about positions in products that cannot be traded; "" if there are none.

    A season's equity counts them at the last bid, which no order would get.
    """
    known = season.assumptions
    found = []
    for product_id, why in known.restricted:
        if product_id not in season.products:
            continue
        index = season.products.index(product_id)
        currency = season.currency_of(product_id)
        for n, (entry, value) in enumerate(
            zip(season.entries, season.exposure[-1, :, index], strict=True)
        ):
            if value > 0:
                amount = float(value) / season.per_unit(n, product_id)
                worth = cash_words(Decimal(amount), currency)
                found.append(f"{entry.name} holds {worth} of {product_id}, which is {why}")
    if not found:
        return ""
    more = len(found) - POSITIONS_SHOWN
    rest = f"; and {more:,} more" if more > 0 else ""
    count, end = counted(len(found), "position"), noun(len(found), "is", "are")
    return (
        f"{count} could not be sold at the end and {end} counted at the last bid:"
        f" {'; '.join(found[:POSITIONS_SHOWN])}{rest}."
    )
