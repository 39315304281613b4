"""Dated context: news, sentiment and token facts about a product or about the whole market."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from arena.messages.base import Message, Utc, is_empty, is_none
from arena.money import WireDecimal

ContextKind = Literal["news", "sentiment", "token_facts"]
Mood = Literal["bullish", "neutral", "bearish"]

ITEM_ID_CHARS_MAX = 128
SOURCE_CHARS_MAX = 80
URL_CHARS_MAX = 300
TITLE_CHARS_MAX = 200
TEXT_CHARS_MAX = 1_000
FACTS_MAX = 16
FACT_NAME_CHARS_MAX = 40
FACT_CHARS_MAX = 80


def _score(value: Decimal) -> Decimal:
    if not -1 <= value <= 1:
        raise ValueError(f"{value} is not from -1 to 1")
    return value


Score = Annotated[WireDecimal, AfterValidator(_score)]
"""From -1 (bearish) to 1 (bullish)."""
FactName = Annotated[str, Field(pattern=rf"^[a-z][a-z0-9_]{{0,{FACT_NAME_CHARS_MAX - 1}}}$")]
FactText = Annotated[str, Field(max_length=FACT_CHARS_MAX)]


class ContextItem(Message):
    """One dated item, as published to `market.context` and as snapshots hold it.

    Third parties wrote its texts: every reader that shows them escapes invisible characters and
    puts them on one line. A later record with the same id corrects the item.

    Attributes:
        item_id: Id of the item; of the file's `id`, or derived from the content.
        product_id: The product; "" for the whole market.
        published_at: Time of publication in venue time: an item is visible from then on.
        source: Who published it, such as "Example Wire".
        url: Where it can be read; "" if unknown.
        sentiment: Direction of a sentiment; None if it is not known.
        score: Strength from -1 to 1; None if it is not known.
        facts: Name -> value, such as "max_supply" -> "21000000".
        received_at: Wall time at which it was appended; None in snapshots, which are the same in
            every run.
    """

    item_id: str = Field(min_length=1, max_length=ITEM_ID_CHARS_MAX)
    product_id: str = Field(default="", max_length=64)
    kind: ContextKind
    published_at: Utc
    source: str = Field(default="", max_length=SOURCE_CHARS_MAX, exclude_if=is_empty)
    url: str = Field(default="", max_length=URL_CHARS_MAX, exclude_if=is_empty)
    title: str = Field(default="", max_length=TITLE_CHARS_MAX, exclude_if=is_empty)
    text: str = Field(default="", max_length=TEXT_CHARS_MAX, exclude_if=is_empty)
    sentiment: Mood | None = Field(default=None, exclude_if=is_none)
    score: Score | None = Field(default=None, exclude_if=is_none)
    facts: dict[FactName, FactText] = Field(
        default_factory=dict, max_length=FACTS_MAX, exclude_if=is_empty
    )
    received_at: Utc | None = Field(default=None, exclude_if=is_none)
