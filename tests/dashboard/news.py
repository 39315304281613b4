"""Dated context in the tests' arena."""

from datetime import datetime, timedelta
from decimal import Decimal

from arena.messages import ContextItem


def news_at(venue: datetime) -> tuple[ContextItem, ...]:
    """News with hostile texts, a sentiment and token facts, as of a venue time."""
    return (
        ContextItem(
            item_id="n1",
            kind="news",
            published_at=venue,
            source="Wire <b>\u202e",
            title="<script>alert(1)</script> \x1b[31mred",
        ),
        ContextItem(
            item_id="s1",
            product_id="BTC-USD",
            kind="sentiment",
            published_at=venue - timedelta(minutes=9),
            sentiment="bearish",
            score=Decimal("-0.4"),
        ),
        ContextItem(
            item_id="f1",
            product_id="BTC-USD",
            kind="token_facts",
            published_at=venue - timedelta(days=30),
            source="made for the test",
            facts={"max_supply": "21000000"},
        ),
    )
